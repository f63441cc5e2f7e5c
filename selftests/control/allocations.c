// SPDX-License-Identifier: GPL-2.0
/*
 * Allocations fail, each one that a request makes in its turn, and those of the threads at
 * random: a request then fails and leaves nothing behind, or does without; a replica is late,
 * but never wrong. Needs a kernel that can make them fail, as the debug kernel can.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "failing.h"
#include "test.h"

#define SIZE	(2 * MIB)

/* What a request allocates at most */
#define MAX_NTH	2000

FIXTURE(allocations) {
	struct memsync *ms;
	struct memsync *other;	/* to look with: an answer may be stuck in @ms */
	unsigned char *area;
};

FIXTURE_SETUP(allocations)
{
	if (!failing_possible())
		SKIP(return, "a kernel whose allocations always succeed");
	ASSERT_OK(failing_init(0));
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_EQ(0, memsync_open(&self->other));
	self->area = memory_new(SIZE);
	memory_fill(self->area, SIZE, 1);
}

FIXTURE_TEARDOWN(allocations)
{
	failing_stop();
	memsync_close(self->ms);
	memsync_close(self->other);
}

/* ---- one after the other ---- */

struct request {
	int (*make)(struct memsync *ms, void *area);
	int (*undo)(struct memsync *ms);
};

static int count(const struct memsync_region *region, void *arg)
{
	++*(unsigned int *)arg;
	return 0;
}

static int count_listener(const struct memsync_listener *listener, void *arg)
{
	++*(unsigned int *)arg;
	return 0;
}

/* Regions, listeners */
static unsigned int objects(struct memsync *ms)
{
	unsigned int nr = 0;

	if (memsync_dump_regions(ms, count, &nr) ||
	    memsync_dump_listeners(ms, count_listener, &nr))
		return ~0U;
	return nr;
}

/*
 * The answer may be what cannot be allocated. Then the request was granted, and the
 * socket says that something was lost.
 */
static bool answer_lost(struct memsync *other, const struct request *r, unsigned int before)
{
	return objects(other) == before + 1 && r->undo && !r->undo(other);
}

static const char *fail_each(struct memsync *ms, struct memsync *other, void *area,
			     const struct request *r)
{
	unsigned int n, failed = 0, lost = 0, before = objects(other);
	static char why[256];

	for (n = 1; n < MAX_NTH; n++) {
		unsigned int left;
		int err;

		if (failing_nth(n))
			return "fail-nth cannot be written";
		err = r->make(ms, area);
		left = failing_nth_left();
		failing_nth(0);
		snprintf(why, sizeof(why), "allocation %u: error %d: %s", n, err,
			 err ? memsync_error(ms) : "");
		if (!err && r->undo && r->undo(other))
			return why;
		if (err && !*memsync_error(ms))
			return why;
		failed += !!err;
		if (objects(other) != before) {
			if (!err || !answer_lost(other, r, before))
				return why;
			lost++;
		}
		if (left) {
			printf("# %u allocations, %u failures, %u answers lost\n", n - 1, failed,
			       lost);
			return err ? why : failed ? NULL : "nothing has failed";
		}
	}
	return "it never ends";
}

static struct memsync_addr nobody(uint16_t port)
{
	return (struct memsync_addr) {
		.in = {
			.sin_family = AF_INET,
			.sin_port = htons(port),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		},
	};
}

static int make_region(struct memsync *ms, void *area, enum memsync_role role, bool peer)
{
	struct memsync_range range = {
		.start = (uintptr_t)area,
		.end = (uintptr_t)area + SIZE,
	};
	struct memsync_addr addr = nobody(9);
	struct memsync_register_opts opts = {
		.size = sizeof(opts),
		.name = "t",
		.role = role,
		.ranges = &range,
		.nr_ranges = 1,
		.peers = &addr,
		.nr_peers = peer,
	};

	return memsync_register(ms, &opts, NULL);
}

static int make_source(struct memsync *ms, void *area)
{
	return make_region(ms, area, MEMSYNC_ROLE_SOURCE, false);
}

static int make_shipped(struct memsync *ms, void *area)
{
	return make_region(ms, area, MEMSYNC_ROLE_SOURCE, true);
}

static int make_sink(struct memsync *ms, void *area)
{
	return make_region(ms, area, MEMSYNC_ROLE_SINK, false);
}

static int end_region(struct memsync *ms)
{
	struct memsync_region *region;
	int err = memsync_region_find(ms, "t", 0, &region);

	if (!err) {
		err = memsync_unregister(ms, region->id);
		free(region);
	}
	return err;
}

TEST_F(allocations, source)
{
	static const struct request r = { make_source, end_region };

	ASSERT_OK(fail_each(self->ms, self->other, self->area, &r));
}

TEST_F(allocations, source_with_peer)
{
	static const struct request r = { make_shipped, end_region };

	ASSERT_OK(fail_each(self->ms, self->other, self->area, &r));
}

TEST_F(allocations, sink)
{
	static const struct request r = { make_sink, end_region };

	ASSERT_OK(fail_each(self->ms, self->other, self->area, &r));
}

static int add_listener(struct memsync *ms, void *area)
{
	struct memsync_addr addr = nobody(7999);

	return memsync_listen(ms, &addr, false);
}

static int end_listener(struct memsync *ms)
{
	struct memsync_addr addr = nobody(7999);

	return memsync_unlisten(ms, &addr);
}

TEST_F(allocations, listener)
{
	static const struct request r = { add_listener, end_listener };

	ASSERT_OK(fail_each(self->ms, self->other, self->area, &r));
}

static int show(struct memsync *ms, void *area)
{
	unsigned int nr = 0;

	return memsync_dump_regions(ms, count, &nr);
}

TEST_F(allocations, show)
{
	static const struct request r = { show, NULL };

	ASSERT_EQ(0, make_source(self->ms, self->area));
	ASSERT_OK(fail_each(self->ms, self->other, self->area, &r));
	ASSERT_EQ(0, end_region(self->ms));
}

/* ---- at random ---- */

/* A connection may break for want of memory; what counts is what is there in the end. */
TEST_F(allocations, while_passes_run)
{
	struct pair pair;
	unsigned int round, i;

	ASSERT_OK(pair_start(&pair, self->ms, getpid(), self->area, SIZE));
	ASSERT_OK(pair_sync_compare(&pair));
	for (round = 0; round < 20; round++) {
		ASSERT_LT(0, failing_mark_module());
		ASSERT_OK(failing_start(round % 2 ? 2 : 20, 1));
		for (i = 0; i < 10; i++) {
			memory_fill(self->area + i * (SIZE / 10), SIZE / 20, round * 10 + i);
			usleep(20000);
		}
		ASSERT_OK(failing_stop());
		ASSERT_OK(pair_sync_compare(&pair));
	}
	printf("# %ld failures, %ju reconnects\n", failing_count(),
	       (uintmax_t)pair_stats(&pair).reconnects);
	ASSERT_LT(0, failing_count());
	pair_stop(&pair);
}

TEST_HARNESS_MAIN
