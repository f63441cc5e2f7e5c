// SPDX-License-Identifier: GPL-2.0
/* Huge pages: whole while they are not written, tracked at 4 KiB once they are. */
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"

#define SIZE	(16 * MIB)

FIXTURE(thp) {
	struct memsync *ms;
	struct pair pair;
	unsigned char *area;
};

static long huge_kib(const unsigned char *area, size_t size)
{
	return smaps_kib(getpid(), area, area + size, "AnonHugePages");
}

FIXTURE_SETUP(thp)
{
	self->area = memory_new_huge(SIZE);
	ASSERT_NE(NULL, self->area);
	memory_fill_all(self->area, SIZE, 1);
	if (huge_kib(self->area, SIZE) < (long)(SIZE / KIB))
		SKIP(return, "the kernel gives no huge pages: %ld KiB", huge_kib(self->area, SIZE));
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, SIZE));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

FIXTURE_TEARDOWN(thp)
{
	pair_stop(&self->pair);
	memsync_close(self->ms);
}

TEST_F(thp, unwritten_stay_huge)
{
	unsigned int i;

	for (i = 0; i < 5; i++)
		ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(SIZE / KIB, huge_kib(self->area, SIZE));
}

TEST_F(thp, one_write_ships_one_page)
{
	struct memsync_stats before = pair_stats(&self->pair), after;
	unsigned int i;

	/* A pass while a write is under way keeps what it takes, and ships it twice. */
	ASSERT_EQ(0, memsync_pause(self->ms, self->pair.source));
	for (i = 0; i < SIZE / HUGE; i += 2)
		self->area[i * HUGE + 77 * PAGE + 5]++;
	ASSERT_EQ(0, memsync_resume(self->ms, self->pair.source));
	ASSERT_OK(pair_sync_compare(&self->pair));
	after = pair_stats(&self->pair);
	EXPECT_EQ(SIZE / HUGE / 2, after.shipped_pages - before.shipped_pages);
	EXPECT_EQ(SIZE / KIB / 2, huge_kib(self->area, SIZE));
	/* And again, now that the huge page is mapped by small entries. */
	before = after;
	ASSERT_EQ(0, memsync_pause(self->ms, self->pair.source));
	for (i = 0; i < SIZE / HUGE; i += 2)
		self->area[i * HUGE + 99 * PAGE]++;
	ASSERT_EQ(0, memsync_resume(self->ms, self->pair.source));
	ASSERT_OK(pair_sync_compare(&self->pair));
	after = pair_stats(&self->pair);
	EXPECT_EQ(SIZE / HUGE / 2, after.shipped_pages - before.shipped_pages);
}

/* A huge page that is faulted in while it is watched. */
TEST_F(thp, dropped_and_faulted_in)
{
	ASSERT_EQ(0, madvise(self->area, 8 * MIB, MADV_DONTNEED));
	ASSERT_OK(pair_sync_compare(&self->pair));
	self->area[3 * MIB]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
	memory_fill_all(self->area, 8 * MIB, 2);
	ASSERT_OK(pair_sync_compare(&self->pair));
	self->area[3 * MIB + 1]++;
	self->area[MIB + 1]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* The zero page of 2 MiB, then a write into it. */
TEST_F(thp, huge_zero_page)
{
	volatile unsigned char *byte = self->area + 4 * MIB + 3;
	unsigned int sum;

	ASSERT_EQ(0, madvise(self->area + 4 * MIB, 4 * MIB, MADV_DONTNEED));
	sum = *byte;
	ASSERT_EQ(0, sum);
	ASSERT_OK(pair_sync_compare(&self->pair));
	*byte = 4;
	ASSERT_OK(pair_sync_compare(&self->pair));
	byte[2 * MIB] = 5;
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* The mapping of a huge page is cut in two by what the process does. */
TEST_F(thp, split_by_the_process)
{
	self->area[2 * MIB + 9]++;
	ASSERT_EQ(0, mprotect(self->area + 2 * MIB, MIB, PROT_READ));
	ASSERT_OK(pair_sync_compare(&self->pair));
	self->area[3 * MIB + 9]++;
	ASSERT_EQ(0, munmap(self->area + 5 * MIB, 16 * PAGE));
	ASSERT_OK(pair_sync_compare(&self->pair));
	self->area[5 * MIB - 1]++;
	ASSERT_EQ(0, madvise(self->area + 8 * MIB + 3 * PAGE, PAGE, MADV_DONTNEED));
	ASSERT_OK(pair_sync_compare(&self->pair));
	self->area[8 * MIB + 2 * PAGE]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* A region that begins and ends in the middle of huge pages. */
TEST_F(thp, parts_of_huge_pages)
{
	unsigned char *start = self->area + MIB;
	size_t length = SIZE - 2 * MIB;

	pair_stop(&self->pair);
	memory_fill_all(self->area, SIZE, 3);
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), start, length));
	ASSERT_OK(pair_sync_compare(&self->pair));
	self->area[MIB - 1]++;
	self->area[MIB]++;
	self->area[SIZE - MIB - 1]++;
	self->area[SIZE - MIB]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
	memory_fill_all(self->area, SIZE, 4);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

TEST_HARNESS_MAIN
