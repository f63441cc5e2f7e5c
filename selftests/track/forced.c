// SPDX-License-Identifier: GPL-2.0
/* What takes two CPUs at exact points, made to happen. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpu.h"
#include "test.h"

#define SIZE	(4 * MIB)
#define ROUNDS	4

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
}

FIXTURE_TEARDOWN(forced)
{
	delay_put("entry", 0);
	delay_put("exit", 0);
	pair_stop(&self->pair);
	memsync_close(self->ms);
	munmap(self->area, SIZE);
}

static unsigned char *page(unsigned char *area, unsigned int nr)
{
	return area + nr * PAGE;
}

/* ---- a fault that takes its time ---- */

/* A thread on the other CPU, that touches nothing but @at. */
struct other {
	pthread_t thread;
	unsigned char *at;
	atomic_bool go;
	atomic_bool stop;
	atomic_bool done;
};

static void *write_once(void *arg)
{
	struct other *o = arg;

	stay_on(1);
	while (!atomic_load(&o->go))
		;
	*o->at = 1;
	atomic_store(&o->done, true);
	return NULL;
}

/*
 * It faults, where nothing is mapped, and waits at each of the two points for so many
 * milliseconds. None of what others do waits.
 */
static void fault_slowly(struct other *o, unsigned int entry, unsigned int exit)
{
	pthread_create(&o->thread, NULL, write_once, o);
	usleep(100000);
	delay_put("exit", exit * 1000);
	delay_put("entry", entry * 1000);
	atomic_store(&o->go, true);
	usleep(100000);
	delay_put("entry", 0);
}

/* Somebody else writes what the handler has mapped, with no fault, before the fault ends. */
TEST_F(forced, written_before_the_fault_ends)
{
	unsigned int round, reached = 0, ms = sized(1500, 5000);

	if (!delays_built())
		SKIP(return, "only a build for tests can be made to wait");
	for (round = 1; round <= ROUNDS && reached < 2; round++) {
		struct other o = { .at = page(self->area, 3 * round) };

		ASSERT_EQ(0, madvise(o.at, PAGE, MADV_DONTNEED));
		ASSERT_OK(pair_sync_compare(&self->pair));
		fault_slowly(&o, 0, ms);
		delay_put("exit", 0);
		o.at[100] = 2;
		ASSERT_OK(pair_sync(&self->pair));
		if (!atomic_load(&o.done)) {
			EXPECT_EQ(2, self->pair.replica[o.at - self->area + 100]);
			reached++;
		}
		pthread_join(o.thread, NULL);
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	EXPECT_EQ(2, reached);
}

/* And a pass has come between: it took the hint when nothing was mapped yet. */
TEST_F(forced, looked_at_before_the_handler_runs)
{
	unsigned int round, reached = 0, ms = sized(1500, 5000);

	if (!delays_built())
		SKIP(return, "only a build for tests can be made to wait");
	for (round = 1; round <= ROUNDS && reached < 2; round++) {
		struct other o = { .at = page(self->area, 3 * round) };

		ASSERT_EQ(0, madvise(o.at, PAGE, MADV_DONTNEED));
		ASSERT_OK(pair_sync_compare(&self->pair));
		fault_slowly(&o, ms, ms);
		ASSERT_OK(pair_sync(&self->pair));
		usleep(ms * 1000);
		delay_put("exit", 0);
		o.at[100] = 2;
		ASSERT_OK(pair_sync(&self->pair));
		if (!atomic_load(&o.done)) {
			EXPECT_EQ(2, self->pair.replica[o.at - self->area + 100]);
			reached++;
		}
		pthread_join(o.thread, NULL);
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	EXPECT_EQ(2, reached);
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
