// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that are left writable: those that every pass finds written, and the neighbours
 * of what is being written. No fault tells of a write to them, so whatever else may tell
 * is made to do so, and whatever may take its evidence away is tried.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk.h"
#include "ring.h"
#include "swap.h"
#include "test.h"

#define SIZE	(8 * MIB)
#define PAGES	(SIZE / PAGE)
#define HOT	64
#define STRIDE	13		/* pages between two hot ones: no neighbours */

/* So that passes are made for barriers only, in microseconds, and the usual one. */
#define NEVER	10000000
#define OFTEN	10000

FIXTURE(open) {
	struct memsync *ms;
	struct pair pair;
	unsigned char *area;
};

FIXTURE_SETUP(open)
{
	self->area = memory_new(SIZE);
	ASSERT_NE(NULL, self->area);
	memory_fill_all(self->area, SIZE, 1);
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, SIZE));
	ASSERT_EQ(0, memsync_set_interval(self->ms, self->pair.source, NEVER));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

FIXTURE_TEARDOWN(open)
{
	pair_stop(&self->pair);
	memsync_close(self->ms);
}

static unsigned char *hot_page(unsigned char *area, unsigned int i)
{
	return area + i * STRIDE * PAGE;
}

static void write_hot(unsigned char *area, unsigned int round)
{
	unsigned int i;

	for (i = 0; i < HOT; i++)
		hot_page(area, i)[round * 64 % PAGE + i] ^= 0x5a;
}

static uint64_t faults(struct pair *p)
{
	return pair_stats(p).write_faults;
}

/*
 * No page is left writable until nobody can be in the middle of taking a reference to one
 * any more; that takes a moment. Returns NULL, or what failed, with how many faults it
 * took in the last round.
 */
static const char *heat(struct pair *p, unsigned char *area, uint64_t *last)
{
	const char *why = NULL;
	unsigned int round;
	uint64_t before;

	for (round = 0; round < 300 && !why; round++) {
		before = faults(p);
		write_hot(area, round);
		*last = faults(p) - before;
		why = pair_sync(p);
		if (round >= 6 && *last <= HOT / 8)
			break;
		usleep(10000);
	}
	return why;
}

/* One whose page somebody holds for a moment, as the LRU lists' batches do, is protected. */
#define ASSERT_HOT(area) do {						\
	uint64_t __last;						\
	ASSERT_OK(heat(&self->pair, area, &__last));			\
	ASSERT_GE(HOT / 8, __last);					\
} while (0)

/* Where not every page can be left writable any more, as a large folio's cannot. */
#define ASSERT_WARM(area) do {						\
	uint64_t __last;						\
	ASSERT_OK(heat(&self->pair, area, &__last));			\
} while (0)

#define ASSERT_SAME() do {						\
	ASSERT_OK(pair_sync_compare(&self->pair));			\
	ASSERT_OK(pair_sync_compare(&self->pair));			\
} while (0)

/* ---- what is shipped, and what it takes ---- */

TEST_F(open, hot_pages)
{
	struct memsync_stats before, after;
	unsigned int round;

	ASSERT_HOT(self->area);
	for (round = 0; round < 5; round++) {
		before = pair_stats(&self->pair);
		write_hot(self->area, 10 + round);
		ASSERT_OK(pair_sync(&self->pair));
		after = pair_stats(&self->pair);
		EXPECT_EQ(HOT, after.shipped_pages - before.shipped_pages);
		EXPECT_GE(HOT / 8, after.write_faults - before.write_faults);
		ASSERT_OK(pair_compare_direct(&self->pair, 0, SIZE));
	}
	ASSERT_SAME();
}

/* Once they rest nothing is left to be looked at, and a write is told of by a fault. */
TEST_F(open, come_to_rest)
{
	struct iovec to = { self->area, SIZE / 2 }, from = { self->area + SIZE / 2, SIZE / 2 };
	struct memsync_stats before, after;

	/* Leaves the pages marked dirty, and not only their entries. */
	ASSERT_EQ(SIZE / 2, (size_t)process_vm_writev(getpid(), &from, 1, &to, 1, 0));
	ASSERT_HOT(self->area);
	ASSERT_SAME();
	/* One pass lets them be, one closes them, and one looks whether that was in time. */
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, memsync_set_interval(self->ms, self->pair.source, OFTEN));
	before = pair_stats(&self->pair);
	sleep(1);
	after = pair_stats(&self->pair);
	EXPECT_EQ(before.passes, after.passes);
	EXPECT_EQ(before.shipped_pages, after.shipped_pages);
	write_hot(self->area, 1);
	ASSERT_OK(pair_sync_compare(&self->pair));
	/* A pass may come between a fault and the write that it is for. */
	EXPECT_LE(HOT, pair_stats(&self->pair).write_faults - after.write_faults);
}

