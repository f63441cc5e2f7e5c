/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _TAP_H
#define _TAP_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* One program's results; each line of the plan is a CHECK(). */
#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

static int tap_nr, tap_failed;

static inline bool tap_result(bool ok, const char *file, int line, const char *what)
{
	tap_failed += !ok;
	printf("%sok %d - %s\n", ok ? "" : "not ", ++tap_nr, what);
	if (!ok)
		printf("# %s:%d\n", file, line);
	return ok;
}

#define CHECK(condition, what)	tap_result(condition, __FILE__, __LINE__, what)

/* Are they the same text? */
static inline void tap_same(const char *got, const char *wanted, const char *file, int line,
			    const char *what)
{
	if (!tap_result(got && !strcmp(got, wanted), file, line, what))
		printf("# got:    '%s'\n# wanted: '%s'\n", got ? got : "(null)", wanted);
}

#define CHECK_SAME(got, wanted, what)	tap_same(got, wanted, __FILE__, __LINE__, what)

/* Is @part in @got? */
static inline void tap_has(const char *got, const char *part, const char *file, int line,
			   const char *what)
{
	if (!tap_result(strstr(got, part), file, line, what))
		printf("# '%s' is not in '%s'\n", part, got);
}

#define CHECK_HAS(got, part, what)	tap_has(got, part, __FILE__, __LINE__, what)

static inline int tap_done(void)
{
	printf("1..%d\n", tap_nr);
	return tap_failed ? 1 : 0;
}

#endif /* _TAP_H */
