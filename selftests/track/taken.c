// SPDX-License-Identifier: GPL-2.0
/*
 * A page goes after a pass has taken the hints of its block and before it has looked at
 * the page: what was written to it with no fault is not to be lost, and what happens to
 * other blocks is no reason to ship this one.
 */
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "child.h"
#include "cpu.h"
#include "delay.h"
#include "swap.h"
#include "test.h"

#define SIZE		(4 * MIB)
#define OTHER		(4 * MIB)
#define MANY		20	/* more than memsync remembers */

FIXTURE(taken) {
	struct memsync *ms;
	struct pair pair;
	unsigned char *area;
	unsigned char *other;
	char device[64];
};

FIXTURE_SETUP(taken)
{
	if (!delays_built())
		SKIP(return, "only a build for tests can be made to wait");
	ASSERT_OK(swap_on(false, self->device, sizeof(self->device)));
	self->area = memory_new(SIZE);
	self->other = memory_new(OTHER);
	memory_fill_all(self->area, SIZE, 1);
	memory_fill_all(self->other, OTHER, 2);
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, SIZE));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

static const char * const points[] = { "taken", "protected", "started", "changed", "end" };

FIXTURE_TEARDOWN(taken)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(points); i++)
		park_end(points[i]);
	pair_stop(&self->pair);
	memsync_close(self->ms);
	swap_off(self->device);
}

static long swapped_kib(unsigned char *page)
{
	return smaps_kib(getpid(), page, page + PAGE, "Swap");
}

/*
 * Written with no fault: the entry is writable, and a look at its block is all there is.
 * A pass has taken that, and waits.
 */
static const char *write_unhinted(struct pair *pair, unsigned char *page)
{
	const char *why;

	if (mprotect(page, PAGE, PROT_READ))
		return "mprotect";
	why = pair_sync(pair);
	if (why)
		return why;
	if (memsync_pause(pair->ms, pair->source))
		return memsync_error(pair->ms);
	if (mprotect(page, PAGE, PROT_READ | PROT_WRITE))
		return "mprotect";
	page[10]++;
	park_next("taken");
	if (memsync_resume(pair->ms, pair->source))
		return memsync_error(pair->ms);
	return park_await("taken");
}

TEST_F(taken, paged_out)
{
	unsigned char *page;
	unsigned int round;

	for (round = 0; round < 4; round++) {
		page = self->area + (3 + 7 * round) * PAGE;
		ASSERT_OK(write_unhinted(&self->pair, page));
		ASSERT_EQ(0, madvise(page, PAGE, MADV_PAGEOUT));
		EXPECT_EQ(4, swapped_kib(page));
		ASSERT_OK(park_end("taken"));
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

/* So much is going on that the one of this block is forgotten. */
TEST_F(taken, paged_out_then_many)
{
	unsigned char *page;
	unsigned int round, i;

	for (round = 0; round < 4; round++) {
		page = self->area + (3 + 7 * round) * PAGE;
		ASSERT_OK(write_unhinted(&self->pair, page));
		ASSERT_EQ(0, madvise(page, PAGE, MADV_PAGEOUT));
		for (i = 0; i < MANY; i++)
			madvise(self->other + i * PAGE, PAGE, MADV_DONTNEED);
		ASSERT_OK(park_end("taken"));
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

TEST_F(taken, elsewhere)
{
	unsigned long before, after;
	unsigned int round;

	for (round = 0; round < 4; round++) {
		before = pair_stats(&self->pair).shipped_pages;
		ASSERT_OK(write_unhinted(&self->pair, self->area + 5 * PAGE));
		madvise(self->other + round * PAGE, PAGE, MADV_DONTNEED);
		madvise(self->area + 2 * MIB + round * PAGE, PAGE, MADV_DONTNEED);
		ASSERT_OK(park_end("taken"));
		ASSERT_OK(pair_sync_compare(&self->pair));
		after = pair_stats(&self->pair).shipped_pages;
		/* One is written, one is dropped, and a write fault may open two beside it. */
		EXPECT_GE(4, after - before);
	}
}

static void *page_out(void *page)
{
	stay_on(1);
	park_next("changed");
	madvise(page, PAGE, MADV_PAGEOUT);
	return NULL;
}

/*
 * A pass sees the entry that reclaim has left, before reclaim has said that it is done. The
 * content cannot be read before: reclaim has the page locked.
 */
TEST_F(taken, looked_at_meanwhile)
{
	unsigned char *page;
	unsigned int round;
	pthread_t thread;

	stay_on(0);
	for (round = 0; round < 4; round++) {
		page = self->area + (3 + 7 * round) * PAGE;
		ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ));
		ASSERT_OK(pair_sync_compare(&self->pair));
		ASSERT_EQ(0, memsync_pause(self->ms, self->pair.source));
		ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ | PROT_WRITE));
		page[10]++;		/* with no fault */
		ASSERT_EQ(0, pthread_create(&thread, NULL, page_out, page));
		ASSERT_OK(park_await("changed"));
		ASSERT_EQ(0, park_next("protected"));
		ASSERT_EQ(0, memsync_resume(self->ms, self->pair.source));
		ASSERT_OK(park_await("protected"));
		EXPECT_OK(park_end("changed"));
		EXPECT_OK(park_end("protected"));
		EXPECT_OK(pair_sync(&self->pair));
		pthread_join(thread, NULL);
		EXPECT_OK(pair_sync_compare(&self->pair));
	}
}

