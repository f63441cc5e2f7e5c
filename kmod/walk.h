/* SPDX-License-Identifier: GPL-2.0 */
/* What harvest.c and visit.c share. */
#ifndef _MEMSYNC_WALK_H
#define _MEMSYNC_WALK_H

#include "track_internal.h"

/* A piece whose page is swapped out, migrating or in a file: to be faulted in. */
#define MEMSYNC_PAGE_ELSEWHERE	((struct page *)1UL)

/* One call of memsync_harvest(): state of the walk. */
struct memsync_walk {
	struct memsync_track *track;
	struct mm_struct *mm;
	struct memsync_harvest *h;
	struct vm_area_struct *vma;	/* last one used; valid under the mmap lock, */
	const char *refusal;		/* as is what speaks against it, */
	bool hole;			/* that it counts as none, */
	bool backed;			/* that a file is below it, */
	pmd_t *pmds;			/* and the last table of PMDs */
	unsigned long pmds_addr;	/* an address that it covers */
	unsigned long found;		/* dirty pages */
	bool alone;			/* no other track of this memory */
	bool elsewhere;			/* a piece is to be faulted in */
	bool told;			/* other tracks were marked */
	int err;
	unsigned long flush_start;
	unsigned long flush_end;

	/* the block */
	unsigned long index;
	unsigned long addr;
	unsigned long started;		/* notifier ranges before its hints were taken, */
	bool active;			/* and whether one was under way */
	struct memsync_taken taken;
};

void memsync_walk_block(struct memsync_walk *w);
struct vm_area_struct *memsync_walk_vma(struct memsync_walk *w, unsigned long addr);
void memsync_walk_refuse(struct memsync_walk *w, const struct vm_area_struct *vma,
			 const char *why);

#endif /* _MEMSYNC_WALK_H */
