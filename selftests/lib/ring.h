/* SPDX-License-Identifier: GPL-2.0 */
/* As much of io_uring as it takes to have one request done. */
#ifndef _SELFTESTS_RING_H
#define _SELFTESTS_RING_H

#include <linux/io_uring.h>

struct ring {
	int fd;
	struct io_uring_params params;
	unsigned char *sq;
	unsigned char *cq;
	struct io_uring_sqe *sqes;
};

/* 0 or -errno. */
int ring_open(struct ring *r);
/* One request, done when this returns; its result. */
int ring_do(struct ring *r, const struct io_uring_sqe *sqe);

#endif /* _SELFTESTS_RING_H */