/* Bytes of the group that are in swap, or -1. */
static long group_swapped(void)
{
	FILE *f = fopen(SWAP_GROUP "/memory.swap.current", "r");
	long bytes;

	if (!f || fscanf(f, "%ld", &bytes) != 1)
		bytes = -1;
	if (f)
		fclose(f);
	return bytes;
}

/*
 * All that can be: unlike memory.reclaim, it does not wait for the other CPU. Who is above
 * the limit has to wait, too, wherever it allocates.
 */
static void group_reclaim(void)
{
	file_put(SWAP_GROUP "/memory.high", "0");
	file_put(SWAP_GROUP "/memory.high", "max");
}

static void *make_writable(void *page)
{
	stay_on(1);
	park_next("end");
	mprotect(page, PAGE, PROT_READ | PROT_WRITE);
	return NULL;
}

/*
 * In a child: what the parent touches may be in swap, too, and comes back only when mprotect()
 * is over. It lets that go on, whatever else.
 */
static int swap_out_and_end(pid_t parent, unsigned char *area, unsigned char what)
{
	long before = group_swapped();
	bool swapped;

	group_reclaim();
	swapped = before >= 0 && group_swapped() > before;
	if (park_end("end"))
		return 1;
	return swapped ? 0 : 2;
}

/* Written while mprotect() is under way, and by its end in swap. */
static const char *swap_meanwhile(struct child *child, unsigned char *page)
{
	const char *why;
	pthread_t thread;

	if (pthread_create(&thread, NULL, make_writable, page))
		return "no thread";
	why = park_await("end");
	if (!why) {
		page[10]++;
		switch (child_tell(child, 0)) {
		case 0:
			break;
		case 1:
			why = "mprotect() did not wait to the end";
			break;
		case 2:
			why = "not in swap";
			break;
		default:
			why = "the child is gone";
		}
	}
	park_end("end");
	pthread_join(thread, NULL);
	return why;
}

/* The look that mprotect() leaves comes too late for what reclaim has taken. */
TEST_F(taken, swapped_out_meanwhile)
{
	struct child child;
	unsigned char *page;
	unsigned int round;
	const char *why;

	stay_on(0);
	ASSERT_TRUE(child_start(&child, swap_out_and_end, self->area));
	why = swap_group_enter("max");
	if (why) {
		swap_group_leave();
		child_end(&child);
		SKIP(return, "%s", why);
	}
	for (round = 0; round < 3; round++) {
		page = self->area + (3 + 7 * round) * PAGE;
		ASSERT_EQ(0, madvise(page, PAGE, MADV_DONTNEED));
		memory_fill_all(page, PAGE, 3 + round);		/* charged to the group */
		ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ));
		ASSERT_OK(pair_sync_compare(&self->pair));
		EXPECT_OK(swap_meanwhile(&child, page));
		EXPECT_OK(pair_sync_compare(&self->pair));
		ASSERT_EQ(0, madvise(page, PAGE, MADV_DONTNEED));	/* nor in swap */
	}
	child_end(&child);
	swap_group_leave();
}

static void *reclaim(void *unused)
{
	stay_on(1);
	park_next("started");
	file_put(SWAP_GROUP "/memory.reclaim", "64K");
	return NULL;
}

/* Made writable, and written, when reclaim had begun: what it began with told nothing. */
static const char *write_meanwhile(unsigned char *page)
{
	const char *why, *ended;
	pthread_t thread;

	if (pthread_create(&thread, NULL, reclaim, NULL))
		return "no thread";
	why = park_await("started");
	if (!why) {
		mprotect(page, PAGE, PROT_READ | PROT_WRITE);
		page[10]++;
	}
	ended = park_end("started");
	pthread_join(thread, NULL);
	return why ?: ended;
}

TEST_F(taken, made_writable_meanwhile)
{
	const char *why = swap_group_enter("max");
	unsigned char *page;
	unsigned int round;

	if (why) {
		swap_group_leave();
		SKIP(return, "%s", why);
	}
	stay_on(0);
	for (round = 0; round < 4; round++) {
		page = self->area + (3 + 7 * round) * PAGE;
		ASSERT_EQ(0, madvise(page, PAGE, MADV_DONTNEED));
		/* Nothing to merge with: that takes a lock which reclaim holds. */
		ASSERT_EQ(0, madvise(page, PAGE, MADV_DONTDUMP));
		memory_fill_all(page, PAGE, 3 + round);		/* charged to the group */
		ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ));
		ASSERT_OK(pair_sync_compare(&self->pair));
		ASSERT_EQ(0, memsync_pause(self->ms, self->pair.source));
		EXPECT_OK(write_meanwhile(page));
		ASSERT_EQ(0, memsync_resume(self->ms, self->pair.source));
		EXPECT_OK(pair_sync_compare(&self->pair));
		ASSERT_EQ(0, madvise(page, PAGE, MADV_DONTNEED));
	}
	swap_group_leave();
}

TEST_HARNESS_MAIN
