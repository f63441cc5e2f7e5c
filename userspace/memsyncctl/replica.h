/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CTL_REPLICA_H
#define _CTL_REPLICA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <memsync.h>

#include "problem.h"

/* What was mapped in one go. */
struct replica_part {
	void *memory;
	uint64_t size;
};

/* The memory that a received region is written to: a file's, or anonymous. */
struct replica {
	const char *path;	/* NULL: anonymous */
	int fd;
	bool created;		/* the file was made here */
	bool resumed;		/* it held a replica before */
	struct replica_part *parts;
	size_t nr_parts;
	uint64_t size;		/* of all parts; before the first one, of the file */
	struct memsync_range *ranges;	/* of the last part */
	size_t nr_ranges;
};

/* 0, or -1 with a problem. @path NULL: no file. */
int replica_open(struct replica *r, const char *path, bool resume, struct problem *p);
/*
 * Maps room for ranges of these lengths, one after another, behind what there is.
 * After a failure the replica is as before.
 */
int replica_map(struct replica *r, const uint64_t *lengths, size_t nr, uint64_t max_size,
		struct problem *p);
/* Undoes the last replica_map(). */
void replica_unmap(struct replica *r);
/* Writes the file out and unmaps. A file that was made here and never used is removed. */
int replica_close(struct replica *r, struct problem *p);

#endif /* _CTL_REPLICA_H */
