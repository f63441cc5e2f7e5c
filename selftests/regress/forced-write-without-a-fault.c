// SPDX-License-Identifier: GPL-2.0
/*
 * A debugger may write what the process may only read, and the entry stays read-only: only the
 * first such write to a page needs a fault, or none, and even that one is over before the bytes
 * are there.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"

#define SIZE	(4 * MIB)

FIXTURE(forced) {
	struct memsync *ms;
	struct pair pair;
	unsigned char *area;
	int mem;
};

FIXTURE_SETUP(forced)
{
	self->area = memory_new(SIZE);
	ASSERT_NE(NULL, self->area);
	memory_fill(self->area, SIZE, 1);
	self->mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->mem);
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, SIZE));
	ASSERT_EQ(0, mprotect(self->area, SIZE, PROT_READ));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

FIXTURE_TEARDOWN(forced)
{
	pair_stop(&self->pair);
	memsync_close(self->ms);
	close(self->mem);
}

static bool put(int mem, void *at, const void *data, size_t size)
{
	return pwrite(mem, data, size, (off_t)(uintptr_t)at) == (ssize_t)size;
}

TEST_F(forced, again_and_again)
{
	unsigned char data[2 * PAGE];
	unsigned int i;

	for (i = 0; i < 5; i++) {
		memory_fill(data, sizeof(data), 10 + i);
		ASSERT_TRUE(put(self->mem, self->area + MIB + 100, data, sizeof(data)));
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

struct barriers {
	struct pair *pair;
	atomic_bool stop;
	const char *why;
};

static void *take_barriers(void *arg)
{
	struct barriers *b = arg;

	while (!b->why && !atomic_load(&b->stop))
		b->why = pair_sync(b->pair);
	return NULL;
}

TEST_F(forced, while_it_is_shipped)
{
	struct barriers barriers = { .pair = &self->pair };
	unsigned char data[PAGE];
	unsigned int i, round;
	pthread_t thread;

	for (round = 0; round < 5; round++) {
		atomic_store(&barriers.stop, false);
		ASSERT_EQ(0, pthread_create(&thread, NULL, take_barriers, &barriers));
		for (i = 0; i < SIZE / PAGE; i++) {
			memory_fill(data, sizeof(data), round * 10000 + i);
			EXPECT_TRUE(put(self->mem, self->area + i * PAGE, data, sizeof(data)));
		}
		atomic_store(&barriers.stop, true);
		pthread_join(thread, NULL);
		ASSERT_OK(barriers.why);
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

TEST_HARNESS_MAIN
