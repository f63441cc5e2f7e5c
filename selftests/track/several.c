// SPDX-License-Identifier: GPL-2.0
/* Several ranges, several regions, several processes, several peers. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

FIXTURE(several) {
	struct memsync *ms;
};

FIXTURE_SETUP(several)
{
	ASSERT_OK(pair_net(&self->ms));
}

FIXTURE_TEARDOWN(several)
{
	memsync_close(self->ms);
}

static struct memsync_range range_of(unsigned char *start, size_t length)
{
	return (struct memsync_range) {
		.start = (uintptr_t)start,
		.end = (uintptr_t)start + length,
	};
}

/* In the order given, which is not that of the addresses; some adjoin, some are a page. */
TEST_F(several, ranges)
{
	unsigned char *area = memory_new(16 * MIB);
	struct memsync_range ranges[] = {
		range_of(area + 8 * MIB, 3 * MIB),
		range_of(area, PAGE),
		range_of(area + PAGE, PAGE),
		range_of(area + 3 * PAGE, MIB),
		range_of(area + 7 * MIB + 5 * PAGE, PAGE),
		range_of(area + 7 * MIB + 7 * PAGE, 3 * PAGE),
		range_of(area + 15 * MIB, MIB),
	};
	unsigned int round, i;
	uint64_t seed = 3;
	struct pair pair;

	memory_fill(area, 16 * MIB, 1);
	ASSERT_OK(pair_start_ranges(&pair, self->ms, "several", getpid(), ranges,
				    ARRAY_SIZE(ranges)));
	ASSERT_OK(pair_sync_compare(&pair));
	for (round = 0; round < 10; round++) {
		for (i = 0; i < 40; i++)
			area[random_next(&seed) % (16 * MIB)]++;
		area[PAGE - 1]++;
		area[2 * PAGE]++;		/* between two ranges */
		area[7 * MIB + 5 * PAGE + round]++;
		ASSERT_OK(pair_sync_compare(&pair));
	}
	/* A range that is gone reads as zeros, the others go on. */
	ASSERT_EQ(0, munmap(area + 8 * MIB, 3 * MIB));
	area[MIB]++;
	ASSERT_OK(pair_sync_compare(&pair));
	pair_stop(&pair);
}

/* What lies between the ranges is not shipped. */
TEST_F(several, nothing_else_is_shipped)
{
	unsigned char *area = memory_new(4 * MIB);
	struct memsync_range ranges[] = {
		range_of(area, 16 * PAGE),
		range_of(area + 32 * PAGE, 16 * PAGE),
	};
	struct memsync_stats before, after;
	struct pair pair;

	memory_fill(area, 4 * MIB, 1);
	ASSERT_OK(pair_start_ranges(&pair, self->ms, "several", getpid(), ranges, 2));
	ASSERT_OK(pair_sync_compare(&pair));
	before = pair_stats(&pair);
	ASSERT_EQ(32, before.shipped_pages);
	memory_fill(area + 16 * PAGE, 16 * PAGE, 2);
	memory_fill(area + 48 * PAGE, MIB, 2);
	ASSERT_OK(pair_sync_compare(&pair));
	after = pair_stats(&pair);
	ASSERT_EQ(before.shipped_pages, after.shipped_pages);
	pair_stop(&pair);
}

