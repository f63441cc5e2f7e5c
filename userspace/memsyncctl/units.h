/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CTL_UNITS_H
#define _CTL_UNITS_H

#include <stddef.h>
#include <stdint.h>

#include "problem.h"

#define UNIT_TEXT	32

/* "12.5 MiB", "3.2 ms"; @text has UNIT_TEXT bytes and is returned. */
const char *unit_bytes(char *text, uint64_t bytes);
const char *unit_time(char *text, uint64_t ns);

/*
 * These read all of @text; 0, or -1 with a problem that begins with @what.
 * A number is decimal or 0x hex, and bytes take a suffix K, M, G or T (1024s).
 */
int unit_read_u64(const char *text, const char *what, uint64_t *value, struct problem *p);
int unit_read_bytes(const char *text, const char *what, uint64_t *value, struct problem *p);
/* "10ms", "500us", "1.5s"; @ns must fit. */
int unit_read_time(const char *text, const char *what, uint64_t *ns, struct problem *p);
/* The same between 1 us and 60 s, for --interval. */
int unit_read_interval(const char *text, uint64_t *ns, struct problem *p);
/* Seconds with or without a unit, for --timeout and the like; at most 24 days. */
int unit_read_timeout(const char *text, int *ms, const char *what, struct problem *p);

#endif /* _CTL_UNITS_H */
