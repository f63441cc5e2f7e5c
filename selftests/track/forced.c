// SPDX-License-Identifier: GPL-2.0
/* What takes two CPUs at exact points, made to happen. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpu.h"
#include "delay.h"
#include "test.h"

#define SIZE	(4 * MIB)
#define ROUNDS	3

FIXTURE(forced) {
	struct memsync *ms;
	struct pair pair;
	unsigned char *area;
};

FIXTURE_SETUP(forced)
{
	stay_on(0);
	self->area = memory_new(SIZE);
	ASSERT_NE(NULL, self->area);
	memory_fill_all(self->area, SIZE, 1);
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, SIZE));
	ASSERT_OK(pair_sync_compare(&self->pair));
	/* All that waiting needs is mapped: a fault of its own would be parked as well. */
	usleep(1);
	park_end("exit");
}

FIXTURE_TEARDOWN(forced)
{
	park_end("entry");
	park_end("exit");
	pair_stop(&self->pair);
	memsync_close(self->ms);
	munmap(self->area, SIZE);
}

static unsigned char *page(unsigned char *area, unsigned int nr)
{
	return area + nr * PAGE;
}

/* A thread on the other CPU, that touches nothing but @at; @point is where it is parked. */
struct other {
	pthread_t thread;
	unsigned char *at;
	const char *point;
	atomic_bool stop;
};

/* ---- a fault that takes its time ---- */

static void *write_once(void *arg)
{
	struct other *o = arg;

	stay_on(1);
	park_next(o->point);
	*o->at = 1;
	return NULL;
}

/* Somebody else writes what the handler has mapped, with no fault, before the fault ends. */
TEST_F(forced, written_before_the_fault_ends)
{
	unsigned int round;

	if (!delays_built())
		SKIP(return, "only a build for tests can be made to wait");
	for (round = 1; round <= ROUNDS; round++) {
		struct other o = { .at = page(self->area, 3 * round), .point = "exit" };

		ASSERT_EQ(0, madvise(o.at, PAGE, MADV_DONTNEED));
		ASSERT_OK(pair_sync_compare(&self->pair));
		pthread_create(&o.thread, NULL, write_once, &o);
		ASSERT_OK(park_await("exit"));
		o.at[100] = 2;
		ASSERT_OK(pair_sync(&self->pair));
		EXPECT_EQ(2, self->pair.replica[o.at - self->area + 100]);
		EXPECT_OK(park_end("exit"));
		pthread_join(o.thread, NULL);
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

/* And a pass has come between: it took the hint when nothing was mapped yet. */
TEST_F(forced, looked_at_before_the_handler_runs)
{
	unsigned int round;

	if (!delays_built())
		SKIP(return, "only a build for tests can be made to wait");
	for (round = 1; round <= ROUNDS; round++) {
		struct other o = { .at = page(self->area, 3 * round), .point = "entry" };

		ASSERT_EQ(0, madvise(o.at, PAGE, MADV_DONTNEED));
		ASSERT_OK(pair_sync_compare(&self->pair));
		pthread_create(&o.thread, NULL, write_once, &o);
		ASSERT_OK(park_await("entry"));
		ASSERT_OK(pair_sync(&self->pair));
		ASSERT_EQ(0, park_next("exit"));
		ASSERT_OK(park_end("entry"));
		ASSERT_OK(park_await("exit"));
		o.at[100] = 2;
		ASSERT_OK(pair_sync(&self->pair));
		EXPECT_EQ(2, self->pair.replica[o.at - self->area + 100]);
		EXPECT_OK(park_end("exit"));
		pthread_join(o.thread, NULL);
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

/* ---- a CPU that never leaves its thread ---- */

static void *write_on(void *arg)
{
	struct other *o = arg;

	stay_on(1);
	while (!atomic_load(&o->stop))
		(*(volatile unsigned char *)o->at)++;
	return NULL;
}

/* It goes on writing by the translation that it has, as long as that is not taken away. */
TEST_F(forced, written_by_an_old_translation)
{
	unsigned int round;

	for (round = 0; round < sized(40, 12); round++) {
		struct other o = { .at = page(self->area, round / 4) };

		pthread_create(&o.thread, NULL, write_on, &o);
		usleep(20000);
		ASSERT_OK(pair_sync(&self->pair));
		usleep(1000);
		atomic_store(&o.stop, true);
		pthread_join(o.thread, NULL);
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

TEST_HARNESS_MAIN
