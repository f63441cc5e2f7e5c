// SPDX-License-Identifier: GPL-2.0
/* The kernel writes into the region: system calls, other processes, devices. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "aio.h"
#include "disk.h"
#include "ring.h"
#include "test.h"

#define SIZE	(8 * MIB)

FIXTURE(kernel_writes) {
	struct memsync *ms;
	struct pair pair;
	unsigned char *area;
};

FIXTURE_VARIANT(kernel_writes) {
	bool huge;
};

FIXTURE_VARIANT_ADD(kernel_writes, small) {
	.huge = false,
};

FIXTURE_VARIANT_ADD(kernel_writes, huge) {
	.huge = true,
};

FIXTURE_SETUP(kernel_writes)
{
	self->area = variant->huge ? memory_new_huge(SIZE) : memory_new(SIZE);
	ASSERT_NE(NULL, self->area);
	memory_fill(self->area, SIZE, 1);
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, SIZE));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

FIXTURE_TEARDOWN(kernel_writes)
{
	pair_stop(&self->pair);
	memsync_close(self->ms);
}

TEST_F(kernel_writes, read)
{
	unsigned char data[3 * PAGE];
	int fds[2];

	memory_fill(data, sizeof(data), 2);
	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(sizeof(data), write(fds[1], data, sizeof(data)));
	ASSERT_EQ(sizeof(data), read(fds[0], self->area + 100 * PAGE + 33, sizeof(data)));
	ASSERT_EQ(0, memcmp(self->area + 100 * PAGE + 33, data, sizeof(data)));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

TEST_F(kernel_writes, recv)
{
	unsigned char data[5000];
	int fds[2];

	memory_fill(data, sizeof(data), 3);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	ASSERT_EQ(sizeof(data), send(fds[0], data, sizeof(data), 0));
	ASSERT_EQ(sizeof(data), recv(fds[1], self->area + 3 * MIB + 1, sizeof(data), MSG_WAITALL));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

TEST_F(kernel_writes, getrandom)
{
	ASSERT_EQ(256, getrandom(self->area + 4 * MIB - 128, 256, 0));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* A few bytes of a structure, written where a pointer said. */
TEST_F(kernel_writes, small_results)
{
	struct stat *st = (void *)(self->area + 2 * MIB + 8 * PAGE + 64);
	struct timespec *ts = (void *)(self->area + 2 * MIB + 9 * PAGE - 8);

	ASSERT_EQ(0, fstat(0, st));
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, syscall(SYS_clock_gettime, CLOCK_MONOTONIC, ts));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

