// SPDX-License-Identifier: GPL-2.0
/* Pages go to swap and come back, by the process's own wish and under a memcg's limit. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "swap.h"
#include "test.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define SIZE	(12 * MIB)

FIXTURE(swap) {
	struct memsync *ms;
	struct pair pair;
	unsigned char *area;
	char device[64];
};

FIXTURE_VARIANT(swap) {
	bool huge;
	bool file;
};

FIXTURE_VARIANT_ADD(swap, zram) {
	.huge = false,
};

FIXTURE_VARIANT_ADD(swap, zram_huge) {
	.huge = true,
};

FIXTURE_VARIANT_ADD(swap, loop) {
	.file = true,
};

FIXTURE_SETUP(swap)
{
	ASSERT_OK(swap_on(variant->file, self->device, sizeof(self->device)));
	self->area = variant->huge ? memory_new_huge(SIZE) : memory_new(SIZE);
	ASSERT_NE(NULL, self->area);
	memory_fill_all(self->area, SIZE, 1);
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, SIZE));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

FIXTURE_TEARDOWN(swap)
{
	pair_stop(&self->pair);
	memsync_close(self->ms);
	swap_off(self->device);
}

static long swapped_kib(const unsigned char *area)
{
	return smaps_kib(getpid(), area, area + SIZE, "Swap");
}

TEST_F(swap, paged_out)
{
	unsigned int round;

	for (round = 0; round < 4; round++) {
		/* Written, then unmapped by reclaim before anybody looks. */
		memory_fill_all(self->area + round * MIB, 2 * MIB, 10 + round);
		ASSERT_EQ(0, madvise(self->area, SIZE, MADV_PAGEOUT));
		EXPECT_LT(0, swapped_kib(self->area));
		ASSERT_OK(pair_sync_compare(&self->pair));
		/* Read back in, then written; or written at once. */
		ASSERT_EQ(0, madvise(self->area, SIZE, MADV_PAGEOUT));
		if (round % 2)
			EXPECT_OK(pair_compare_direct(&self->pair, 0, SIZE));
		self->area[round * 3 * MIB + 5]++;
		self->area[round * 3 * MIB + 7 * PAGE]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

/* By another process, that asks for it. */
TEST_F(swap, paged_out_by_another)
{
	int self_fd = syscall(SYS_pidfd_open, getpid(), 0), status;
	struct iovec all = { self->area, SIZE };
	unsigned int round;
	pid_t pid;

	ASSERT_LE(0, self_fd);
	for (round = 0; round < 4; round++) {
		self->area[round * 3 * MIB + 6 * PAGE]++;
		pid = fork();
		if (!pid) {
			/* Not with what is shared between the two, which it leaves alone. */
			munmap(self->area, SIZE);
			_exit(syscall(SYS_process_madvise, self_fd, &all, 1, MADV_PAGEOUT, 0) < 0);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_EQ(0, status);
		EXPECT_LT(0, swapped_kib(self->area));
		if (round % 2)
			self->area[round * 3 * MIB + 9 * PAGE]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	close(self_fd);
}

/* What is clean and swapped out is neither shipped again nor brought back. */
TEST_F(swap, clean_stays_out)
{
	struct memsync_stats before = pair_stats(&self->pair), after;
	long out;

	ASSERT_EQ(0, madvise(self->area, SIZE, MADV_PAGEOUT));
	out = swapped_kib(self->area);
	EXPECT_LT((long)(SIZE / KIB / 2), out);
	ASSERT_OK(pair_sync(&self->pair));
	ASSERT_OK(pair_sync(&self->pair));
	after = pair_stats(&self->pair);
	TH_LOG("%ld KiB were out, %ld are; %lu pages shipped", out, swapped_kib(self->area),
	       after.shipped_pages - before.shipped_pages);
	EXPECT_LE(out, swapped_kib(self->area));
	EXPECT_EQ(before.shipped_pages, after.shipped_pages);
	ASSERT_OK(pair_compare(&self->pair));
}

/* Swap slots go away under swapped-out pages, which come back in. */
TEST_F(swap, swapped_in_by_swapoff)
{
	ASSERT_EQ(0, madvise(self->area, SIZE, MADV_PAGEOUT));
	ASSERT_OK(pair_sync(&self->pair));
	ASSERT_EQ(0, madvise(self->area, SIZE, MADV_PAGEOUT));
	ASSERT_EQ(0, swapoff(self->device));
	ASSERT_OK(pair_sync_compare(&self->pair));
	self->area[3 * MIB]++;
	self->area[9 * MIB]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, swapon(self->device, 0));
}

/* A child's share of a swapped page, and the slot's end. */
TEST_F(swap, dropped_while_out)
{
	ASSERT_EQ(0, madvise(self->area, SIZE, MADV_PAGEOUT));
	ASSERT_OK(pair_sync(&self->pair));
	ASSERT_EQ(0, madvise(self->area, SIZE, MADV_PAGEOUT));
	ASSERT_EQ(0, madvise(self->area + 4 * MIB, 4 * MIB, MADV_DONTNEED));
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, self->pair.replica[5 * MIB]);
}

/* Not all of the memory fits; what is written next pushes out what was written before. */
TEST_F(swap, under_a_limit)
{
	const char *why = swap_group_enter("10M");
	unsigned int round, i;
	uint64_t seed = 4;

	if (why) {
		swap_group_leave();
		SKIP(return, "%s", why);
	}
	/* Charged to the group are the pages that are allocated in it. */
	ASSERT_EQ(0, madvise(self->area, SIZE, MADV_DONTNEED));
	memory_fill_all(self->area, SIZE, 5);
	for (round = 0; round < 4; round++) {
		for (i = 0; i < 2000; i++)
			self->area[random_next(&seed) % SIZE]++;
		EXPECT_OK(pair_sync_compare(&self->pair));
	}
	EXPECT_LT(0, swapped_kib(self->area));
	swap_group_leave();
}

#ifndef MADV_HWPOISON
#define MADV_HWPOISON	100
#endif

static void nothing(int signal)
{
}

/*
 * Making a huge page brings back what is swapped out, maybe writable and with no fault of
 * the process. It is given up when it comes upon a page, outside the region, that is lost.
 */
TEST_F(swap, swapped_in_for_nothing)
{
	unsigned char *page = self->area + 5 * PAGE;
	unsigned int round;

	if (access("/proc/sys/vm/memory_failure_early_kill", F_OK))
		SKIP(return, "this kernel cannot be told that a page is broken");
	signal(SIGBUS, nothing);
	pair_stop(&self->pair);
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, MIB));
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, madvise(self->area, HUGE, MADV_NOHUGEPAGE));
	self->area[MIB]++;		/* of a huge page only this one is to be lost */
	ASSERT_EQ(0, break_page(self->area + MIB, MADV_HWPOISON));
	ASSERT_EQ(0, madvise(self->area, HUGE, MADV_HUGEPAGE));
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, madvise(page, PAGE, MADV_PAGEOUT));
		ASSERT_EQ(0, memsync_pause(self->ms, self->pair.source));
		/* Where no page can be written the kernel does not begin. */
		self->area[20 * PAGE]++;
		EXPECT_NE(0, madvise(self->area, HUGE, MADV_COLLAPSE));
		page[10]++;
		ASSERT_EQ(0, memsync_resume(self->ms, self->pair.source));
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

TEST_HARNESS_MAIN
