// SPDX-License-Identifier: GPL-2.0
/*
 * Who writes private hugetlb memory: the kernel, other processes, devices; and those
 * that got it by a fork.
 */
#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "disk.h"
#include "huge.h"
#include "ring.h"
#include "test.h"

#define SIZE	(8 * MIB)
#define PAGES	(SIZE / HUGE)
#define POOL	(4 * PAGES)

FIXTURE(hugetlb_writes) {
	struct memsync *ms;
	struct pair pair;
	unsigned char *area;
};

FIXTURE_SETUP(hugetlb_writes)
{
	if (!huge_pool(POOL))
		SKIP(return, "the kernel gives %ld huge pages", huge_pages("Total"));
	self->area = huge_map(NULL, SIZE, 0);
	ASSERT_NE(NULL, self->area);
	memory_fill_all(self->area, SIZE, 1);
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, SIZE));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

FIXTURE_TEARDOWN(hugetlb_writes)
{
	pair_stop(&self->pair);
	memsync_close(self->ms);
	munmap(self->area, SIZE);
	huge_pool(0);
}

/* ---- writes of the kernel, which may have pages without a fault ---- */

TEST_F(hugetlb_writes, read)
{
	unsigned char data[3 * PAGE];
	unsigned int i;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	for (i = 0; i < 3; i++) {
		memory_fill_all(data, sizeof(data), 2 + i);
		ASSERT_EQ(sizeof(data), write(fds[1], data, sizeof(data)));
		ASSERT_EQ(sizeof(data), read(fds[0], self->area + (i + 1) * HUGE - PAGE - 33,
					     sizeof(data)));
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

static int write_vm(pid_t pid, unsigned char *at, unsigned char what)
{
	static unsigned char data[6 * PAGE];
	struct iovec local = { data, sizeof(data) }, remote = { at, sizeof(data) };

	memory_fill_all(data, sizeof(data), 1000 + what);
	return process_vm_writev(pid, &local, 1, &remote, 1, 0) != sizeof(data);
}

static int write_mem(pid_t pid, unsigned char *at, unsigned char what)
{
	static unsigned char data[3 * PAGE];
	int mem = pid_open_mem(pid);

	memory_fill_all(data, sizeof(data), 2000 + what);
	return pwrite(mem, data, sizeof(data), (uintptr_t)at) != sizeof(data);
}

static int poke(pid_t pid, unsigned char *at, unsigned char what)
{
	int status;
	long err;

	/* The tracee is our parent, which waits for us meanwhile. */
	if (ptrace(PTRACE_ATTACH, pid, 0, 0) || waitpid(pid, &status, __WALL) != pid)
		return 1;
	err = ptrace(PTRACE_POKEDATA, pid, at + 80 + what * 8, 0x1122334455667788 + what);
	ptrace(PTRACE_DETACH, pid, 0, 0);
	return err ? 3 : 0;
}

/* The way in which the child writes. */
static int (*way)(pid_t pid, unsigned char *at, unsigned char what);

static int write_to_parent(pid_t pid, unsigned char *area, unsigned char what)
{
	if (what == 255)
		return munmap(area, SIZE);
	return way(pid, area + what % PAGES * HUGE + (what + 7) * PAGE + 99, what);
}

/* Where a page is shared with the child, it is copied; later it is nobody else's. */
static const char *written_by_child(struct pair *pair, unsigned char *area, child_step *step)
{
	const char *why = NULL;
	struct child c;
	unsigned int i;

	way = step;
	if (!child_start(&c, write_to_parent, area))
		return "no child";
	for (i = 0; i < 20 && !why; i++) {
		if ((i == 3 && child_tell(&c, 255)) || child_tell(&c, i))
			why = "the child cannot";
		else
			why = pair_sync_compare(pair);
	}
	child_end(&c);
	return why;
}

TEST_F(hugetlb_writes, process_vm_writev)
{
	ASSERT_OK(written_by_child(&self->pair, self->area, write_vm));
}

TEST_F(hugetlb_writes, proc_mem)
{
	ASSERT_OK(written_by_child(&self->pair, self->area, write_mem));
}

TEST_F(hugetlb_writes, ptrace)
{
	ASSERT_OK(written_by_child(&self->pair, self->area, poke));
}

/* The write is there for somebody who does not ask for a barrier, too. */
TEST_F(hugetlb_writes, unasked)
{
	size_t at = 3 * HUGE + 10 * PAGE + 99;
	struct child c;
	unsigned int i;

	way = write_vm;
	ASSERT_TRUE(child_start(&c, write_to_parent, self->area));
	ASSERT_EQ(0, child_tell(&c, 255));
	ASSERT_OK(pair_sync_compare(&self->pair));
	usleep(300000);		/* until nothing is under way any more */
	ASSERT_EQ(0, child_tell(&c, 3));
	for (i = 0; i < 1000 && self->pair.replica[at] != self->area[at]; i++)
		usleep(sized(10000, 100000));
	EXPECT_EQ(self->area[at], self->pair.replica[at]);
	child_end(&c);
}

TEST_F(hugetlb_writes, direct_io)
{
	int fd = disk_file();
	unsigned int i;

	ASSERT_LE(0, fd);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(MIB, pread(fd, self->area + i * HUGE + 5 * PAGE, MIB, 0));
		ASSERT_OK(pair_sync_compare(&self->pair));
		memset(self->area + i * HUGE, 3 + i, 9 * PAGE);
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	close(fd);
}

static void fixed_buffer(struct __test_metadata *_metadata, struct memsync *ms,
			 struct pair *pair, unsigned char *area, bool before)
{
	/* Of one page: one reference more than there ought to be. */
	struct iovec buffer = { area + 2 * HUGE + PAGE, PAGE };
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_READ_FIXED,
		.addr = (uintptr_t)area + 2 * HUGE + PAGE + 17,
		.len = PAGE - 100,
	};
	unsigned char data[PAGE];
	unsigned int round;
	struct ring ring;
	int err, fds[2];

	err = ring_open(&ring);
	if (err)
		SKIP(return, "io_uring: %s", strerror(-err));
	ASSERT_EQ(0, pipe(fds));
	sqe.fd = fds[0];
	if (before)
		pair_stop(pair);
	ASSERT_EQ(0, syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_BUFFERS, &buffer, 1));
	if (before)
		ASSERT_OK(pair_start(pair, ms, getpid(), area, SIZE));
	for (round = 0; round < 5; round++) {
		ASSERT_OK(pair_sync_compare(pair));
		memory_fill_all(data, sizeof(data), 70 + round);
		ASSERT_EQ(sqe.len, write(fds[1], data, sqe.len));
		/* No fault: the kernel has had the page since it was registered. */
		ASSERT_EQ(sqe.len, ring_do(&ring, &sqe));
		ASSERT_EQ(0, memcmp(area + 2 * HUGE + PAGE + 17, data, sqe.len));
		ASSERT_OK(pair_sync_compare(pair));
		area[2 * HUGE + round * 1000]++;
		ASSERT_OK(pair_sync_compare(pair));
	}
	ASSERT_EQ(0, syscall(SYS_io_uring_register, ring.fd, IORING_UNREGISTER_BUFFERS, NULL, 0));
	area[2 * HUGE + 6 * PAGE]++;
	ASSERT_OK(pair_sync_compare(pair));
	close(ring.fd);
}

