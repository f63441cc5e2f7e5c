// SPDX-License-Identifier: GPL-2.0
/*
 * Pages whose memory is broken: what was shipped of them stays in the replica, and a region
 * ends when there is more to ship. Each test is a process of its own, which loses a page or
 * a few of the guest's.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "test.h"

#define SIZE	(8 * MIB)
#define BAD	(3 * MIB + 37 * PAGE)	/* this page of the region */

FIXTURE(poison) {
	struct memsync *ms;
	struct pair pair;
	struct pair around;	/* the same, but for the page */
	unsigned char *area;
	unsigned char *bad;
	unsigned char was[PAGE];
};

FIXTURE_VARIANT(poison) {
	bool huge;
	bool shared;
};

FIXTURE_VARIANT_ADD(poison, small) {
	.huge = false,
};

FIXTURE_VARIANT_ADD(poison, huge) {
	.huge = true,
};

FIXTURE_VARIANT_ADD(poison, shared) {
	.shared = true,
};

static sigjmp_buf touched;
static volatile sig_atomic_t told;	/* signals */
static volatile sig_atomic_t touching;

static void on_bus(int sig)
{
	told++;
	if (touching)
		siglongjmp(touched, 1);
}

/* Returns whether that was told to be a mistake. */
static bool touch(unsigned char *at, bool write)
{
	volatile unsigned char *byte = at;
	volatile bool bad = true;

	touching = true;
	if (!sigsetjmp(touched, 1)) {
		if (write)
			*byte = 1;
		else
			(void)*byte;
		bad = false;
	}
	touching = false;
	return bad;
}

FIXTURE_SETUP(poison)
{
	struct sigaction catch = { .sa_handler = on_bus };

	if (access("/proc/sys/vm/memory_failure_early_kill", F_OK))
		SKIP(return, "this kernel cannot be told that a page is broken");
	self->area = variant->huge ? memory_new_huge(SIZE) : memory_new(SIZE);
	ASSERT_NE(NULL, self->area);
	if (variant->shared)
		ASSERT_EQ(self->area, mmap(self->area, SIZE, PROT_READ | PROT_WRITE,
					   MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	self->bad = self->area + BAD;
	memory_fill_all(self->area, SIZE, 1);
	memcpy(self->was, self->bad, PAGE);
	/* Told at once, and not when it is touched only */
	ASSERT_EQ(0, prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0));
	sigaction(SIGBUS, &catch, NULL);
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, SIZE));
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_OK(pair_sync(&self->pair));
	self->around = self->pair;
	self->around.nr_ranges = 2;
	self->around.ranges[0].end = (uintptr_t)self->bad;
	self->around.ranges[1] = (struct memsync_range) {
		.start = (uintptr_t)self->bad + PAGE,
		.end = (uintptr_t)self->area + SIZE,
		.offset = BAD + PAGE,
	};
}

FIXTURE_TEARDOWN(poison)
{
	pair_stop(&self->pair);
	memsync_close(self->ms);
}

static const char *sync_around(struct pair *p, struct pair *around)
{
	const char *why = pair_sync(p);

	return why ? why : pair_compare(around);
}

/* Broken after it was shipped, and never written again. */
TEST_F(poison, clean)
{
	char reason[MEMSYNC_REASON_MAX + 1];
	struct memsync_verify result = { };
	unsigned int round;

	ASSERT_EQ(0, break_page(self->bad, MADV_HWPOISON));
	for (round = 0; round < 3; round++) {
		self->bad[-1]++;
		self->bad[PAGE]++;
		self->area[7 * MIB + round * PAGE]++;
		ASSERT_OK(sync_around(&self->pair, &self->around));
		ASSERT_EQ(0, memcmp(self->was, self->pair.replica + BAD, PAGE));
	}
	memory_fill_all(self->area, BAD, 2);
	memory_fill_all(self->bad + PAGE, SIZE - BAD - PAGE, 3);
	ASSERT_OK(sync_around(&self->pair, &self->around));
	/* It cannot be read, and to try has its block looked at; nothing differs. */
	ASSERT_OK(pair_verify(&self->pair, &result));
	EXPECT_EQ(0, result.different);
	EXPECT_LE(1, result.changing);
	EXPECT_GE(HUGE / PAGE, result.changing);
	EXPECT_TRUE(touch(self->bad, false));
	ASSERT_OK(pair_wait_state(&self->pair, self->pair.source, MEMSYNC_REGION_SYNCED, reason,
				  sizeof(reason)));
}

/* As a program does that knows how to go on. */
TEST_F(poison, replaced)
{
	ASSERT_EQ(0, break_page(self->bad, MADV_HWPOISON));
	ASSERT_OK(sync_around(&self->pair, &self->around));
	ASSERT_EQ(self->bad, mmap(self->bad, PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	ASSERT_OK(pair_sync_compare(&self->pair));
	memory_fill_all(self->bad, PAGE, 4);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* What is new in it cannot be shipped: the region ends, and says why. */
TEST_F(poison, dirty)
{
	char reason[MEMSYNC_REASON_MAX + 1];

	ASSERT_EQ(0, memsync_pause(self->ms, self->pair.source));
	memory_fill_all(self->bad, PAGE, 5);
	ASSERT_EQ(0, break_page(self->bad, MADV_HWPOISON));
	ASSERT_EQ(0, memsync_resume(self->ms, self->pair.source));
	EXPECT_NE(NULL, pair_sync(&self->pair));
	ASSERT_OK(pair_wait_state(&self->pair, self->pair.source, MEMSYNC_REGION_GONE, reason,
				  sizeof(reason)));
	TH_LOG("%s", reason);
	EXPECT_NE(NULL, strstr(reason, "cannot be read"));
	EXPECT_TRUE(touch(self->bad, false));
	ASSERT_EQ(0, memcmp(self->was, self->pair.replica + BAD, PAGE));
}

/* The process learns of it when it goes there, and what it meant to write is nowhere. */
TEST_F(poison, touched)
{
	ASSERT_EQ(0, break_page(self->bad, MADV_HWPOISON));
	EXPECT_TRUE(touch(self->bad, false));
	ASSERT_OK(sync_around(&self->pair, &self->around));
	EXPECT_TRUE(touch(self->bad + 99, true));
	/* Told that a barrier was reached, or that the region ended: what is there is equal. */
	if (pair_sync(&self->pair)) {
		char reason[MEMSYNC_REASON_MAX + 1];

		ASSERT_OK(pair_wait_state(&self->pair, self->pair.source, MEMSYNC_REGION_GONE,
					  reason, sizeof(reason)));
		TH_LOG("%s", reason);
		EXPECT_NE(NULL, strstr(reason, "cannot be read"));
	}
	ASSERT_OK(pair_compare(&self->around));
	ASSERT_EQ(0, memcmp(self->was, self->pair.replica + BAD, PAGE));
}

/* Not broken yet: its content goes elsewhere, and nothing is lost. */
TEST_F(poison, soft)
{
	unsigned int round;

	for (round = 0; round < 3; round++) {
		unsigned char *page = self->area + (round * 2 + 1) * MIB + 7 * PAGE;

		/* Written, then moved; moved, then written. */
		page[99]++;
		ASSERT_EQ(0, break_page(page, MADV_SOFT_OFFLINE));
		ASSERT_OK(pair_sync_compare(&self->pair));
		page[100]++;
		page[PAGE]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	memory_fill(self->area, SIZE, 6);
	ASSERT_OK(pair_sync_compare(&self->pair));
	EXPECT_EQ(0, told);
}

TEST_HARNESS_MAIN
