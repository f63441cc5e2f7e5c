// SPDX-License-Identifier: GPL-2.0
/*
 * What a process does with its memory, and that the replica follows: writes of
 * all kinds of density, madvise, munmap, mmap, mremap, mprotect, and what the
 * kernel does with pages behind its back.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#define MADV_GUARD_REMOVE	103
#endif

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE	0x08
#endif

FIXTURE(memory) {
	struct memsync *ms;
	struct pair pair;
	unsigned char *area;
	size_t size;
};

FIXTURE_VARIANT(memory) {
	bool huge;
};

FIXTURE_VARIANT_ADD(memory, small) {
	.huge = false,
};

FIXTURE_VARIANT_ADD(memory, huge) {
	.huge = true,
};

/* The first MiB is filled, the rest has never been touched. */
FIXTURE_SETUP(memory)
{
	self->size = 8 * MIB;
	self->area = variant->huge ? memory_new_huge(self->size) : memory_new(self->size);
	ASSERT_NE(NULL, self->area);
	memory_fill(self->area, MIB, 1);
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, self->size));
}

FIXTURE_TEARDOWN(memory)
{
	pair_stop(&self->pair);
	memsync_close(self->ms);
}

static unsigned char *page(unsigned char *area, unsigned int nr)
{
	return area + nr * PAGE;
}