TEST_F(hugetlb_writes, fixed_buffer)
{
	fixed_buffer(_metadata, self->ms, &self->pair, self->area, false);
}

TEST_F(hugetlb_writes, fixed_buffer_from_before)
{
	fixed_buffer(_metadata, self->ms, &self->pair, self->area, true);
}

/* ---- fork ---- */

static int write_own(pid_t pid, unsigned char *area, unsigned char what)
{
	if (what < 100)
		memory_fill_all(area + what % PAGES * HUGE, HUGE, 300 + what);
	else if (what == 100)
		munmap(area, SIZE);
	return 0;
}

TEST_F(hugetlb_writes, child_writes_first)
{
	struct child c;

	ASSERT_TRUE(child_start(&c, write_own, self->area));
	ASSERT_EQ(0, child_tell(&c, 2));
	ASSERT_OK(pair_sync_compare(&self->pair));
	memory_fill_all(self->area + 2 * HUGE, MIB, 2);
	self->area[HUGE]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
	child_end(&c);
	self->area[2 * HUGE + 7]++;
	self->area[3 * HUGE + 7]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
}

TEST_F(hugetlb_writes, parent_writes_first)
{
	struct child c;

	ASSERT_TRUE(child_start(&c, write_own, self->area));
	memory_fill_all(self->area + 2 * HUGE, MIB, 3);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, child_tell(&c, 2));
	ASSERT_EQ(0, child_tell(&c, 3));
	ASSERT_OK(pair_sync_compare(&self->pair));
	memory_fill_all(self->area + 2 * HUGE + 5 * PAGE, HUGE, 4);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, child_tell(&c, 100));
	memory_fill_all(self->area, SIZE, 5);
	ASSERT_OK(pair_sync_compare(&self->pair));
	child_end(&c);
}

/* Written, then made read-only by the fork before anybody looks. */
TEST_F(hugetlb_writes, written_just_before_fork)
{
	struct child c;
	unsigned int i;

	for (i = 0; i < 8; i++) {
		self->area[i % PAGES * HUGE + 3 * PAGE]++;
		self->area[i % PAGES * HUGE + 70 * PAGE + i]++;
		ASSERT_TRUE(child_start(&c, write_own, self->area));
		ASSERT_OK(pair_sync_compare(&self->pair));
		self->area[i % PAGES * HUGE + 90 * PAGE]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
		child_end(&c);
	}
}

/* Of one block, about which the notifier asks the page table. */
TEST_F(hugetlb_writes, one_huge_page)
{
	unsigned char *one;
	struct child c;

	pair_stop(&self->pair);
	one = huge_map(NULL, HUGE, 0);
	ASSERT_NE(NULL, one);
	memory_fill_all(one, HUGE, 5);
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), one, HUGE));
	ASSERT_OK(pair_sync_compare(&self->pair));
	one[MIB]++;
	ASSERT_TRUE(child_start(&c, write_own, one));
	one[MIB + PAGE]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, madvise(one, HUGE, MADV_DONTNEED));
	ASSERT_OK(pair_sync_compare(&self->pair));
	one[PAGE] = 1;
	ASSERT_OK(pair_sync_compare(&self->pair));
	one[9 * PAGE] = 1;
	ASSERT_EQ(0, mprotect(one, HUGE, PROT_READ));
	ASSERT_OK(pair_sync_compare(&self->pair));
	child_end(&c);
}

TEST_HARNESS_MAIN