/* What is shown as dirty is what was written, whether a fault told of it or not. */
TEST_F(open, counted)
{
	struct memsync_region *region;

	ASSERT_HOT(self->area);
	region = pair_region(&self->pair, self->pair.source);
	ASSERT_NE(NULL, region);
	EXPECT_EQ(0, region->dirty);
	free(region);
	write_hot(self->area, 3);
	hot_page(self->area, 1)[PAGE]++;
	region = pair_region(&self->pair, self->pair.source);
	ASSERT_NE(NULL, region);
	EXPECT_EQ(HOT + 1, region->dirty);
	free(region);
	ASSERT_SAME();
}

/*
 * Sequential writes and those with gaps, up and down: as many pages are shipped as were
 * written, whatever was made writable for them.
 */
TEST_F(open, neighbours)
{
	static const int strides[] = { 1, -1, 2, -2, 3, 5 };
	struct memsync_stats before, after;
	unsigned int i, k, nr = PAGES / 8;

	ASSERT_HOT(self->area);
	ASSERT_SAME();
	for (k = 0; k < ARRAY_SIZE(strides); k++) {
		unsigned int page = strides[k] > 0 ? 0 : PAGES - 1;

		before = pair_stats(&self->pair);
		for (i = 0; i < nr; i++, page += strides[k])
			self->area[page * PAGE + k * 64 + 1]++;
		after = pair_stats(&self->pair);
		TH_LOG("%u pages, each %d: %lu faults", nr, strides[k],
		       after.write_faults - before.write_faults);
		EXPECT_GE(abs(strides[k]) == 1 ? nr / 6 : nr,
			  after.write_faults - before.write_faults);
		ASSERT_OK(pair_sync_compare(&self->pair));
		ASSERT_OK(pair_sync(&self->pair));
		after = pair_stats(&self->pair);
		EXPECT_EQ(nr, after.shipped_pages - before.shipped_pages);
	}
}

/* Of memory that is only partly in the region, and at the ends of mappings. */
TEST_F(open, neighbours_at_edges)
{
	unsigned char *area = memory_new(SIZE);
	struct memsync_range ranges[] = {
		{ .start = (uintptr_t)area + 3 * PAGE, .end = (uintptr_t)area + MIB + 5 * PAGE },
		{ .start = (uintptr_t)area + MIB + 9 * PAGE, .end = (uintptr_t)area + 3 * MIB },
	};
	struct pair pair;
	uint64_t before;
	unsigned int round, i;

	/* With two regions of a process no page is left writable. */
	pair_stop(&self->pair);
	memory_fill_all(area, SIZE, 2);
	ASSERT_OK(pair_start_ranges(&pair, self->ms, "edges", getpid(), ranges, 2));
	ASSERT_EQ(0, memsync_set_interval(self->ms, pair.source, NEVER));
	ASSERT_EQ(0, mprotect(area + 2 * MIB + 7 * PAGE, PAGE, PROT_NONE));
	ASSERT_EQ(0, mprotect(area + 2 * MIB + 20 * PAGE, 2 * PAGE, PROT_READ));
	for (round = 0; round < 100; round++) {
		ASSERT_OK(pair_sync_compare(&pair));
		before = faults(&pair);
		for (i = 0; i < 4 * MIB / PAGE; i++) {
			unsigned int page = round % 2 ? 4 * MIB / PAGE - 1 - i : i;

			if (page == 512 + 7 || page == 512 + 20 || page == 512 + 21)
				continue;
			area[page * PAGE + round]++;
		}
		if (round >= 4 && faults(&pair) - before < 200)
			break;
	}
	ASSERT_GT(100, round);
	ASSERT_OK(pair_sync_compare(&pair));
	pair_stop(&pair);
}

