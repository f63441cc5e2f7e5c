/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's pool of huge pages, of 2 MiB each. */
#ifndef _SELFTESTS_HUGE_H
#define _SELFTESTS_HUGE_H

#include <stdbool.h>
#include <stddef.h>

/* How many it has: "Total", "Free", "Rsvd", "Surp" as in /proc/meminfo; or -1. */
long huge_pages(const char *which);
/* Makes it so many. False: there are others now. */
bool huge_pool(unsigned long pages);
/* Private memory from it, at @at with MAP_FIXED; NULL: there is none. */
void *huge_map(void *at, size_t size, int flags);

#endif /* _SELFTESTS_HUGE_H */
