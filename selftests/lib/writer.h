/* SPDX-License-Identifier: GPL-2.0 */
/* A child that writes when it is told to, and knows nothing of memsync. */
#ifndef _SELFTESTS_WRITER_H
#define _SELFTESTS_WRITER_H

#include "pair.h"

/**
 * struct writer - the child, and its memory, which it shares with nobody
 * @pid: the child
 * @orders: where it reads them
 * @answers: what it answers
 * @ranges: where it writes: small pages, and huge ones if the kernel gives any
 * @aside: one page more, where it does not
 */
struct writer {
	pid_t pid;
	int orders;
	int answers;
	struct memsync_range ranges[2];
	struct memsync_range aside;
};

enum writer_order {
	WRITER_RUN,	/* writes at random, until the next order */
	WRITER_REST,
	WRITER_TOUCH,	/* each page once; the answer is how many faults it took */
};

/* Both ranges are full of what @seed makes. NULL, or what failed. */
const char *writer_start(struct writer *w, size_t small, size_t huge, uint64_t seed);
/* Returns its answer, or a negative number when there is none. */
long writer_order(struct writer *w, enum writer_order order);
void writer_end(struct writer *w);

#endif /* _SELFTESTS_WRITER_H */
