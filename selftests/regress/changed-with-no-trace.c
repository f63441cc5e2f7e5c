// SPDX-License-Identifier: GPL-2.0
/*
 * Shared memory, changed by a process that is not watched, or by the kernel on behalf of one,
 * in ways that leave no trace in any entry: a hole that a block device makes, a buffer that
 * was pinned with no fault, a table of entries that khugepaged takes away before all of the
 * huge page goes to swap, and pages that a userfaultfd maps.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pagemap.h"
#include "ring.h"
#include "swap.h"
#include "test.h"

#define DIR		"/mnt"
#define FILE_PATH	DIR "/object"
#define LOOP		"$(losetup -n -O NAME -j " FILE_PATH ")"
#define KHUGEPAGED	"/sys/kernel/mm/transparent_hugepage/khugepaged/"
#define SIZE		HUGE
#define SKIPPED		77

FIXTURE(traceless) {
	struct memsync *ms;
	struct pair pair;
	int fd;
	unsigned char *area;
	char device[64];
	pid_t child;
};

FIXTURE_SETUP(traceless)
{
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	ASSERT_EQ(0, mount("none", DIR, "tmpfs", 0, "huge=always"));
	ASSERT_OK(swap_on(false, self->device, sizeof(self->device)));
	ASSERT_OK(swap_group_enter("max"));
	self->fd = open(FILE_PATH, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_EQ(0, ftruncate(self->fd, SIZE));
	self->area = mmap(memory_new(SIZE), SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			  self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->area);
	memory_fill_all(self->area, SIZE, 1);
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, SIZE));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

FIXTURE_TEARDOWN(traceless)
{
	file_put(KHUGEPAGED "scan_sleep_millisecs", "10000");
	if (self->child > 0) {
		kill(self->child, SIGKILL);
		waitpid(self->child, NULL, 0);
	}
	pair_stop(&self->pair);
	memsync_close(self->ms);
	munmap(self->area, SIZE);
	close(self->fd);
	umount2(DIR, MNT_DETACH);
	swap_group_leave();
	swap_off(self->device);
}

/*
 * Runs @change in a child, which is there until the test ends. In its first half it makes
 * ready, and calls is_paused(); in its second one the region is paused. Returns what it does.
 */
static int while_paused(struct pair *pair, pid_t *child, int (*change)(int fd, int ask, int answer),
			int fd)
{
	int ask[2], answer[2];
	unsigned char byte = -1;

	if (pipe(ask) || pipe(answer))
		return -1;
	*child = fork();
	if (!*child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		byte = change(fd, ask[0], answer[1]);
		if (write(answer[1], &byte, 1) == 1)
			pause();
		_exit(0);
	}
	close(answer[1]);
	if (read(answer[0], &byte, 1) != 1 || byte)
		return byte;
	if (pair_sync(pair) || memsync_pause(pair->ms, pair->source) || write(ask[1], "", 1) != 1 ||
	    read(answer[0], &byte, 1) != 1)
		return -1;
	close(answer[0]);
	return byte;
}

static bool is_paused(int ask, int answer)
{
	char byte = 0;

	return write(answer, &byte, 1) == 1 && read(ask, &byte, 1) == 1;
}

/* What is large is shipped if in doubt. */
static const char *make_pages_small(struct pair *pair, int fd, unsigned char *area)
{
	if (mount("none", DIR, "tmpfs", MS_REMOUNT, "huge=never") ||
	    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, SIZE))
		return "the file stays huge";
	memory_fill_all(area, SIZE, 2);
	return pair_sync_compare(pair);
}

/* The hole is made by the file's own function, and not by way of vfs_fallocate(). */
TEST_F(traceless, punched_by_loop_device)
{
	ASSERT_OK(make_pages_small(&self->pair, self->fd, self->area));
	ASSERT_EQ(0, system("modprobe -q loop; losetup -f " FILE_PATH));
	ASSERT_OK(pair_sync_compare(&self->pair));
	EXPECT_EQ(0, system("blkdiscard -o 65536 -l 262144 " LOOP));
	EXPECT_EQ(0, system("losetup -d " LOOP));
	EXPECT_EQ(0, self->area[65536]);
	EXPECT_OK(pair_sync_compare(&self->pair));
}

static int read_into_buffer(int fd, int ask, int answer)
{
	unsigned char *at = mmap(NULL, SIZE / 2, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct iovec buffer = { at, 32 * PAGE };
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_READ_FIXED,
		.addr = (uintptr_t)at + 5 * PAGE,
		.len = PAGE,
	};
	unsigned char data[PAGE];
	volatile unsigned char sum = 0;
	struct ring ring;
	unsigned int i;
	int fds[2];

	if (ring_open(&ring))
		return SKIPPED;
	memory_fill_all(data, sizeof(data), 33);
	if (at == MAP_FAILED || pipe(fds) || write(fds[1], data, PAGE) != PAGE ||
	    !is_paused(ask, answer))
		return 1;
	for (i = 0; i < 32; i++)	/* that makes them writable */
		sum += at[i * PAGE];
	sqe.fd = fds[0];
	if (syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_BUFFERS, &buffer, 1) ||
	    ring_do(&ring, &sqe) != PAGE ||
	    syscall(SYS_io_uring_register, ring.fd, IORING_UNREGISTER_BUFFERS, NULL, 0))
		return 2;
	return munmap(at, SIZE / 2) ? 3 : 0;
}

