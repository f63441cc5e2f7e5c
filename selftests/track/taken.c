// SPDX-License-Identifier: GPL-2.0
/*
 * A page goes after a pass has taken the hints of its block and before it has looked at
 * the page: what was written to it with no fault is not to be lost, and what happens to
 * other blocks is no reason to ship this one.
 */
#include <sys/mman.h>
#include <unistd.h>

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
	if (!on_debug_kernel())
		SKIP(return, "only a debug build can be made to wait");
	ASSERT_OK(swap_on(false, self->device, sizeof(self->device)));
	self->area = memory_new(SIZE);
	self->other = memory_new(OTHER);
	memory_fill_all(self->area, SIZE, 1);
	memory_fill_all(self->other, OTHER, 2);
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, SIZE));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

FIXTURE_TEARDOWN(taken)
{
	delay_put("taken", 0);
	pair_stop(&self->pair);
	memsync_close(self->ms);
	swap_off(self->device);
}

static long swapped_kib(unsigned char *page)
{
	return smaps_kib(getpid(), page, page + PAGE, "Swap");
}

/* Written with no fault: the entry is writable, and a look at its block is all there is. */
static const char *write_unhinted(struct pair *pair, unsigned char *page)
{
	const char *why;

	if (mprotect(page, PAGE, PROT_READ))
		return "mprotect";
	why = pair_sync(pair);
	if (why)
		return why;
	delay_put("taken", 300000);
	if (mprotect(page, PAGE, PROT_READ | PROT_WRITE))
		return "mprotect";
	page[10]++;
	usleep(120000);		/* the pass has begun by now, and waits */
	return NULL;
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
		delay_put("taken", 0);
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
		delay_put("taken", 0);
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
		delay_put("taken", 0);
		ASSERT_OK(pair_sync_compare(&self->pair));
		after = pair_stats(&self->pair).shipped_pages;
		/* One is written, one is dropped, and a write fault may open two beside it. */
		EXPECT_GE(4, after - before);
	}
}

TEST_HARNESS_MAIN