/* Two regions of the same memory: what one leaves open, the other would not hear of. */
TEST_F(open, two_regions)
{
	struct memsync_range range = { (uintptr_t)self->area, (uintptr_t)self->area + SIZE, 0 };
	struct pair other;
	unsigned int round;

	ASSERT_HOT(self->area);
	ASSERT_OK(pair_start_ranges(&other, self->ms, "other", getpid(), &range, 1));
	for (round = 0; round < 6; round++) {
		write_hot(self->area, round);
		memset(self->area + MIB + round * PAGE, round + 1, 20 * PAGE);
		ASSERT_OK(pair_sync_compare(&other));
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	pair_stop(&other);
	ASSERT_HOT(self->area);
	write_hot(self->area, 40);
	ASSERT_SAME();
}

/* ---- written by other means than the process's own instructions ---- */

TEST_F(open, by_system_calls)
{
	unsigned char data[PAGE];
	struct iovec to, from = { data, sizeof(data) };
	int fds[2], mem = open("/proc/self/mem", O_RDWR);
	unsigned int i;

	ASSERT_EQ(0, pipe(fds));
	for (i = 0; i < 3; i++) {
		ASSERT_HOT(self->area);
		memory_fill_all(data, sizeof(data), 50 + i);
		switch (i) {
		case 0:
			ASSERT_EQ(PAGE, write(fds[1], data, PAGE));
			ASSERT_EQ(PAGE, read(fds[0], hot_page(self->area, 5), PAGE));
			break;
		case 1:
			to = (struct iovec){ hot_page(self->area, 6), PAGE };
			ASSERT_EQ(PAGE, process_vm_writev(getpid(), &from, 1, &to, 1, 0));
			break;
		case 2:
			ASSERT_EQ(PAGE, pwrite(mem, data, PAGE,
					       (uintptr_t)hot_page(self->area, 7)));
			break;
		}
		ASSERT_EQ(0, memcmp(hot_page(self->area, 5 + i), data, PAGE));
		ASSERT_SAME();
	}
}

TEST_F(open, by_direct_io)
{
	unsigned int round;
	int fd = disk_file();

	ASSERT_LE(0, fd);
	for (round = 0; round < 4; round++) {
		ASSERT_HOT(self->area);
		ASSERT_EQ(PAGE, pread(fd, hot_page(self->area, 9), PAGE, round * PAGE));
		ASSERT_SAME();
	}
}

/* The references come and go between two passes, and the folio is never marked dirty. */
TEST_F(open, by_fixed_buffers)
{
	struct iovec buffer = { hot_page(self->area, 11), PAGE };
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_READ_FIXED,
		.addr = (uintptr_t)buffer.iov_base,
		.len = PAGE,
	};
	int err, fd = disk_file();
	unsigned int round;
	struct ring ring;

	ASSERT_LE(0, fd);
	err = ring_open(&ring);
	if (err)
		SKIP(return, "io_uring: %s", strerror(-err));
	sqe.fd = fd;
	for (round = 0; round < 4; round++) {
		ASSERT_HOT(self->area);
		ASSERT_EQ(0, syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_BUFFERS,
				     &buffer, 1));
		sqe.off = round * PAGE;
		ASSERT_EQ(PAGE, (size_t)ring_do(&ring, &sqe));
		ASSERT_EQ(0, syscall(SYS_io_uring_register, ring.fd, IORING_UNREGISTER_BUFFERS,
				     NULL, 0));
		ASSERT_SAME();
	}
}

/* ---- the evidence is taken away ---- */

static void fork_and_wait(unsigned char *area)
{
	pid_t pid = fork();

	if (!pid)
		_exit(area[0] == 0 && area[1] == 0);
	waitpid(pid, NULL, 0);
}

static void clear_refs(unsigned char *area)
{
	file_put("/proc/self/clear_refs", "4");
}

static void protect(unsigned char *area)
{
	mprotect(area, SIZE, PROT_READ);
}

static void protect_and_back(unsigned char *area)
{
	mprotect(area, SIZE, PROT_READ);
	mprotect(area, SIZE, PROT_READ | PROT_WRITE);
}

static void page_out(unsigned char *area)
{
	madvise(area, SIZE, MADV_PAGEOUT);
}

static void page_out_and_in(unsigned char *area)
{
	unsigned int i;

	madvise(area, SIZE, MADV_PAGEOUT);
	for (i = 0; i < PAGES; i++)
		((volatile unsigned char *)area)[i * PAGE];
}

static void drop(unsigned char *area)
{
	madvise(hot_page(area, 0), PAGE, MADV_DONTNEED);
	madvise(hot_page(area, 3), 20 * PAGE, MADV_DONTNEED);
}

static void move(unsigned char *area)
{
	unsigned char *away = memory_new(2 * MIB);

	mremap(area + MIB, MIB, MIB, MREMAP_MAYMOVE | MREMAP_FIXED, away);
	memset(away + 100 * PAGE, 5, 40 * PAGE);
	mremap(away, MIB, MIB, MREMAP_MAYMOVE | MREMAP_FIXED, area + MIB);
}

static void migrate(unsigned char *area)
{
	file_put("/proc/sys/vm/compact_memory", "1");
}