TEST_F(memory, first_pass)
{
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* Every page written between barriers arrives, whichever way it became writable. */
TEST_F(memory, written_again)
{
	unsigned int round;

	for (round = 0; round < 8; round++) {
		memory_fill(self->area, self->size, round);
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

TEST_F(memory, single_bytes)
{
	uint64_t seed = 7;
	unsigned int round, i;

	memory_fill(self->area, self->size, 2);
	ASSERT_OK(pair_sync_compare(&self->pair));
	for (round = 0; round < 20; round++) {
		for (i = 0; i < 50; i++)
			self->area[random_next(&seed) % self->size]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

TEST_F(memory, first_and_last_page)
{
	ASSERT_OK(pair_sync_compare(&self->pair));
	self->area[0]++;
	self->area[self->size - 1]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* A read of untouched memory maps the zero page; a write replaces it. */
TEST_F(memory, read_then_write)
{
	volatile unsigned char *byte = self->area + 5 * MIB + 17;
	unsigned int sum;

	ASSERT_OK(pair_sync_compare(&self->pair));
	sum = *byte;
	ASSERT_EQ(0, sum);
	ASSERT_OK(pair_sync_compare(&self->pair));
	*byte = 3;
	ASSERT_OK(pair_sync_compare(&self->pair));
}

TEST_F(memory, zeroed)
{
	memory_fill(self->area, self->size, 3);
	ASSERT_OK(pair_sync_compare(&self->pair));
	memset(self->area + 2 * MIB + PAGE, 0, 3 * MIB);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_LE(3 * MIB / PAGE, pair_stats(&self->pair).zero_pages);
}

TEST_F(memory, dontneed)
{
	memory_fill(self->area, self->size, 4);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, madvise(page(self->area, 3), 5 * PAGE, MADV_DONTNEED));
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, madvise(self->area + 2 * MIB, 4 * MIB, MADV_DONTNEED));
	self->area[3 * MIB] = 1;
	ASSERT_OK(pair_sync_compare(&self->pair));
	memory_fill(self->area, self->size, 5);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* A guard page has no content, and cannot even be read. The replica has zeros there. */
TEST_F(memory, guarded)
{
	unsigned char *start = self->area + 3 * MIB, *replica;
	size_t i;

	memory_fill(self->area, self->size, 4);
	ASSERT_OK(pair_sync_compare(&self->pair));
	if (madvise(page(start, 3), 5 * PAGE, MADV_GUARD_INSTALL))
		SKIP(return, "this kernel has no guard pages");
	memory_fill(start, 3 * PAGE, 5);
	ASSERT_OK(pair_sync(&self->pair));
	replica = self->pair.replica + (page(start, 3) - self->area);
	for (i = 0; i < 5 * PAGE; i++)
		ASSERT_EQ(0, replica[i]);

	ASSERT_EQ(0, madvise(page(start, 3), 5 * PAGE, MADV_GUARD_REMOVE));
	ASSERT_OK(pair_sync_compare(&self->pair));
	memory_fill(self->area, self->size, 6);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* Freed lazily: the content stays until reclaim takes it, which is a change then. */
TEST_F(memory, free)
{
	memory_fill(self->area, self->size, 6);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, madvise(self->area + MIB, 4 * MIB, MADV_FREE));
	ASSERT_OK(pair_sync_compare(&self->pair));
	self->area[2 * MIB + 5] = 9;
	ASSERT_OK(pair_sync_compare(&self->pair));
	/* Clean lazily freed pages are dropped by this without any swap. */
	ASSERT_EQ(0, madvise(self->area, self->size, MADV_PAGEOUT));
	ASSERT_OK(pair_sync_compare(&self->pair));
	memory_fill(self->area, self->size, 7);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* Reclaim takes it at any time, however recently it was written. */
TEST_F(memory, droppable)
{
	unsigned char *start = self->area + 2 * MIB;
	unsigned int round, dropped = 0;

	if (mmap(start, 4 * MIB, PROT_READ | PROT_WRITE, MAP_DROPPABLE | MAP_ANONYMOUS | MAP_FIXED,
		 -1, 0) == MAP_FAILED)
		SKIP(return, "this kernel has no memory that may be dropped");
	for (round = 0; round < 3; round++) {
		memory_fill(start, 4 * MIB, 20 + round);
		if (round != 1)		/* else it is dropped before anybody has looked */
			ASSERT_OK(pair_sync_compare(&self->pair));
		start[3 * PAGE + round]++;
		ASSERT_EQ(0, madvise(start, 4 * MIB, MADV_PAGEOUT));
		ASSERT_OK(pair_sync_compare(&self->pair));
		dropped += !start[3 * PAGE + round];
	}
	EXPECT_LT(0, dropped);
}

/* A hole reads as zeros, and what is mapped there later is followed again. */
TEST_F(memory, unmapped_and_mapped_again)
{
	unsigned char *hole = self->area + 3 * MIB + 7 * PAGE;
	size_t length = 2 * MIB + 3 * PAGE;

	memory_fill(self->area, self->size, 8);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, munmap(hole, length));
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, self->pair.replica[hole - self->area]);
	ASSERT_EQ(hole, mmap(hole, length, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
	ASSERT_OK(pair_sync_compare(&self->pair));
	memory_fill(hole, length, 9);
	ASSERT_OK(pair_sync_compare(&self->pair));
	hole[PAGE + 1]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* Unmapped, mapped again and filled before anybody looks. */
TEST_F(memory, mapped_over)
{
	unsigned char *start = self->area + MIB;

	memory_fill(self->area, self->size, 8);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(start, mmap(start, 3 * MIB, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	memory_fill(start + PAGE, MIB, 10);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

TEST_F(memory, moved_out)
{
	size_t length = 2 * MIB;
	unsigned char *to;

	memory_fill(self->area, self->size, 11);
	ASSERT_OK(pair_sync_compare(&self->pair));
	to = memory_new(length);
	ASSERT_NE(NULL, to);
	ASSERT_EQ(to, mremap(self->area + MIB, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	ASSERT_OK(pair_sync_compare(&self->pair));
	/* What left the region is not followed, and leaves no trace. */
	memory_fill(to, length, 12);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* Content arrives in the region with no fault. */
static const char *move_in(struct pair *p, unsigned char *from, unsigned char *to)
{
	const char *failed;

	memory_fill(from, HUGE, 14);
	if (mremap(from, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		return "mremap";
	failed = pair_sync_compare(p);
	if (failed)
		return failed;
	to[PAGE] += 1;
	return pair_sync_compare(p);
}

TEST_F(memory, moved_in)
{
	unsigned char *from = variant->huge ? memory_new_huge(HUGE) : memory_new(HUGE);

	ASSERT_NE(NULL, from);
	memory_fill(self->area, self->size, 13);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_OK(move_in(&self->pair, from, self->area + 4 * MIB));
}

/* Where the replica has zeros already, since nothing was mapped. */
TEST_F(memory, moved_into_a_hole)
{
	unsigned char *from = variant->huge ? memory_new_huge(HUGE) : memory_new(HUGE);
	unsigned char *hole = self->area + 4 * MIB;

	ASSERT_NE(NULL, from);
	memory_fill(self->area, self->size, 13);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, munmap(hole, HUGE));
	/* Not compared: the buffer for that would be mapped right here. */
	ASSERT_OK(pair_sync(&self->pair));
	ASSERT_EQ(0, self->pair.replica[hole - self->area]);
	ASSERT_OK(move_in(&self->pair, from, hole));
}

TEST_F(memory, moved_within)
{
	unsigned char *from = self->area + MIB, *to = self->area + 5 * MIB;
	size_t length = MIB;

	memory_fill(self->area, self->size, 15);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(to, mremap(from, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	ASSERT_OK(pair_sync_compare(&self->pair));
	memory_fill(to, length, 16);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* The moved memory is written while it is not in the region, then comes back. */
TEST_F(memory, moved_out_and_back)
{
	unsigned char *home = self->area + MIB, *away;
	size_t length = MIB;

	memory_fill(self->area, self->size, 17);
	away = memory_new(length);
	ASSERT_NE(NULL, away);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(away, mremap(home, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, away));
	memory_fill(away, length, 18);
	ASSERT_EQ(home, mremap(away, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, home));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* The old pages stay mapped, and empty, where they were. */
TEST_F(memory, moved_out_dontunmap)
{
	unsigned char *from = self->area + MIB;
	size_t length = MIB;
	void *to;

	memory_fill(self->area, self->size, 19);
	ASSERT_OK(pair_sync_compare(&self->pair));
	to = mremap(from, length, length, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	ASSERT_NE(MAP_FAILED, to);
	ASSERT_OK(pair_sync_compare(&self->pair));
	memory_fill(from + PAGE, 10 * PAGE, 20);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

TEST_F(memory, shrunk_and_grown)
{
	unsigned char *last = self->area + 7 * MIB;

	memory_fill(self->area, self->size, 21);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(last - MIB, mremap(last - MIB, 2 * MIB, MIB, 0));
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(last - MIB, mremap(last - MIB, MIB, 2 * MIB, 0));
	ASSERT_OK(pair_sync_compare(&self->pair));
	memory_fill(last, MIB, 22);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* Larger than it was where it came from, or goes to. */
TEST_F(memory, grown_by_a_move)
{
	unsigned char *from = memory_new(MIB), *to = self->area + 3 * MIB, *away;
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;

	ASSERT_NE(NULL, from);
	memory_fill(from, MIB, 30);
	memory_fill(self->area, self->size, 31);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(to, mremap(from, MIB, 2 * MIB, flags, to));
	ASSERT_OK(pair_sync_compare(&self->pair));
	to[MIB + 5 * PAGE]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
	away = memory_new(4 * MIB);
	ASSERT_EQ(away, mremap(to, 2 * MIB, 4 * MIB, flags, away));
	memory_fill(away, 4 * MIB, 32);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, self->pair.replica[to - self->area]);
	ASSERT_EQ(to, mremap(away + MIB, 2 * MIB, 2 * MIB, flags, to));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

TEST_F(memory, protected_both_ways)
{
	unsigned int round;

	memory_fill(self->area, self->size, 23);
	ASSERT_OK(pair_sync_compare(&self->pair));
	for (round = 0; round < 4; round++) {
		/* Written just before: the page table shows a read-only page. */
		memory_fill(self->area + MIB, 2 * MIB, 24 + round);
		ASSERT_EQ(0, mprotect(self->area, 4 * MIB, round % 2 ? PROT_NONE : PROT_READ));
		ASSERT_OK(pair_sync_compare(&self->pair));
		ASSERT_EQ(0, mprotect(self->area, 4 * MIB, PROT_READ | PROT_WRITE));
		ASSERT_OK(pair_sync_compare(&self->pair));
		memory_fill(self->area + 2 * MIB, PAGE, 40 + round);
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

/* There and back between two looks: the write in between has left no trace in the table. */
TEST_F(memory, protected_around_a_write)
{
	unsigned int round;

	memory_fill(self->area, self->size, 25);
	ASSERT_OK(pair_sync_compare(&self->pair));
	for (round = 0; round < 10; round++) {
		self->area[2 * MIB + round * PAGE]++;
		ASSERT_EQ(0, mprotect(self->area, self->size, PROT_READ));
		ASSERT_EQ(0, mprotect(self->area, self->size, PROT_READ | PROT_WRITE));
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

/* Is refused as long as somebody holds a page, as a pass does for a moment. */
static int collapse(void *start, size_t length)
{
	unsigned int spins;
	size_t at;
	int err = -1;

	for (spins = 0; spins < 5000 && err; spins++) {
		/* A huge page needs one that is writable, and a pass may just have been. */
		for (at = 0; at < length; at += 2 * MIB)
			((volatile unsigned char *)start)[at + 123]++;
		err = madvise(start, length, MADV_COLLAPSE);
		if (err && errno != EAGAIN && errno != EINVAL)
			break;
		usleep(1000);
	}
	return err;
}

TEST_F(memory, collapsed)
{
	unsigned int round;

	memory_fill(self->area, self->size, 26);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, madvise(self->area, self->size, MADV_NOHUGEPAGE));
	ASSERT_EQ(0, madvise(self->area + 2 * MIB, 4 * MIB, MADV_HUGEPAGE));
	for (round = 0; round < 4; round++) {
		/* 6.1 does not collapse where every page is read-only. */
		self->area[2 * MIB + 123 + round]++;
		self->area[4 * MIB + 567 + round]++;
		ASSERT_EQ(0, collapse(self->area + 2 * MIB, 4 * MIB));
		ASSERT_EQ(4 * MIB / KIB, smaps_kib(getpid(), self->area + 2 * MIB,
						   self->area + 6 * MIB, "AnonHugePages"));
		ASSERT_OK(pair_sync_compare(&self->pair));
		self->area[2 * MIB + 5 * PAGE]++;
		self->area[4 * MIB + 7 * PAGE + round]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

/* Somebody else write-protects the same pages, at the same time. */
TEST_F(memory, soft_dirty_cleared)
{
	unsigned int round;

	memory_fill(self->area, self->size, 27);
	ASSERT_OK(pair_sync_compare(&self->pair));
	if (file_put("/proc/self/clear_refs", "4"))
		SKIP(return, "this kernel has no soft-dirty bit");
	for (round = 0; round < 8; round++) {
		memory_fill(self->area + round * MIB, 8 * PAGE, 28 + round);
		ASSERT_EQ(0, file_put("/proc/self/clear_refs", "4"));
		self->area[round * MIB]++;
		if (round % 2)
			ASSERT_EQ(0, file_put("/proc/self/clear_refs", "1"));
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

static unsigned long ksm_number(const char *name)
{
	unsigned long value = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/kernel/mm/ksm/%s", name);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (fscanf(f, "%lu", &value) != 1)
		value = 0;
	fclose(f);
	return value;
}

/* Equal pages are merged; a write unmerges. */
TEST_F(memory, merged)
{
	unsigned int i, round, spins;
	unsigned long scans;

	if (access("/sys/kernel/mm/ksm/run", W_OK))
		SKIP(return, "this kernel has no KSM");
	for (i = 0; i < self->size / PAGE; i++)
		memory_fill(page(self->area, i), PAGE, i % 3);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, madvise(self->area, self->size, MADV_MERGEABLE));
	ASSERT_EQ(0, file_put("/sys/kernel/mm/ksm/sleep_millisecs", "1"));
	ASSERT_EQ(0, file_put("/sys/kernel/mm/ksm/pages_to_scan", "4000"));
	ASSERT_EQ(0, file_put("/sys/kernel/mm/ksm/run", "1"));
	for (round = 0; round < 4; round++) {
		/* Written, then merged before the harvest looks. */
		memory_fill(page(self->area, 600 + round), PAGE, 2);
		scans = ksm_number("full_scans");
		for (spins = 0; spins < 3000 && ksm_number("full_scans") < scans + 3; spins++)
			usleep(10000);
		ASSERT_OK(pair_sync_compare(&self->pair));
		ASSERT_LT(0, ksm_number("pages_sharing"));
		memory_fill(page(self->area, 700 + round), PAGE, 50 + round);
		self->area[800 * PAGE + round]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	ASSERT_EQ(0, madvise(self->area, self->size, MADV_UNMERGEABLE));
	ASSERT_EQ(0, file_put("/sys/kernel/mm/ksm/run", "2"));
	ASSERT_OK(pair_sync_compare(&self->pair));
	memory_fill(self->area, self->size, 60);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

TEST_F(memory, locked)
{
	memory_fill(self->area, MIB, 61);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, mlock(self->area, self->size));
	ASSERT_OK(pair_sync_compare(&self->pair));
	memory_fill(self->area + MIB, 5 * MIB, 62);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, munlock(self->area, self->size));
	self->area[77]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* What is mapped from then on has its pages at once, writable and with no fault. */
TEST_F(memory, locked_all)
{
	unsigned char *start = self->area + 2 * MIB;
	unsigned int round, flags = MCL_CURRENT | MCL_FUTURE;

	for (round = 0; round < 2; round++, flags |= MCL_ONFAULT) {
		memory_fill(self->area, MIB, 70 + round);
		ASSERT_EQ(0, mlockall(flags));
		ASSERT_OK(pair_sync_compare(&self->pair));
		ASSERT_EQ(start, mmap(start, 3 * MIB, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		memory_fill(start + PAGE, 2 * MIB, 72 + round);
		ASSERT_OK(pair_sync_compare(&self->pair));
		memory_fill(start, MIB, 74 + round);
		ASSERT_OK(pair_sync_compare(&self->pair));
		ASSERT_EQ(0, munlockall());
		start[round]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

/* Mappings are cut in pieces for it and put together again, and nothing else changes. */
TEST_F(memory, not_dumped)
{
	memory_fill(self->area, self->size, 76);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, madvise(page(self->area, 300), 500 * PAGE, MADV_DONTDUMP));
	memory_fill(page(self->area, 290), 20 * PAGE, 77);
	ASSERT_OK(pair_sync_compare(&self->pair));
	page(self->area, 799)[0]++;
	ASSERT_EQ(0, madvise(self->area, self->size, MADV_DODUMP));
	page(self->area, 800)[0]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* A child does not get some of it, and of some nothing but zeros: ours stays as it is. */
TEST_F(memory, not_for_children)
{
	unsigned char *wiped = self->area + 4 * MIB;
	int status, go[2];
	pid_t child;
	char byte;

	memory_fill(self->area, self->size, 78);
	ASSERT_EQ(0, madvise(self->area + 2 * MIB, 2 * MIB, MADV_DONTFORK));
	ASSERT_EQ(0, madvise(wiped, 2 * MIB, MADV_WIPEONFORK));
	ASSERT_OK(pair_sync_compare(&self->pair));
	memory_fill(self->area + MIB, 4 * MIB, 79);
	ASSERT_EQ(0, pipe(go));
	child = fork();
	if (!child) {
		close(go[1]);
		if (wiped[5])
			_exit(1);
		memory_fill(wiped, 2 * MIB, 80);
		memory_fill(self->area, MIB, 80);
		_exit(read(go[0], &byte, 1));
	}
	close(go[0]);
	ASSERT_OK(pair_sync_compare(&self->pair));
	memory_fill(self->area + MIB, 4 * MIB, 81);
	self->area[5]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
	close(go[1]);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_EQ(0, madvise(self->area + 2 * MIB, 2 * MIB, MADV_DOFORK));
	ASSERT_EQ(0, madvise(wiped, 2 * MIB, MADV_KEEPONFORK));
	memory_fill(self->area, self->size, 82);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* No longer young, which whoever reclaims goes by; then reclaimed, where there is swap. */
TEST_F(memory, cold)
{
	unsigned int round;

	memory_fill(self->area, self->size, 83);
	for (round = 0; round < 4; round++) {
		self->area[round * MIB + 9]++;
		ASSERT_EQ(0, madvise(self->area, self->size, MADV_COLD));
		self->area[(round + 2) * MIB + 9]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
		ASSERT_EQ(0, madvise(page(self->area, round * 200 + 3), 100 * PAGE,
				     round % 2 ? MADV_PAGEOUT : MADV_COLD));
		self->area[round * 200 * PAGE + 5 * PAGE]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

/* Prefaulted writable, with no fault that a hook could see. */
TEST_F(memory, populated)
{
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, madvise(self->area, self->size, MADV_POPULATE_WRITE));
	memory_fill(self->area, self->size, 63);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, madvise(self->area, self->size, MADV_POPULATE_WRITE));
	memory_fill(self->area, 4 * MIB, 64);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, madvise(self->area, self->size, MADV_DONTNEED));
	ASSERT_EQ(0, madvise(self->area, self->size, MADV_POPULATE_READ));
	ASSERT_OK(pair_sync_compare(&self->pair));
	memory_fill(self->area + MIB, 4 * MIB, 65);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* The region ends, and says why, when memory that cannot be tracked takes its place. */
TEST_F(memory, replaced_by_a_shared_file)
{
	char reason[MEMSYNC_REASON_MAX + 1];
	unsigned char *start = self->area + 2 * MIB;
	int fd;

	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	ASSERT_EQ(0, mount("none", "/mnt", "ramfs", 0, NULL));
	fd = open("/mnt/t", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, MIB));
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(start, mmap(start, MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0));
	memset(start, 1, MIB);
	/* No barrier is reached with a replica that is not equal. */
	EXPECT_NE(NULL, pair_sync(&self->pair));
	ASSERT_OK(pair_wait_state(&self->pair, self->pair.source, MEMSYNC_REGION_GONE, reason,
				  sizeof(reason)));
	EXPECT_NE(NULL, strstr(reason, "shared"));
}

/* Pages then appear with no fault; so it is equal, or nobody is told that it is. */
TEST_F(memory, filled_through_userfaultfd)
{
	unsigned char *start = self->area + 6 * MIB, content[PAGE];
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)start, .len = MIB },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_copy copy = {
		.dst = (uintptr_t)start + 5 * PAGE,
		.src = (uintptr_t)content,
		.len = PAGE,
	};
	struct uffdio_api api = { .api = UFFD_API };
	char reason[MEMSYNC_REASON_MAX + 1];
	int fd;

	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, madvise(start, MIB, MADV_DONTNEED));
	ASSERT_OK(pair_sync_compare(&self->pair));
	/* The comparison read them, which put the zero page there. */
	ASSERT_EQ(0, madvise(start, MIB, MADV_DONTNEED));
	memory_fill(content, PAGE, 66);
	fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ioctl(fd, UFFDIO_API, &api));
	ASSERT_EQ(0, ioctl(fd, UFFDIO_REGISTER, &reg));
	ASSERT_EQ(0, ioctl(fd, UFFDIO_COPY, &copy));
	if (pair_sync(&self->pair)) {
		ASSERT_OK(pair_wait_state(&self->pair, self->pair.source, MEMSYNC_REGION_GONE,
					  reason, sizeof(reason)));
		EXPECT_NE(NULL, strstr(reason, "userfaultfd"));
		return;
	}
	close(fd);
	ASSERT_OK(pair_compare(&self->pair));
}

TEST_HARNESS_MAIN
