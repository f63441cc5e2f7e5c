/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CTL_RANGE_H
#define _CTL_RANGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <memsync.h>

#include "maps.h"
#include "problem.h"

/* A writable mapping that `all` or `anon` could not take. */
struct left_out {
	uint64_t start;
	uint64_t end;
	char *name;
	char *why;
};

/*
 * What one or more --addr options come to. Where @names has one, the range is a
 * mapping that need not be taken: whether it can be is for the module to say.
 */
struct ranges {
	struct memsync_range *items;
	char **names;
	size_t nr;
	struct left_out *left_out;
	size_t nr_left_out;
};

/*
 * What RANGE[,RANGE…] says without a look at the process; a comma or
 * backslash in a path is written after a backslash.
 */
enum range_kind {
	RANGE_SPAN,		/* start and end */
	RANGE_NAMED,		/* mappings of a name or path */
	RANGE_ANON,
	RANGE_ALL,
};

struct range_arg {
	enum range_kind kind;
	uint64_t start;
	uint64_t end;
	char *name;		/* of RANGE_NAMED */
	bool digits_only;	/* START-END that would be hex in /proc/PID/maps */
};

struct range_args {
	struct range_arg *items;
	size_t nr;
};

/* range-parse.c; appends to @args. 0, or -1 with a problem. */
int range_args_parse(const char *text, struct range_args *args, struct problem *p);
void range_args_free(struct range_args *args);
/*
 * Is `anon` or `all` among them? Then the VmFlags of smaps are needed, and what the
 * process maps later may belong to it.
 */
bool range_args_any_sort(const struct range_args *args);
/* Is `all`? */
bool range_args_any_all(const struct range_args *args);

/* range-expand.c. 0, or -1 with a problem; @ranges is to be freed in any case. */
int ranges_expand(const struct range_args *args, const struct maps *maps, struct ranges *ranges,
		  struct problem *p);
void ranges_free(struct ranges *ranges);
/* Notes that item @index, which need not be taken, is not. 0, or -1 with a problem. */
int ranges_leave_out(struct ranges *ranges, size_t index, const char *why, struct problem *p);
uint64_t ranges_size(const struct ranges *ranges);

#endif /* _CTL_RANGE_H */
