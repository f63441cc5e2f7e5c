/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CTL_PROCESS_H
#define _CTL_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

#include <linux/memsync.h>

#include "problem.h"
#include "range.h"

/* A process as it was when first looked at; pid and start are never another's. */
struct process {
	pid_t pid;
	uint64_t start;
	char name[MEMSYNC_NAME_MAX + 1];	/* a name for its region */
};

/* Both 0, or -1 with a problem. */
int process_look(pid_t pid, struct process *process, struct problem *p);
int process_ranges(const struct process *process, const struct range_args *args,
		   struct ranges *ranges, struct problem *p);

#endif /* _CTL_PROCESS_H */
