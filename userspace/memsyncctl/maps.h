/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CTL_MAPS_H
#define _CTL_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "problem.h"

/* One line of /proc/PID/maps. */
struct mapping {
	uint64_t start;
	uint64_t end;
	bool readable;
	bool writable;
	bool shared;
	uint64_t inode;
	char *name;		/* path, [heap], or empty; without " (deleted)" */
	char flags[160];	/* VmFlags of smaps: " rd wr mr "; empty if not read */
};

struct maps {
	struct mapping *items;
	size_t nr;
};

/* @smaps: with VmFlags, which takes longer: the kernel walks all page tables. */
int maps_read(pid_t pid, bool smaps, struct maps *maps, struct problem *p);
int maps_parse(FILE *file, struct maps *maps);
void maps_free(struct maps *maps);

/* Why the module cannot track it, or NULL where it may. */
const char *mapping_refusal(const struct mapping *m);
/* Private and without a file: heap, stacks, [anon:…], plain mappings, and such of hugetlb. */
bool mapping_anonymous(const struct mapping *m);
/* Is it of a kind of which only the module knows? */
bool mapping_doubtful(const struct mapping *m);
/* Is all of [start, end) mapped? */
bool maps_cover(const struct maps *maps, uint64_t start, uint64_t end);

#endif /* _CTL_MAPS_H */
