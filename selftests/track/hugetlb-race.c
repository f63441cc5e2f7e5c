// SPDX-License-Identifier: GPL-2.0
/* Many threads write private hugetlb memory while passes run, and nothing is ever lost. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "delay.h"
#include "huge.h"
#include "test.h"

#define SIZE	(8 * MIB)
#define PAGES	(SIZE / HUGE)
#define POOL	(4 * PAGES)

FIXTURE(hugetlb_race) {
	struct memsync *ms;
	struct pair pair;
	unsigned char *area;
};

FIXTURE_SETUP(hugetlb_race)
{
	if (!huge_pool(POOL))
		SKIP(return, "the kernel gives %ld huge pages", huge_pages("Total"));
	self->area = huge_map(NULL, SIZE, 0);
	ASSERT_NE(NULL, self->area);
	memory_fill_all(self->area, SIZE, 1);
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, SIZE));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

FIXTURE_TEARDOWN(hugetlb_race)
{
	park_end("part");
	pair_stop(&self->pair);
	memsync_close(self->ms);
	munmap(self->area, SIZE);
	huge_pool(0);
}

struct writer {
	pthread_t thread;
	unsigned char *area;
	uint64_t seed;
	atomic_bool *stop;
};

static void *write_at_random(void *arg)
{
	struct writer *w = arg;
	unsigned int written = 0;

	while (!atomic_load(w->stop)) {
		w->area[random_next(&w->seed) % SIZE]++;
		if (++written % 8 == 0)
			usleep(50);
	}
	return NULL;
}

static const char *threads_write(struct pair *pair, unsigned char *area,
				 const char *(*meanwhile)(struct pair *pair, unsigned char *area))
{
	struct writer w[4];
	const char *why;
	atomic_bool stop;
	unsigned int i;

	atomic_init(&stop, false);
	for (i = 0; i < ARRAY_SIZE(w); i++) {
		w[i] = (struct writer) { .area = area, .seed = i + 1, .stop = &stop };
		pthread_create(&w[i].thread, NULL, write_at_random, &w[i]);
	}
	why = meanwhile(pair, area);
	atomic_store(&stop, true);
	for (i = 0; i < ARRAY_SIZE(w); i++)
		pthread_join(w[i].thread, NULL);
	return why ? why : pair_sync_compare(pair);
}

static const char *barriers(struct pair *pair, unsigned char *area)
{
	const char *why = NULL;
	unsigned int i;

	for (i = 0; i < 4 && !why; i++)
		why = pair_sync(pair);
	return why;
}

static const char *forks(struct pair *pair, unsigned char *area)
{
	const char *why = NULL;
	unsigned int i;
	pid_t pid;

	for (i = 0; i < 3 && !why; i++) {
		pid = fork();
		if (!pid) {
			area[i * HUGE]++;
			_exit(0);
		}
		why = pair_sync(pair);
		waitpid(pid, NULL, 0);
	}
	return why;
}

static const char *drops(struct pair *pair, unsigned char *area)
{
	const char *why = NULL;
	unsigned int i;

	for (i = 0; i < 20 && !why; i++) {
		madvise(area + i % PAGES * HUGE, HUGE, MADV_DONTNEED);
		mprotect(area + (i + 1) % PAGES * HUGE, HUGE, PROT_READ | PROT_WRITE);
		usleep(500);
		if (i % 5 == 0)
			why = pair_sync(pair);
	}
	return why;
}

static const char *migrations(struct pair *pair, unsigned char *area)
{
	const char *why = NULL;
	unsigned int i;

	for (i = 0; i < 2 && !why; i++) {
		madvise(area + i * HUGE + 3 * PAGE, PAGE, MADV_SOFT_OFFLINE);
		why = pair_sync(pair);
	}
	return why;
}

TEST_F(hugetlb_race, barriers)
{
	unsigned int round, rounds = sized(8, 3);

	for (round = 0; round < rounds; round++)
		ASSERT_OK(threads_write(&self->pair, self->area, barriers));
}

TEST_F(hugetlb_race, forks)
{
	unsigned int round, rounds = sized(6, 2);

	for (round = 0; round < rounds; round++)
		ASSERT_OK(threads_write(&self->pair, self->area, forks));
}

TEST_F(hugetlb_race, drops)
{
	unsigned int round, rounds = sized(6, 2);

	for (round = 0; round < rounds; round++)
		ASSERT_OK(threads_write(&self->pair, self->area, drops));
}

TEST_F(hugetlb_race, migrations)
{
	unsigned int round;

	for (round = 0; round < 3; round++)
		ASSERT_OK(threads_write(&self->pair, self->area, migrations));
}

/* Where a build for tests can be made to wait: see kmod/delay.h. */
TEST_F(hugetlb_race, delayed)
{
	static const char * const points[] = {
		"entry", "exit", "start", "end", "taken", "protected", "found",
	};
	unsigned int i;

	if (!delays_built())
		SKIP(return, "only a build for tests can be made to wait");
	for (i = 0; i < ARRAY_SIZE(points); i++) {
		ASSERT_EQ(0, delay_put(points[i], 1500));
		EXPECT_OK(threads_write(&self->pair, self->area, forks));
		EXPECT_OK(threads_write(&self->pair, self->area, drops));
		ASSERT_EQ(0, delay_put(points[i], 0));
	}
}

/*
 * Two ranges lie in one page. A pass has looked at the first, where nothing was written;
 * then all of the page becomes writable, and it looks at the second.
 */
TEST_F(hugetlb_race, written_between_two_ranges)
{
	uint64_t start = (uintptr_t)self->area;
	struct memsync_range ranges[] = {
		{ .start = start, .end = start + MIB },
		{ .start = start + MIB + PAGE, .end = start + HUGE },
	};
	struct pair pair;
	unsigned int round;

	if (!delays_built())
		SKIP(return, "only a build for tests can be made to wait");
	/* Of another region, the page would be kept open to it. */
	pair_stop(&self->pair);
	ASSERT_OK(pair_start_ranges(&pair, self->ms, "two", getpid(), ranges, 2));
	ASSERT_OK(pair_sync_compare(&pair));
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, mprotect(self->area, HUGE, PROT_READ));
		ASSERT_OK(pair_sync(&pair));
		ASSERT_EQ(0, park_next("part"));
		/* The pass finds that there may be something, and nothing. */
		ASSERT_EQ(0, mprotect(self->area, HUGE, PROT_READ | PROT_WRITE));
		ASSERT_OK(park_await("part"));
		self->area[3 * PAGE]++;		/* with a fault, */
		self->area[5 * PAGE]++;		/* without */
		self->area[MIB + 3 * PAGE]++;
		EXPECT_OK(park_end("part"));
		EXPECT_OK(pair_sync_compare(&pair));
	}
	pair_stop(&pair);
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, SIZE));
}

TEST_HARNESS_MAIN
