/* SPDX-License-Identifier: GPL-2.0 */
/* Ways to change memory that neither a fault nor a notifier tells of. */
#ifndef _MEMSYNC_BYPASS_H
#define _MEMSYNC_BYPASS_H

#include <linux/atomic.h>
#include "reference.h"
#include "userfault.h"

struct ftrace_regs;
struct memsync_mm;
struct mm_struct;

/* A stretch of memory that is being written. */
struct memsync_unseen {
	struct mm_struct *mm;
	struct memsync_mm *m;
	atomic_t *in_flight;
	unsigned long start;
	unsigned long end;
};

void memsync_unseen_begin(struct memsync_unseen *u, struct mm_struct *mm, unsigned long start,
			  unsigned long end);
void memsync_unseen_end(struct memsync_unseen *u);

#define MEMSYNC_BYPASSES	(3 + MEMSYNC_REFERENCES + 2 + MEMSYNC_USERFAULT_SITES)

int memsync_bypass_find(unsigned long *sites);

/* ftrace calls it at the entries that were found. */
void memsync_bypass_hook(unsigned long site, struct ftrace_regs *fregs);

#endif /* _MEMSYNC_BYPASS_H */
