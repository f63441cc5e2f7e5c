// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ring.h"

int ring_open(struct ring *r)
{
	memset(r, 0, sizeof(*r));
	r->fd = syscall(SYS_io_uring_setup, 8, &r->params);
	if (r->fd < 0)
		return -errno;
	r->sq = mmap(NULL, r->params.sq_off.array + r->params.sq_entries * 4,
		     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQ_RING);
	r->cq = mmap(NULL, r->params.cq_off.cqes +
		     r->params.cq_entries * sizeof(struct io_uring_cqe),
		     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_CQ_RING);
	r->sqes = mmap(NULL, r->params.sq_entries * sizeof(*r->sqes), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQES);
	return r->sq == MAP_FAILED || r->cq == MAP_FAILED || r->sqes == MAP_FAILED ? -ENOMEM : 0;
}

static unsigned int *ring_u32(unsigned char *base, unsigned int offset)
{
	return (unsigned int *)(base + offset);
}

/* What is submitted is told of before a signal, or a debugger, that ends the waiting. */
static int wait_done(const struct ring *r, unsigned int head)
{
	unsigned int *tail = ring_u32(r->cq, r->params.cq_off.tail);

	while (__atomic_load_n(tail, __ATOMIC_ACQUIRE) == head)
		if (syscall(SYS_io_uring_enter, r->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0 &&
		    errno != EINTR)
			return -errno;
	return 0;
}

int ring_do(struct ring *r, const struct io_uring_sqe *sqe)
{
	unsigned int *tail = ring_u32(r->sq, r->params.sq_off.tail);
	unsigned int *head = ring_u32(r->cq, r->params.cq_off.head);
	unsigned int at = *tail & (r->params.sq_entries - 1);
	struct io_uring_cqe *cqes = (void *)(r->cq + r->params.cq_off.cqes);
	int err, res;

	r->sqes[at] = *sqe;
	ring_u32(r->sq, r->params.sq_off.array)[at] = at;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return -errno;
	err = wait_done(r, *head);
	if (err)
		return err;
	res = cqes[*head & (r->params.cq_entries - 1)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return res;
}