/* The same memory in two regions: each has to ship what the other has shipped. */
TEST_F(several, regions_of_the_same_memory)
{
	size_t size = 4 * MIB;
	unsigned char *area = memory_new(size);
	struct memsync_range half = range_of(area + MIB, 2 * MIB), all = range_of(area, size);
	struct pair one, two;
	unsigned int i;

	memory_fill(area, size, 1);
	ASSERT_OK(pair_start_ranges(&one, self->ms, "one", getpid(), &all, 1));
	ASSERT_OK(pair_sync_compare(&one));
	memory_fill(area + MIB, MIB, 2);
	ASSERT_OK(pair_start_ranges(&two, self->ms, "two", getpid(), &half, 1));
	for (i = 0; i < 5; i++) {
		area[2 * MIB + i * PAGE]++;
		memory_fill(area + MIB + 10 * PAGE, 20 * PAGE, 10 + i);
		ASSERT_OK(pair_sync_compare(&one));
		ASSERT_OK(pair_sync_compare(&two));
		area[2 * MIB + 3 + i * PAGE]++;
		ASSERT_OK(pair_sync_compare(&two));
		ASSERT_OK(pair_sync_compare(&one));
	}
	/* One is paused and lags behind; the other is none the wiser. */
	ASSERT_EQ(0, memsync_pause(self->ms, one.source));
	memory_fill(area, size, 3);
	ASSERT_OK(pair_sync_compare(&two));
	memory_fill(area + MIB, MIB, 4);
	ASSERT_OK(pair_sync_compare(&two));
	ASSERT_EQ(0, memsync_resume(self->ms, one.source));
	ASSERT_OK(pair_sync_compare(&one));
	/* One ends; the other goes on. */
	pair_stop(&one);
	area[MIB + 5]++;
	ASSERT_OK(pair_sync_compare(&two));
	memory_fill(area, size, 5);
	ASSERT_OK(pair_sync_compare(&two));
	pair_stop(&two);
}

/* What becomes writable with no fault is seen by the region that looks first, for both. */
TEST_F(several, regions_of_memory_made_writable)
{
	size_t size = 4 * MIB;
	unsigned char *area = memory_new(size);
	struct memsync_range all = range_of(area, size);
	struct pair one, two;
	unsigned int i;

	memory_fill(area, size, 1);
	ASSERT_OK(pair_start_ranges(&one, self->ms, "one", getpid(), &all, 1));
	ASSERT_OK(pair_start_ranges(&two, self->ms, "two", getpid(), &all, 1));
	ASSERT_OK(pair_sync_compare(&one));
	ASSERT_OK(pair_sync_compare(&two));
	for (i = 0; i < 4; i++) {
		struct pair *first = i % 2 ? &one : &two, *second = i % 2 ? &two : &one;

		memory_fill(area, size / 2, 10 + i);
		ASSERT_EQ(0, mprotect(area, size, PROT_READ));
		ASSERT_OK(pair_sync_compare(first));
		ASSERT_OK(pair_sync_compare(second));
		ASSERT_EQ(0, memsync_pause(self->ms, second->source));
		ASSERT_EQ(0, mprotect(area, size, PROT_READ | PROT_WRITE));
		memory_fill(area + MIB, size / 2, 20 + i);
		ASSERT_OK(pair_sync_compare(first));
		ASSERT_EQ(0, memsync_resume(self->ms, second->source));
		ASSERT_OK(pair_sync_compare(second));
	}
	pair_stop(&one);
	pair_stop(&two);
}

struct victim {
	pid_t pid;
	int to;
	int from;
	struct pair pair;
};

static bool victim_start(struct victim *v, unsigned char *area, size_t size)
{
	int to[2], from[2];
	uint64_t seed;

	if (pipe(to) || pipe(from))
		return false;
	v->pid = fork();
	v->to = to[1];
	v->from = from[0];
	if (v->pid)
		return v->pid > 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(to[0], &seed, sizeof(seed)) == sizeof(seed)) {
		memory_fill(area + seed % 7 * (size / 8), size / 8, seed);
		if (write(from[1], &seed, sizeof(seed)) != sizeof(seed))
			break;
	}
	_exit(0);
}

static bool victim_write(struct victim *v, uint64_t seed)
{
	return write(v->to, &seed, sizeof(seed)) == sizeof(seed) &&
	       read(v->from, &seed, sizeof(seed)) == sizeof(seed);
}