TEST_F(traceless, read_into_fixed_buffer)
{
	int status;

	ASSERT_OK(make_pages_small(&self->pair, self->fd, self->area));
	status = while_paused(&self->pair, &self->child, read_into_buffer, self->fd);
	if (status == SKIPPED)
		SKIP(return, "no io_uring");
	EXPECT_EQ(0, memsync_resume(self->ms, self->pair.source));
	EXPECT_EQ(0, status);
	EXPECT_OK(pair_sync_compare(&self->pair));
}

static bool map(unsigned char *at, size_t size, int fd, off_t offset)
{
	return mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, offset) == at;
}

/* Half of a huge page is mapped by entries; when all of it is, khugepaged takes them away. */
static int write_and_be_collapsed(int fd, int ask, int answer)
{
	unsigned char *at = memory_new(HUGE);
	unsigned int tries = sized(3000, 12000);
	volatile unsigned char sum;

	if (!map(at, HUGE / 2, fd, 0))
		return 1;
	sum = at[0];		/* there is a table */
	if (!is_paused(ask, answer))
		return 2;
	sum += at[64 * PAGE];	/* that makes some writable */
	at[65 * PAGE + 10] ^= 0x55;
	if (!map(at + HUGE / 2, HUGE / 2, fd, HUGE / 2) || madvise(at, HUGE, MADV_HUGEPAGE))
		return 3;
	while (pagemap_entry(at + 65 * PAGE) & PAGEMAP_PRESENT && --tries)
		usleep(10000);
	return tries ? 0 : 4;
}

TEST_F(traceless, collapsed)
{
	ASSERT_EQ(0, file_put(KHUGEPAGED "scan_sleep_millisecs", "20"));
	EXPECT_EQ(0, while_paused(&self->pair, &self->child, write_and_be_collapsed, self->fd));
	EXPECT_EQ(0, memsync_resume(self->ms, self->pair.source));
	EXPECT_OK(pair_sync_compare(&self->pair));
}

static int write_and_be_swapped_out(int fd, int ask, int answer)
{
	int ret = write_and_be_collapsed(fd, ask, answer);

	/* It says that it did less where it did enough. */
	file_put(SWAP_GROUP "/memory.reclaim", "8M");
	return ret;
}

/* From Linux 6.12 on, the huge page is not split for that. */
TEST_F(traceless, collapsed_and_swapped_out)
{
	unsigned char byte = self->area[65 * PAGE + 10];

	ASSERT_EQ(0, file_put(KHUGEPAGED "scan_sleep_millisecs", "20"));
	ASSERT_EQ(0, madvise(self->area, SIZE, MADV_DONTNEED));
	EXPECT_EQ(0, while_paused(&self->pair, &self->child, write_and_be_swapped_out, self->fd));
	EXPECT_EQ(0, memsync_resume(self->ms, self->pair.source));
	/* To look at the page itself would swap it in, which is seen. */
	EXPECT_OK(pair_sync(&self->pair));
	EXPECT_EQ(byte ^ 0x55, self->pair.replica[65 * PAGE + 10]);
	EXPECT_OK(pair_sync_compare(&self->pair));
}

static int map_by_userfaultfd(int fd, int ask, int answer)
{
	unsigned char *at = memory_new(HUGE);
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register how = {
		.range = { (uintptr_t)at, 8 * PAGE },
		.mode = UFFDIO_REGISTER_MODE_MINOR,
	};
	struct uffdio_continue these = { .range = { (uintptr_t)at, 8 * PAGE } };

	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
		return SKIPPED;
	if (!map(at, 8 * PAGE, fd, 64 * PAGE) || !is_paused(ask, answer))
		return 1;
	if (ioctl(uffd, UFFDIO_REGISTER, &how) || ioctl(uffd, UFFDIO_CONTINUE, &these) ||
	    ioctl(uffd, UFFDIO_UNREGISTER, &how.range))
		return 2;
	close(uffd);
	at[3 * PAGE + 5] ^= 0x55;	/* with no fault */
	return 0;
}

TEST_F(traceless, mapped_by_userfaultfd)
{
	int status = while_paused(&self->pair, &self->child, map_by_userfaultfd, self->fd);

	if (status == SKIPPED)
		SKIP(return, "no userfaultfd");
	EXPECT_EQ(0, memsync_resume(self->ms, self->pair.source));
	EXPECT_EQ(0, status);
	EXPECT_OK(pair_sync_compare(&self->pair));
}

TEST_HARNESS_MAIN
