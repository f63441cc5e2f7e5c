// SPDX-License-Identifier: GPL-2.0
/*
 * Shared memory: whoever writes it, by whatever way, the replica learns of it.
 *
 *	our mapping (registered)   another of ours   a child's   write(), fallocate()
 *	          |                       |              |                |
 *	          +-----------------------+- the object -+----------------+
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/swap.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aio.h"
#include "delay.h"
#include "swap.h"
#include "test.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define SIZE	(8 * MIB)
#define DIR	"/mnt"
/* Where the other mapping begins in the object: its page tables hold other pages. */
#define SHIFT	(37 * PAGE)

FIXTURE(shared) {
	struct memsync *ms;
	struct pair pair;
	int fd;			/* the object, or -1 */
	unsigned char *area;	/* registered */
	unsigned char *other;	/* the object from SHIFT on, mapped elsewhere */
};

enum kind { ANONYMOUS, MEMFD, TMPFS };

FIXTURE_VARIANT(shared) {
	enum kind kind;
	bool huge;
};

FIXTURE_VARIANT_ADD(shared, anonymous) {
	.kind = ANONYMOUS,
};

FIXTURE_VARIANT_ADD(shared, memfd) {
	.kind = MEMFD,
};

FIXTURE_VARIANT_ADD(shared, tmpfs_huge) {
	.kind = TMPFS,
	.huge = true,
};

static atomic_bool stopping;	/* other threads */