static void collapse(unsigned char *area)
{
	madvise(area, SIZE, MADV_HUGEPAGE);
	madvise(area, SIZE, 25 /* MADV_COLLAPSE */);
}

static void merge(unsigned char *area)
{
	madvise(area, SIZE, MADV_MERGEABLE);
	file_put("/sys/kernel/mm/ksm/run", "1");
	usleep(300000);
	file_put("/sys/kernel/mm/ksm/run", "2");
	madvise(area, SIZE, MADV_UNMERGEABLE);
}

FIXTURE(evidence) {
	struct memsync *ms;
	struct pair pair;
	unsigned char *area;
	char device[64];
};

FIXTURE_VARIANT(evidence) {
	void (*take)(unsigned char *area);
	bool swaps;
	bool readonly;
};

FIXTURE_VARIANT_ADD(evidence, fork) { .take = fork_and_wait };
FIXTURE_VARIANT_ADD(evidence, clear_refs) { .take = clear_refs };
FIXTURE_VARIANT_ADD(evidence, protect) { .take = protect, .readonly = true };
FIXTURE_VARIANT_ADD(evidence, protect_and_back) { .take = protect_and_back };
FIXTURE_VARIANT_ADD(evidence, page_out) { .take = page_out, .swaps = true };
FIXTURE_VARIANT_ADD(evidence, page_out_and_in) { .take = page_out_and_in, .swaps = true };
FIXTURE_VARIANT_ADD(evidence, drop) { .take = drop };
FIXTURE_VARIANT_ADD(evidence, move) { .take = move };
FIXTURE_VARIANT_ADD(evidence, migrate) { .take = migrate };
FIXTURE_VARIANT_ADD(evidence, collapse) { .take = collapse };
FIXTURE_VARIANT_ADD(evidence, merge) { .take = merge };

FIXTURE_SETUP(evidence)
{
	if (variant->swaps)
		ASSERT_OK(swap_on(false, self->device, sizeof(self->device)));
	self->area = memory_new(SIZE);
	ASSERT_NE(NULL, self->area);
	memory_fill_all(self->area, SIZE, 1);
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, SIZE));
	ASSERT_EQ(0, memsync_set_interval(self->ms, self->pair.source, NEVER));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

FIXTURE_TEARDOWN(evidence)
{
	pair_stop(&self->pair);
	memsync_close(self->ms);
	if (variant->swaps)
		swap_off(self->device);
}

/*
 * Written with no fault, then the evidence goes; and it is the process's own content
 * still, which the kernel was told was clean.
 */
TEST_F(evidence, taken_away)
{
	unsigned char *copy = malloc(SIZE);
	unsigned int round;

	for (round = 0; round < 3; round++) {
		if (round)
			ASSERT_WARM(self->area);
		else
			ASSERT_HOT(self->area);
		write_hot(self->area, 20 + round);
		memset(self->area + 5 * MIB + round * PAGE, 7 + round, 30 * PAGE + 1);
		memcpy(copy, self->area, SIZE);
		variant->take(self->area);
		if (variant->take != drop && variant->take != move)
			ASSERT_EQ(0, memcmp(copy, self->area, SIZE));
		ASSERT_SAME();
		if (variant->readonly)
			ASSERT_EQ(0, mprotect(self->area, SIZE, PROT_READ | PROT_WRITE));
	}
	free(copy);
}

/* Given up by the process, written again with no fault, and then short of memory. */
TEST_F(open, lazily_freed)
{
	unsigned char *copy = malloc(SIZE);
	unsigned int round, i;
	char device[64];

	ASSERT_OK(swap_on(false, device, sizeof(device)));
	for (round = 0; round < 3; round++) {
		if (round)
			ASSERT_WARM(self->area);
		else
			ASSERT_HOT(self->area);
		ASSERT_EQ(0, madvise(self->area, SIZE / 2, MADV_FREE));
		write_hot(self->area, 30 + round);
		ASSERT_SAME();
		ASSERT_WARM(self->area);
		for (i = 0; i < HOT; i++)
			memset(hot_page(self->area, i), i + 1 + round, PAGE);
		ASSERT_SAME();
		memcpy(copy, self->area, SIZE);
		ASSERT_EQ(0, madvise(self->area, SIZE, MADV_PAGEOUT));
		for (i = 0; i < HOT; i++)
			ASSERT_EQ(0, memcmp(hot_page(copy, i), hot_page(self->area, i), PAGE));
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	swap_off(device);
	free(copy);
}

TEST_HARNESS_MAIN