static int in_child(int (*fn)(pid_t pid, void *arg), void *arg)
{
	pid_t parent = getpid(), pid;
	int status;

	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	pid = fork();
	if (!pid)
		_exit(fn(parent, arg));
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static int write_vm(pid_t pid, void *arg)
{
	static unsigned char data[6 * PAGE];
	struct iovec local = { data, sizeof(data) }, remote = { arg, sizeof(data) };

	memory_fill(data, sizeof(data), 4);
	return process_vm_writev(pid, &local, 1, &remote, 1, 0) != sizeof(data);
}

TEST_F(kernel_writes, process_vm_writev)
{
	ASSERT_EQ(0, in_child(write_vm, self->area + 5 * MIB + 99));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

static int write_mem(pid_t pid, void *arg)
{
	static unsigned char data[3 * PAGE];
	int mem = pid_open_mem(pid);

	memory_fill(data, sizeof(data), 5);
	return pwrite(mem, data, sizeof(data), (uintptr_t)arg) != sizeof(data);
}

TEST_F(kernel_writes, proc_mem)
{
	ASSERT_EQ(0, in_child(write_mem, self->area + 6 * MIB + 7 * PAGE + 1));
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, write_mem(getpid(), self->area + 9 * PAGE));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

static int poke(pid_t pid, void *arg)
{
	int status;
	long err;

	if (ptrace(PTRACE_ATTACH, pid, 0, 0))
		return 1;
	/* The tracee is our parent, which waits for us meanwhile. */
	if (waitpid(pid, &status, __WALL) != pid)
		return 2;
	err = ptrace(PTRACE_POKEDATA, pid, arg, 0x1122334455667788);
	ptrace(PTRACE_DETACH, pid, 0, 0);
	return err ? 3 : 0;
}

TEST_F(kernel_writes, ptrace)
{
	ASSERT_EQ(0, in_child(poke, self->area + 7 * MIB + 4096));
	ASSERT_EQ(0x88, self->area[7 * MIB + 4096]);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* Read-only to the process; a debugger writes all the same. */
TEST_F(kernel_writes, forced)
{
	ASSERT_EQ(0, mprotect(self->area + MIB, MIB, PROT_READ));
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, in_child(write_mem, self->area + MIB + 3 * PAGE));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* ---- a disk ---- */

/*
 * A file system that does direct I/O: ext4 on a loop device, with a file of 1 MiB;
 * a mount namespace of our own cleans up. The device is set up first, since mount -o
 * loop keeps it open, which 6.12 may refuse. Returns the file, or -1.
 */
TEST_F(kernel_writes, direct_io)
{
	int fd = disk_file();

	ASSERT_LE(0, fd);
	ASSERT_EQ(MIB, pread(fd, self->area + 3 * MIB, MIB, 0));
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(4 * PAGE, pread(fd, self->area + 5 * PAGE, 4 * PAGE, 8 * PAGE));
	ASSERT_OK(pair_sync_compare(&self->pair));
	close(fd);
}

/* Asynchronously, by the interface that databases use. */
TEST_F(kernel_writes, aio)
{
	aio_context_t context;
	unsigned int round;
	int fd = disk_file();

	ASSERT_LE(0, fd);
	for (round = 0; round < 5; round++) {
		void *to = self->area + (round * 99 + 1) * PAGE;

		ASSERT_OK(pair_sync(&self->pair));
		ASSERT_EQ(0, aio_begin(&context, IOCB_CMD_PREAD, fd, to, 8 * PAGE,
				       round * 11 * PAGE));
		if (round % 2)
			ASSERT_OK(pair_sync(&self->pair));
		ASSERT_EQ(8 * PAGE, aio_end(context));
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	close(fd);
}

/* ---- io_uring ---- */

/*
 * 6.12 with KASAN crashes where a ring is used for sockets: what poisons the message that is kept
 * for the next one writes over its pointer to vectors, which is then followed.
 */
static bool is_for_sockets(void)
{
	return sized(1, 0);
}

TEST_F(kernel_writes, io_uring)
{
	struct io_uring_sqe sqe = { .len = 2 * PAGE };
	unsigned char data[2 * PAGE];
	unsigned int round;
	struct ring ring;
	int err, fds[2], sockets[2];

	err = ring_open(&ring);
	if (err)
		SKIP(return, "io_uring: %s", strerror(-err));
	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	for (round = 0; round < 6; round++) {
		bool from_socket = round % 2 && is_for_sockets();

		memory_fill(data, sizeof(data), 60 + round);
		sqe.opcode = from_socket ? IORING_OP_RECV : IORING_OP_READ;
		sqe.fd = from_socket ? sockets[0] : fds[0];
		sqe.msg_flags = from_socket ? MSG_WAITALL : 0;
		sqe.addr = (uintptr_t)self->area + MIB + round * 33 * PAGE + 17;
		ASSERT_OK(pair_sync(&self->pair));
		ASSERT_EQ(sizeof(data), write(from_socket ? sockets[1] : fds[1], data,
					      sizeof(data)));
		ASSERT_EQ(sizeof(data), ring_do(&ring, &sqe));
		ASSERT_EQ(0, memcmp((void *)sqe.addr, data, sizeof(data)));
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

/* Pages that are pinned once, and written by the kernel ever after. */
TEST_F(kernel_writes, io_uring_fixed_buffer)
{
	struct iovec buffer = { self->area + 4 * MIB, MIB };
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_READ_FIXED,
		.addr = (uintptr_t)self->area + 4 * MIB + 5 * PAGE + 17,
		.len = 2 * PAGE,
	};
	unsigned char data[2 * PAGE];
	unsigned int round;
	struct ring ring;
	int err, fds[2];

	err = ring_open(&ring);
	if (err)
		SKIP(return, "io_uring: %s", strerror(-err));
	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(0, syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_BUFFERS, &buffer, 1));
	sqe.fd = fds[0];
	for (round = 0; round < 5; round++) {
		ASSERT_OK(pair_sync_compare(&self->pair));
		memory_fill(data, sizeof(data), 70 + round);
		ASSERT_EQ(sizeof(data), write(fds[1], data, sizeof(data)));
		/* No fault: the kernel has had these pages since they were registered. */
		ASSERT_EQ(sizeof(data), ring_do(&ring, &sqe));
		ASSERT_EQ(0, memcmp(self->area + 4 * MIB + 5 * PAGE + 17, data, sizeof(data)));
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	ASSERT_EQ(0, syscall(SYS_io_uring_register, ring.fd, IORING_UNREGISTER_BUFFERS, NULL, 0));
	self->area[4 * MIB + 6 * PAGE]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* Pinned before anybody watches the memory. */
TEST_F(kernel_writes, io_uring_buffer_from_before)
{
	unsigned char *area = variant->huge ? memory_new_huge(SIZE) : memory_new(SIZE);
	struct iovec buffer = { area + 2 * MIB, 2 * MIB };
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_READ_FIXED,
		.addr = (uintptr_t)area + 2 * MIB + 100 * PAGE,
		.len = PAGE,
	};
	unsigned char data[PAGE];
	unsigned int round;
	struct ring ring;
	int err, fds[2];

	err = ring_open(&ring);
	if (err)
		SKIP(return, "io_uring: %s", strerror(-err));
	pair_stop(&self->pair);
	memory_fill(area, SIZE, 6);
	ASSERT_EQ(0, syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_BUFFERS, &buffer, 1));
	ASSERT_EQ(0, pipe(fds));
	sqe.fd = fds[0];
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), area, SIZE));
	for (round = 0; round < 5; round++) {
		ASSERT_OK(pair_sync_compare(&self->pair));
		memory_fill(data, sizeof(data), 80 + round);
		ASSERT_EQ(sizeof(data), write(fds[1], data, sizeof(data)));
		ASSERT_EQ(sizeof(data), ring_do(&ring, &sqe));
		ASSERT_OK(pair_sync_compare(&self->pair));
		area[2 * MIB + 100 * PAGE + round * 1000]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

TEST_HARNESS_MAIN