/* Processes that came from one, with the same addresses and at first the same pages. */
TEST_F(several, processes)
{
	size_t size = 2 * MIB;
	unsigned char *area = memory_new(size);
	struct memsync_range range = range_of(area, size);
	struct victim victims[6];
	unsigned int i, round;
	char name[16];

	memory_fill(area, size, 1);
	for (i = 0; i < ARRAY_SIZE(victims); i++) {
		snprintf(name, sizeof(name), "p%u", i);
		ASSERT_TRUE(victim_start(&victims[i], area, size));
		ASSERT_OK(pair_start_ranges(&victims[i].pair, self->ms, name, victims[i].pid,
					    &range, 1));
	}
	for (round = 0; round < 5; round++) {
		for (i = 0; i < ARRAY_SIZE(victims); i++)
			ASSERT_TRUE(victim_write(&victims[i], round * 100 + i));
		for (i = 0; i < ARRAY_SIZE(victims); i++)
			ASSERT_OK(pair_sync_compare(&victims[i].pair));
	}
	/* They end one by one. */
	for (i = 0; i < ARRAY_SIZE(victims); i++) {
		kill(victims[i].pid, SIGKILL);
		waitpid(victims[i].pid, NULL, 0);
		if (i + 1 == ARRAY_SIZE(victims))
			break;
		ASSERT_TRUE(victim_write(&victims[i + 1], 7000 + i));
		ASSERT_OK(pair_sync_compare(&victims[i + 1].pair));
	}
	for (i = 0; i < ARRAY_SIZE(victims); i++)
		pair_stop(&victims[i].pair);
}

/* A second peer comes later, has a first pass of its own, and goes again. */
TEST_F(several, peers)
{
	struct memsync_addr addr = {
		.in.sin_family = AF_INET,
		.in.sin_port = htons(PAIR_PORT),
		.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.prefix = 32,
	};
	size_t size = 4 * MIB;
	unsigned char *area = memory_new(size), *other = memory_new(size);
	struct memsync_range range = range_of(other, size);
	struct memsync_register_opts sink = {
		.size = sizeof(sink),
		.name = "second",
		.role = MEMSYNC_ROLE_SINK,
		.ranges = &range,
		.nr_ranges = 1,
	};
	unsigned int i;
	struct pair pair;

	memory_fill(area, size, 1);
	ASSERT_OK(pair_start(&pair, self->ms, getpid(), area, size));
	ASSERT_OK(pair_sync_compare(&pair));
	ASSERT_EQ(0, memsync_register(self->ms, &sink, NULL));
	ASSERT_EQ(0, memsync_peer_add(self->ms, pair.source, &addr, "second"));
	for (i = 0; i < 5; i++) {
		memory_fill(area + MIB, 100 * PAGE, 2 + i);
		area[3 * MIB]++;
		ASSERT_OK(pair_sync_compare(&pair));
		ASSERT_EQ(0, memcmp(area, other, size));
	}
	ASSERT_NE(0, memsync_peer_add(self->ms, pair.source, &addr, "second"));
	ASSERT_EQ(0, memsync_peer_del(self->ms, pair.source, &addr, "second"));
	memory_fill(area, size, 9);
	ASSERT_OK(pair_sync_compare(&pair));
	pair_stop(&pair);
}

/* Without a peer dirtiness is counted, and a barrier is an error. */
TEST_F(several, no_peer)
{
	size_t size = 4 * MIB;
	unsigned char *area = memory_new(size);
	struct memsync_range range = range_of(area, size);
	struct memsync_register_opts opts = {
		.size = sizeof(opts),
		.name = "alone",
		.role = MEMSYNC_ROLE_SOURCE,
		.ranges = &range,
		.nr_ranges = 1,
	};
	struct memsync_region *region;
	unsigned int i;
	uint32_t id;

	memory_fill(area, size, 1);
	ASSERT_EQ(0, memsync_register(self->ms, &opts, &id));
	ASSERT_EQ(0, memsync_region_get(self->ms, id, &region));
	EXPECT_EQ(MEMSYNC_REGION_ATTACHED, region->state);
	EXPECT_EQ(0, region->dirty);
	EXPECT_EQ(size / PAGE, region->pages);
	free(region);
	for (i = 0; i < 100; i++)
		area[i * 3 * PAGE]++;
	ASSERT_EQ(0, memsync_region_get(self->ms, id, &region));
	EXPECT_EQ(100, region->dirty);
	EXPECT_EQ(100, region->stats.write_faults);
	free(region);
	EXPECT_EQ(-ENOTCONN, memsync_barrier(self->ms, id, 1000, NULL));
	ASSERT_EQ(0, memsync_unregister(self->ms, id));
	EXPECT_EQ(-ENOENT, memsync_region_get(self->ms, id, &region));
}

TEST_HARNESS_MAIN
