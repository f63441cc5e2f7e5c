/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Allocations that fail, on a kernel that can make them: at random those of tasks that are
 * marked, or the Nth that this thread makes from now on (fail-nth). For a process with one
 * thread that uses it.
 */
#ifndef _SELFTESTS_FAILING_H
#define _SELFTESTS_FAILING_H

#include <stdbool.h>

/* Is this a kernel that can? */
bool failing_possible(void);

/* NULL, or the file that did not take it; of page allocations, those of @min_order and more. */
const char *failing_init(unsigned int min_order);
/* Of marked tasks' allocations, each @every-th fails with this probability. */
const char *failing_start(unsigned int percent, unsigned int every);
const char *failing_stop(void);
/* How many from slabs have failed since failing_init(). */
long failing_count(void);

/* Marks this thread, or takes the mark off. */
int failing_mark(bool mark);
/* Marks all threads of the module's that there are; returns how many. */
unsigned int failing_mark_module(void);

/* This thread's Nth allocation fails; 0: none. */
int failing_nth(unsigned int n);
/* How many are still to come until it; 0: it has failed. */
unsigned int failing_nth_left(void);

#endif /* _SELFTESTS_FAILING_H */
