/* SPDX-License-Identifier: GPL-2.0 */
/* The points of kmod/delay.h, at which a build for tests can be made to wait. */
#ifndef _SELFTESTS_DELAY_H
#define _SELFTESTS_DELAY_H

#include <stdbool.h>

/* Can the module be made to wait? The debug kernel's can, and one built for that. */
bool delays_built(void);
/* All who come to a point wait, for microseconds. */
int delay_put(const char *point, unsigned int us);
/*
 * The next who comes to a point is parked there: whoever it is, so that a thread best says so
 * itself. If he is parked there already, he goes on until he comes again.
 */
int park_next(const char *point);
/* Waits until somebody is. NULL or what failed. */
const char *park_await(const char *point);
/*
 * He goes on, and nobody is parked any more. NULL, or that he has gone by himself: it took too
 * long, and proves nothing.
 */
const char *park_end(const char *point);

#endif /* _SELFTESTS_DELAY_H */
