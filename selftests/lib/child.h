/* SPDX-License-Identifier: GPL-2.0 */
/* A fork of the test, with the same memory, that takes one step when it is told to. */
#ifndef _SELFTESTS_CHILD_H
#define _SELFTESTS_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

struct child {
	pid_t pid;
	int to;
	int from;
};

/* In the child; 0 if it went well. */
typedef int child_step(pid_t parent, unsigned char *area, unsigned char what);

bool child_start(struct child *c, child_step *step, unsigned char *area);
/* What the step returned, or -1: the child is gone. */
int child_tell(struct child *c, unsigned char what);
/* Kills it, if it still is there; its status as of waitpid(2). */
int child_end(struct child *c);

#endif /* _SELFTESTS_CHILD_H */
