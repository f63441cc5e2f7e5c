// SPDX-License-Identifier: GPL-2.0
/* Memory that the kernel writes: what is read into it, and what others reach it by. */
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "torture.h"

void read_file(struct worker *w)
{
	struct run r = any_run(w);

	if (pread(w->t->file, r.start, r.size < MIB ? r.size : MIB, below(w, 64) * PAGE + 13) < 0)
		return;
}

void read_pipe(struct worker *w)
{
	struct run r = any_run(w);
	char text[600];
	int pipes[2];

	if (pipe(pipes))
		return;
	memset(text, below(w, 256), sizeof(text));
	if (write(pipes[1], text, sizeof(text)) == sizeof(text) &&
	    read(pipes[0], r.start + PAGE - 300, r.size > PAGE ? 600 : 300) < 0)
		w->last = "a failed read";
	close(pipes[0]);
	close(pipes[1]);
}

void receive(struct worker *w)
{
	struct run r = any_run(w);
	char text[600];
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends))
		return;
	memset(text, below(w, 256), sizeof(text));
	if (send(ends[0], text, sizeof(text), 0) != sizeof(text) ||
	    recv(ends[1], r.start + below(w, PAGE - sizeof(text)), sizeof(text), 0) < 0)
		w->last = "a failed recv";
	close(ends[0]);
	close(ends[1]);
}

void read_ring(struct worker *w)
{
	struct run r = any_run(w);
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_READ,
		.fd = w->t->file,
		.off = below(w, MIB),
		.addr = (uintptr_t)r.start,
		.len = r.size < MIB ? r.size : MIB,
	};

	if (ring_do(&w->ring, &sqe) < 0)
		w->last = "a failed read by the ring";
}

/* The kernel adds to a futex. */
void wake_and_count(struct worker *w)
{
	struct run r = any_run(w);
	uint32_t *counted = (uint32_t *)(r.start + below(w, PAGE / 4) * 4), nobody = 0;

	syscall(SYS_futex, &nobody, FUTEX_WAKE_OP, 0, NULL, counted,
		FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0));
}

/* Its frame comes to lie in a worker's own memory. */
void take_signal(struct worker *w)
{
	stack_t none = { .ss_flags = SS_DISABLE };
	stack_t stack = {
		.ss_sp = w->own + below(w, w->own_size / PAGE - 16) * PAGE,
		.ss_size = 16 * PAGE,
	};

	if (sigaltstack(&stack, NULL))
		return;
	raise(SIGUSR1);
	sigaltstack(&none, NULL);
}

void write_remotely(struct worker *w)
{
	struct run r = any_run(w);
	char text[200];
	struct iovec from = { text, sizeof(text) };
	struct iovec to = { r.start + below(w, PAGE - sizeof(text)), sizeof(text) };

	memset(text, below(w, 256), sizeof(text));
	process_vm_writev(getpid(), &from, 1, &to, 1, 0);
}

void write_proc_mem(struct worker *w)
{
	struct run r = any_run(w);
	int fd = pid_open_mem(getpid());
	uint64_t n = random_next(&w->seed);

	if (fd < 0)
		return;
	if (pwrite(fd, &n, sizeof(n), (uintptr_t)r.start + below(w, PAGE / 8) * 8) < 0)
		w->last = "a failed pwrite";
	close(fd);
}

/* Past the page cache: the pages are pinned meanwhile. */
void read_direct(struct worker *w)
{
	struct run r = any_run(w);
	size_t length = r.size < 16 * PAGE ? r.size : 16 * PAGE;

	if (pread(w->t->direct, r.start, length, below(w, DISK_SIZE / PAGE - 16) * PAGE) < 0)
		w->last = "a failed direct read";
}

/* For long: what is read by way of it later meets no fault, wherever it is mapped by then. */
void pin(struct worker *w)
{
	struct run r = any_run(w);
	struct iovec buffer = { r.start, r.size < 16 * PAGE ? r.size : 16 * PAGE };

	if (w->pinned.size)
		syscall(SYS_io_uring_register, w->ring.fd, IORING_UNREGISTER_BUFFERS, NULL, 0);
	w->pinned = (struct run){ };
	if (!syscall(SYS_io_uring_register, w->ring.fd, IORING_REGISTER_BUFFERS, &buffer, 1))
		w->pinned = (struct run){ buffer.iov_base, buffer.iov_len };
}

void read_pinned(struct worker *w)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_READ_FIXED,
		.fd = w->t->file,
		.off = below(w, MIB),
		.addr = (uintptr_t)w->pinned.start,
		.len = w->pinned.size,
	};

	if (w->pinned.size && ring_do(&w->ring, &sqe) < 0)
		w->last = "a failed read into what is pinned";
}
