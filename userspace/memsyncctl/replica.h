/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CTL_REPLICA_H
#define _CTL_REPLICA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <memsync.h>

#include "problem.h"

/* The memory that a received region is written to: a file's, or anonymous. */
struct replica {
	const char *path;	/* NULL: anonymous */
	int fd;
	bool created;		/* the file was made here */
	bool resumed;		/* it held a replica before */
	void *memory;
	uint64_t size;
	struct memsync_range *ranges;
	size_t nr_ranges;
};

/* 0, or -1 with a problem. @path NULL: no file. */
int replica_open(struct replica *r, const char *path, bool resume, struct problem *p);
/* Maps room for ranges of these lengths, one after another. */
int replica_map(struct replica *r, const uint64_t *lengths, size_t nr, uint64_t max_size,
		struct problem *p);
/* Writes the file out and unmaps. A file that was made here and never used is removed. */
int replica_close(struct replica *r, struct problem *p);

#endif /* _CTL_REPLICA_H */