static int open_object(enum kind kind, bool huge)
{
	int fd = -1;

	if (kind == MEMFD)
		fd = memfd_create("object", MFD_CLOEXEC);
	else if (kind == TMPFS && !mount("none", DIR, "tmpfs", 0, huge ? "huge=always" : ""))
		fd = open(DIR "/object", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return fd >= 0 && !ftruncate(fd, SIZE) ? fd : -1;
}

/* At a multiple of 2 MiB, for huge pages. */
static unsigned char *map_object(int fd)
{
	return mmap(memory_new(SIZE), SIZE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
}

FIXTURE_SETUP(shared)
{
	bool has_fd = variant->kind == MEMFD || variant->kind == TMPFS;

	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	self->fd = open_object(variant->kind, variant->huge);
	ASSERT_EQ(has_fd, self->fd >= 0);
	self->area = map_object(self->fd);
	ASSERT_NE(MAP_FAILED, self->area);
	/* A copy of a part of a mapping, without an end to the first one. */
	self->other = mremap(self->area + SHIFT, 0, SIZE - SHIFT, MREMAP_MAYMOVE);
	ASSERT_NE(MAP_FAILED, self->other);
	/* A part of it was written, a part read, and a part never touched. */
	memory_fill(self->area, SIZE / 2, 1);
	ASSERT_EQ(0, *(volatile unsigned char *)(self->area + 6 * MIB));
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, SIZE));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

FIXTURE_TEARDOWN(shared)
{
	park_end("protected");
	pair_stop(&self->pair);
	memsync_close(self->ms);
	munmap(self->other, SIZE - SHIFT);
	munmap(self->area, SIZE);
	close(self->fd);
	umount2(DIR, MNT_DETACH);
}

/* One who has what we have, and does nothing until it is killed. */
static pid_t fork_idle(void)
{
	pid_t child = fork();

	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	return child;
}

TEST_F(shared, written)
{
	unsigned int round, i;
	uint64_t seed = 3;

	for (round = 0; round < sized(10, 4); round++) {
		for (i = 0; i < 20; i++)
			self->area[random_next(&seed) % SIZE]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	memory_fill(self->area, SIZE, 4);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* By a mapping that is in no region. */
TEST_F(shared, written_elsewhere)
{
	unsigned int round, i;
	uint64_t seed = 5;

	for (round = 0; round < sized(10, 4); round++) {
		for (i = 0; i < 20; i++)
			self->other[random_next(&seed) % (SIZE - SHIFT)]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	memory_fill(self->other, SIZE - SHIFT, 6);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* What was read first is mapped writable, with its neighbours: no fault tells of a write. */
TEST_F(shared, written_where_it_was_read)
{
	unsigned int round, i;
	uint64_t seed = 7;

	for (round = 0; round < sized(6, 3); round++) {
		ASSERT_EQ(0, madvise(self->other, SIZE - SHIFT, MADV_DONTNEED));
		for (i = 0; i < 64; i++)
			(void)*(volatile unsigned char *)(self->other + i * 16 * PAGE);
		ASSERT_OK(pair_sync(&self->pair));
		for (i = 0; i < 20; i++)
			self->other[random_next(&seed) % (4 * MIB)]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

/*
 * By one who is gone when the harvest looks, for sure where that is told to wait, and who
 * may have read before.
 */
TEST_F(shared, written_in_passing)
{
	unsigned int round;
	int status;
	pid_t child;

	for (round = 0; round < sized(12, 6); round++) {
		if (round % 2)
			ASSERT_EQ(0, memsync_pause(self->ms, self->pair.source));
		child = fork();
		if (!child) {
			unsigned char *at = self->area + round * 21 * PAGE, sum = 0;

			if (round & 2)
				sum = at[0] + at[3 * PAGE];
			at[PAGE] += sum + 1;
			at[2 * PAGE]++;
			if (round % 3 == 1)
				munmap(self->area, SIZE);
			if (round % 3 == 2)
				mprotect(self->area, SIZE, PROT_READ);
			_exit(0);
		}
		ASSERT_EQ(child, waitpid(child, &status, 0));
		if (round % 2)
			ASSERT_EQ(0, memsync_resume(self->ms, self->pair.source));
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

/* A child goes on writing by what it has mapped writable. */
TEST_F(shared, written_by_child)
{
	int ask[2], answer[2];
	unsigned int round;
	pid_t child;
	char byte;

	ASSERT_EQ(0, pipe(ask) | pipe(answer));
	child = fork();
	if (!child) {
		uint64_t seed = 11;

		close(ask[1]);
		while (read(ask[0], &byte, 1) == 1) {
			for (round = 0; round < 20; round++)
				self->area[random_next(&seed) % SIZE]++;
			if (write(answer[1], &byte, 1) != 1)
				break;
		}
		_exit(0);
	}
	for (round = 0; round < sized(12, 5); round++) {
		ASSERT_EQ(1, write(ask[1], "", 1));
		ASSERT_EQ(1, read(answer[0], &byte, 1));
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	close(ask[1]);
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* The kernel writes, into this mapping, another, and another process's. */
TEST_F(shared, written_by_the_kernel)
{
	unsigned char content[3 * PAGE];
	struct iovec from = { content, sizeof(content) }, to = from;
	unsigned int round;
	pid_t child = fork_idle();

	for (round = 0; round < sized(8, 3); round++) {
		memory_fill_all(content, sizeof(content), round);
		to.iov_base = self->area + round * 300 * KIB + 123;
		ASSERT_EQ((ssize_t)sizeof(content), process_vm_writev(child, &from, 1, &to, 1, 0));
		ASSERT_OK(pair_sync_compare(&self->pair));
		to.iov_base = self->other + 3 * MIB + round * 70 * KIB;
		ASSERT_EQ((ssize_t)sizeof(content),
			  process_vm_writev(getpid(), &from, 1, &to, 1, 0));
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	kill(child, SIGKILL);
	ASSERT_EQ(child, waitpid(child, NULL, 0));
}

TEST_F(shared, written_by_file)
{
	unsigned char content[3 * PAGE];
	aio_context_t context;
	unsigned int round;
	int ends[2], other;

	if (self->fd < 0)
		SKIP(return, "there is no file to write to");
	other = memfd_create("other", MFD_CLOEXEC);
	ASSERT_EQ(sizeof(content), write(other, self->area, sizeof(content)));
	ASSERT_EQ(0, ftruncate(other, 16 * PAGE));
	ASSERT_EQ(0, pipe(ends));
	for (round = 0; round < sized(12, 5); round++) {
		off_t at = round * 111 * KIB + 5;

		memory_fill_all(content, sizeof(content), round);
		ASSERT_EQ((ssize_t)sizeof(content),
			  pwrite(self->fd, content, sizeof(content), at));
		ASSERT_OK(pair_sync_compare(&self->pair));
		at += 5 * MIB / 2;
		ASSERT_EQ(PAGE, write(ends[1], content, PAGE));
		ASSERT_EQ(PAGE, splice(ends[0], NULL, self->fd, &at, PAGE, 0));
		ASSERT_OK(pair_sync_compare(&self->pair));
		at += 9 * PAGE;
		ASSERT_EQ(0, aio_begin(&context, IOCB_CMD_PWRITE, self->fd, content,
				       sizeof(content), at));
		ASSERT_EQ((long)sizeof(content), aio_end(context));
		ASSERT_OK(pair_sync_compare(&self->pair));
		ASSERT_EQ(at, lseek(self->fd, at, SEEK_SET));
		ASSERT_EQ(PAGE, sendfile(self->fd, other, &(off_t){ round * PAGE }, PAGE));
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	close(other);
	close(ends[0]);
	close(ends[1]);
}

/* Unmapped here it is there still; removed, it is gone. */
TEST_F(shared, dropped_and_removed)
{
	unsigned int round;

	for (round = 0; round < sized(4, 2); round++) {
		memory_fill(self->area, SIZE, 20 + round);
		ASSERT_EQ(0, madvise(self->area, SIZE, MADV_DONTNEED));
		ASSERT_OK(pair_sync_compare(&self->pair));
		ASSERT_EQ(0, madvise(self->area + 3 * MIB, (round + 1) * 9 * PAGE, MADV_REMOVE));
		ASSERT_OK(pair_sync_compare(&self->pair));
		ASSERT_EQ(0, madvise(self->other + MIB, 2 * MIB, MADV_REMOVE));
		self->area[2 * MIB]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

TEST_F(shared, cut_and_extended)
{
	struct memsync_verify result = { };
	size_t i;

	if (self->fd < 0)
		SKIP(return, "there is no file to cut");
	memory_fill(self->area, SIZE, 31);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, fallocate(self->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       5 * PAGE + 77, 9 * PAGE));
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, ftruncate(self->fd, 3 * MIB + 100));
	ASSERT_OK(pair_sync(&self->pair));
	ASSERT_OK(pair_compare_direct(&self->pair, 0, 3 * MIB + PAGE));
	for (i = 3 * MIB + 100; i < SIZE; i++)
		ASSERT_EQ(0, self->pair.replica[i]);
	ASSERT_EQ(0, ftruncate(self->fd, SIZE));
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, fallocate(self->fd, 0, 0, SIZE));
	/* Before anybody has read what was allocated. */
	ASSERT_OK(pair_verify(&self->pair, &result));
	EXPECT_EQ(0, result.different);
	ASSERT_OK(pair_sync_compare(&self->pair));
	self->other[4 * MIB]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
}

TEST_F(shared, protected_both_ways)
{
	unsigned int round;

	for (round = 0; round < sized(4, 2); round++) {
		memory_fill(self->area + 20 * PAGE, 9 * PAGE, round);
		ASSERT_EQ(0, mprotect(self->area, MIB, PROT_READ));
		self->other[round * PAGE]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
		ASSERT_EQ(0, mprotect(self->area, MIB, PROT_READ | PROT_WRITE));
		self->area[25 * PAGE + round]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

/* What another mapping may write again becomes writable with no fault. */
TEST_F(shared, protected_elsewhere)
{
	size_t size = SIZE - SHIFT;
	unsigned int round, i;

	for (round = 0; round < sized(4, 2); round++) {
		for (i = 0; i < 16; i++)
			(void)*(volatile unsigned char *)(self->other + i * PAGE);
		ASSERT_EQ(0, mprotect(self->other, size, PROT_READ));
		ASSERT_OK(pair_sync(&self->pair));
		ASSERT_OK(pair_sync(&self->pair));
		ASSERT_EQ(0, mprotect(self->other, size, PROT_READ | PROT_WRITE));
		ASSERT_OK(pair_sync(&self->pair));
		ASSERT_EQ(0, mprotect(self->other, size, PROT_READ));
		ASSERT_EQ(0, mprotect(self->other, size, PROT_READ | PROT_WRITE));
		self->other[(round * 3 + 1) * PAGE]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

/* Gone for a pass, and back with what was in it, or with what was written meanwhile. */
TEST_F(shared, unmapped_and_mapped_again)
{
	unsigned char *in = self->area + MIB, *spare;
	unsigned int round;

	for (round = 0; round < 3; round++) {
		spare = mremap(in, 0, MIB, MREMAP_MAYMOVE);
		ASSERT_NE(MAP_FAILED, spare);
		ASSERT_EQ(0, munmap(in, MIB));
		ASSERT_OK(pair_sync_compare(&self->pair));
		if (round)
			spare[round * PAGE]++;
		if (round == 2)
			ASSERT_OK(pair_sync_compare(&self->pair));
		ASSERT_EQ(in, mremap(spare, 0, MIB, MREMAP_MAYMOVE | MREMAP_FIXED, in));
		munmap(spare, MIB);
		ASSERT_OK(pair_sync_compare(&self->pair));
		spare = mremap(in, 0, MIB, MREMAP_MAYMOVE);
		spare[7 * PAGE]++;
		munmap(spare, MIB);
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

/* Nothing, then something, while passes run: whichever of them sees the hole. */
TEST_F(shared, mapped_to_and_fro)
{
	unsigned char *in = self->area + MIB, *spare = mremap(in, 0, MIB, MREMAP_MAYMOVE);
	unsigned int round;

	ASSERT_NE(MAP_FAILED, spare);
	for (round = 0; round < sized(60, 16); round++) {
		ASSERT_EQ(0, munmap(in, MIB));
		usleep(round * 700 % 15000);
		ASSERT_EQ(in, mremap(spare, 0, MIB, MREMAP_MAYMOVE | MREMAP_FIXED, in));
		if (round % 8 == 7)
			ASSERT_OK(pair_sync_compare(&self->pair));
	}
	munmap(spare, MIB);
}

/* By a reference that was taken with no fault, and through an entry that is gone since. */
TEST_F(shared, written_by_reference_in_passing)
{
	unsigned char content[100];
	struct iovec from = { content, sizeof(content) }, to = from;
	int ready[2], go[2];
	unsigned int round;
	pid_t child;
	char byte;

	for (round = 0; round < sized(4, 2); round++) {
		ASSERT_EQ(0, pipe(ready) | pipe(go));
		memory_fill_all(content, 96, round);
		to.iov_base = self->area + (5 * round + 2) * PAGE + 11;
		child = fork();
		if (!child) {
			(void)*(volatile unsigned char *)to.iov_base;
			if (write(ready[1], "", 1) == 1 && read(go[0], &byte, 1) == 1)
				munmap(self->area, SIZE);
			_exit(0);
		}
		ASSERT_EQ(1, read(ready[0], &byte, 1));
		ASSERT_EQ((ssize_t)sizeof(content), process_vm_writev(child, &from, 1, &to, 1, 0));
		ASSERT_EQ(1, write(go[1], "", 1));
		ASSERT_EQ(child, waitpid(child, NULL, 0));
		ASSERT_OK(pair_sync_compare(&self->pair));
		close(ready[0]);
		close(ready[1]);
		close(go[0]);
		close(go[1]);
	}
}

/* Other memory takes the place of a part, and the other way round. */
TEST_F(shared, mapped_over)
{
	unsigned char *in = self->area + MIB, *old;

	ASSERT_EQ(in, mmap(in, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			   -1, 0));
	ASSERT_OK(pair_sync_compare(&self->pair));
	memory_fill(in, 3 * PAGE, 41);
	ASSERT_OK(pair_sync_compare(&self->pair));
	/* Another part of the object, with what is in it. */
	old = mremap(self->area + 3 * MIB, 0, MIB, MREMAP_MAYMOVE | MREMAP_FIXED, in);
	ASSERT_EQ(in, old);
	ASSERT_OK(pair_sync_compare(&self->pair));
	self->other[3 * MIB - SHIFT + PAGE]++;		/* shows at two places */
	ASSERT_OK(pair_sync_compare(&self->pair));
	in[2 * PAGE]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, munmap(in, MIB));
	ASSERT_OK(pair_sync_compare(&self->pair));
	/* An object that nobody has seen, already written, and written elsewhere on. */
	ASSERT_EQ(in, mremap(map_object(-1), SIZE, MIB, MREMAP_MAYMOVE | MREMAP_FIXED,
			     in));
	old = mremap(in, 0, MIB, MREMAP_MAYMOVE);
	memory_fill(old, MIB, 42);
	ASSERT_OK(pair_sync_compare(&self->pair));
	old[7 * PAGE]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
	munmap(old, MIB);
}

/* One object, seen by two regions of two processes, and twice by one of them. */
TEST_F(shared, seen_by_several)
{
	struct memsync_range twice[] = {
		{ (uintptr_t)self->area, (uintptr_t)self->area + 4 * MIB, 0 },
		{ (uintptr_t)self->other, (uintptr_t)self->other + 4 * MIB, 0 },
	};
	struct pair child_s, both;
	unsigned int round;
	pid_t child = fork_idle();

	ASSERT_OK(pair_start_ranges(&both, self->ms, "both", getpid(), twice, 2));
	twice[0].end = twice[0].start + SIZE;
	ASSERT_OK(pair_start_ranges(&child_s, self->ms, "child", child, twice, 1));
	for (round = 0; round < sized(6, 2); round++) {
		self->area[round * 31 * PAGE]++;
		self->other[2 * MIB + round * 31 * PAGE]++;
		if (round % 2)
			ASSERT_OK(pair_sync_compare(&self->pair));
		ASSERT_OK(pair_sync_compare(&child_s));
		ASSERT_OK(pair_sync_compare(&both));
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	pair_stop(&child_s);
	pair_stop(&both);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	self->other[5 * PAGE]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/*
 * Two regions look at the same page at the same time: the first to protect it leaves nothing
 * for the second to find.
 */
TEST_F(shared, found_by_another)
{
	struct memsync_range range = {
		.start = (uintptr_t)self->area,
		.end = (uintptr_t)self->area + SIZE,
	};
	struct pair another;
	volatile unsigned char *page;
	unsigned int round;
	pid_t child;

	if (!delays_built())
		SKIP(return, "only a build for tests can be made to wait");
	child = fork_idle();
	ASSERT_OK(pair_start_ranges(&another, self->ms, "another", child, &range, 1));
	for (round = 0; round < 3; round++) {
		page = self->area + round * 35 * PAGE;
		ASSERT_EQ(0, madvise(self->area, SIZE, MADV_DONTNEED));
		ASSERT_OK(pair_sync(&self->pair));
		ASSERT_OK(pair_sync(&another));
		ASSERT_EQ(0, memsync_pause(self->ms, self->pair.source));
		ASSERT_EQ(0, memsync_pause(self->ms, another.source));
		page[10] = page[9] + round + 1;		/* read: that makes it writable */
		ASSERT_EQ(0, park_next("protected"));
		ASSERT_EQ(0, memsync_resume(self->ms, self->pair.source));
		ASSERT_OK(park_await("protected"));
		EXPECT_EQ(0, memsync_resume(self->ms, another.source));
		EXPECT_OK(pair_sync(&another));
		EXPECT_OK(park_end("protected"));
		EXPECT_OK(pair_sync_compare(&self->pair));
		EXPECT_OK(pair_sync_compare(&another));
	}
	pair_stop(&another);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* No more than what was written is shipped. */
TEST_F(shared, clean_stays_out)
{
	uint64_t before;

	if (variant->huge)
		SKIP(return, "a huge page is shipped whole");
	memory_fill_all(self->area, SIZE, 51);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_OK(pair_sync(&self->pair));
	before = pair_stats(&self->pair).shipped_pages;
	ASSERT_EQ(0, memsync_pause(self->ms, self->pair.source));
	self->area[5 * PAGE]++;
	self->area[3 * MIB]++;
	self->area[3 * MIB + 9]++;
	ASSERT_EQ(0, memsync_resume(self->ms, self->pair.source));
	ASSERT_OK(pair_sync(&self->pair));
	EXPECT_EQ(before + 2, pair_stats(&self->pair).shipped_pages);
	ASSERT_OK(pair_compare(&self->pair));
}

/* A comparison finds nothing, and leaves nothing to be shipped. */
TEST_F(shared, verified)
{
	struct memsync_verify result = { };
	uint64_t before;

	ASSERT_OK(pair_sync(&self->pair));
	before = pair_stats(&self->pair).shipped_pages;
	ASSERT_OK(pair_verify(&self->pair, &result));
	EXPECT_EQ(SIZE / PAGE, result.compared);
	EXPECT_EQ(0, result.different);
	EXPECT_EQ(0, result.changing);
	ASSERT_OK(pair_sync(&self->pair));
	EXPECT_EQ(before, pair_stats(&self->pair).shipped_pages);
}

/* Pages that go elsewhere in memory come back writable. */
TEST_F(shared, compacted)
{
	long moved = pages_migrated();
	unsigned int round;

	memory_fill(self->other, SIZE - SHIFT, 61);
	for (round = 0; round < sized(6, 2); round++) {
		ASSERT_OK(pair_sync(&self->pair));
		ASSERT_EQ(0, file_put("/proc/sys/vm/compact_memory", "1"));
		memory_fill(self->other + MIB, 2 * MIB, 62 + round);
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	EXPECT_LT(moved, pages_migrated());
}

/* As many small pages become a huge one, which is mapped writable. */
/* References that others take in passing make it fail for now. */
static int collapse(void *start, size_t size)
{
	unsigned int tries;

	for (tries = 0; tries < 50; tries++) {
		if (!madvise(start, size, MADV_COLLAPSE))
			return 0;
		if (errno != EAGAIN && errno != EBUSY)
			return -1;
		usleep(20000);
	}
	return -1;
}

TEST_F(shared, collapsed)
{
	unsigned int round;

	memory_fill_all(self->area, SIZE, 71);
	for (round = 0; round < 3; round++) {
		ASSERT_OK(pair_sync(&self->pair));
		if (collapse(self->area, SIZE))
			SKIP(return, "this kernel does not make it huge");
		self->area[MIB + round * 77 * PAGE]++;
		self->other[3 * MIB + round * 77 * PAGE]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

TEST_F(shared, swapped_out)
{
	char device[64];
	unsigned char *copy = calloc(1, SIZE);
	unsigned int round;

	ASSERT_OK(swap_on(false, device, sizeof(device)));
	memset(self->area, 0, SIZE);
	memory_fill(self->area, SIZE, 81);
	ASSERT_OK(pair_sync(&self->pair));
	for (round = 0; round < sized(4, 2); round++) {
		madvise(self->other, SIZE - SHIFT, MADV_PAGEOUT);
		ASSERT_EQ(0, madvise(self->area, SIZE, MADV_PAGEOUT));
		if (round % 2)
			ASSERT_OK(pair_sync(&self->pair));
		/* That nothing is shipped is no reason to lose it. */
		memory_fill(copy, SIZE, 81);
		ASSERT_EQ(0, memcmp(copy, self->area, SIZE));
		self->other[round * 201 * PAGE]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
		self->other[round * 201 * PAGE]--;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	free(copy);
	swap_off(device);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* That of System V, whose file is one in front of another. */
TEST(sysv)
{
	int id = shmget(IPC_PRIVATE, SIZE, 0600);
	unsigned char *area = shmat(id, NULL, 0), *other = shmat(id, NULL, 0);
	struct memsync *ms;
	struct pair pair;
	unsigned int i;

	ASSERT_NE((void *)-1, area);
	shmctl(id, IPC_RMID, NULL);
	memory_fill(area, SIZE, 91);
	ASSERT_OK(pair_net(&ms));
	ASSERT_OK(pair_start(&pair, ms, getpid(), area, SIZE));
	for (i = 0; i < 6; i++) {
		ASSERT_OK(pair_sync_compare(&pair));
		other[i * 77 * PAGE]++;
		area[i * 78 * PAGE]++;
	}
	shmdt(other);
	ASSERT_OK(pair_sync_compare(&pair));
	pair_stop(&pair);
	memsync_close(ms);
}

static unsigned char *map_dma_buf(int object)
{
	struct udmabuf_create create = { .memfd = object, .size = SIZE };
	int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	int fd = device < 0 ? -1 : ioctl(device, UDMABUF_CREATE, &create);
	unsigned char *m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	close(device);
	close(fd);
	return m;
}

/* A device has references to the pages, by which we write in its place. */
TEST(written_by_device)
{
	int object = memfd_create("object", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	unsigned char *area, *device;
	struct memsync *ms;
	struct pair pair;
	unsigned int i;

	ASSERT_EQ(0, ftruncate(object, SIZE) | fcntl(object, F_ADD_SEALS, F_SEAL_SHRINK));
	area = map_object(object);
	memory_fill(area, SIZE, 92);
	ASSERT_OK(pair_net(&ms));
	ASSERT_OK(pair_start(&pair, ms, getpid(), area, SIZE));
	ASSERT_OK(pair_sync_compare(&pair));
	ASSERT_OK(pair_sync(&pair));
	device = map_dma_buf(object);
	for (i = 0; device != MAP_FAILED && i < 6; i++) {
		device[i * 77 * PAGE]++;
		ASSERT_OK(pair_sync_compare(&pair));
	}
	if (device != MAP_FAILED) {
		device[5 * PAGE]++;
		munmap(device, SIZE);
	}
	ASSERT_OK(pair_sync_compare(&pair));
	pair_stop(&pair);
	memsync_close(ms);
	if (device == MAP_FAILED)
		SKIP(return, "no udmabuf here");
}

struct writer {
	unsigned char *at;
	size_t size;
	uint64_t seed;
	int fd;
};

/* By a mapping, now and then let go of, and by the file. */
static void *write_always(void *arg)
{
	struct writer *w = arg;
	unsigned int i;

	for (i = 0; !atomic_load(&stopping); i++) {
		size_t at = random_next(&w->seed) % w->size;

		w->at[at]++;
		if (w->fd >= 0 && i % 16 == 0 && pwrite(w->fd, &i, sizeof(i), at) < 0)
			break;
		if (i % 512 == 0)
			madvise(w->at, w->size, i % 1024 ? MADV_DONTNEED : MADV_PAGEOUT);
		if (i % 64 == 0)
			usleep(500);
	}
	return NULL;
}

/* Everybody writes while passes run, and rests for a comparison. */
TEST_F(shared, race)
{
	struct writer writers[] = {
		{ self->area, SIZE, 1, -1 },
		{ self->other, SIZE - SHIFT, 2, self->fd },
		{ self->other, MIB, 3, -1 },
	};
	pthread_t threads[ARRAY_SIZE(writers)];
	unsigned int round, i;

	for (round = 0; round < sized(25, 4); round++) {
		atomic_store(&stopping, false);
		for (i = 0; i < ARRAY_SIZE(writers); i++)
			ASSERT_EQ(0, pthread_create(&threads[i], NULL, write_always,
						    &writers[i]));
		usleep(20000);
		ASSERT_OK(pair_sync(&self->pair));
		atomic_store(&stopping, true);
		for (i = 0; i < ARRAY_SIZE(writers); i++)
			pthread_join(threads[i], NULL);
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

TEST_HARNESS_MAIN
