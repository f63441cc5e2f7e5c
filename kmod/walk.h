/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of a walk share. */
#ifndef _MEMSYNC_WALK_H
#define _MEMSYNC_WALK_H

#include "track_internal.h"

/* A piece whose page is swapped out, migrating, in a file or of hugetlb: to be fetched. */
#define MEMSYNC_PAGE_ELSEWHERE	((struct page *)1UL)
/* One of a shared object, that was hinted at, and one that is to be looked at. */
#define MEMSYNC_PAGE_SHARED	((struct page *)2UL)
#define MEMSYNC_PAGE_UNSURE	((struct page *)3UL)

static inline bool memsync_piece_has_page(const struct memsync_piece *piece)
{
	return piece->page > MEMSYNC_PAGE_UNSURE;
}

/* Open pages: those that were written, and those that are closed since they were not. */
struct memsync_bets {
	unsigned int paid;
	unsigned int lost;
};

/* One call of memsync_harvest(): state of the walk. */
struct memsync_walk {
	struct memsync_track *track;
	struct mm_struct *mm;
	struct memsync_harvest *h;
	struct vm_area_struct *vma;	/* last one used; valid under the mmap lock, */
	const char *refusal;		/* as is what speaks against it, */
	bool hole;			/* that it counts as none, */
	bool backed;			/* that a file is below it, */
	bool object;			/* that others may share it, */
	bool hugetlb;			/* that it is hugetlb memory, */
	bool compared;			/* that all of it is found each time, */
	pmd_t *pmds;			/* and the last table of PMDs */
	unsigned long pmds_addr;	/* an address that it covers */
	unsigned long bare;		/* pages visited that were zeros, or not written */
	bool alone;			/* no other track of this memory */
	bool may_open;			/* so that pages may be left writable */
	bool plain;			/* so, and what is found is what was written of late */
	struct memsync_bets hot;
	struct memsync_bets neighbours;
	bool elsewhere;			/* a piece is to be faulted in */
	bool told;			/* other tracks were marked */
	bool unsure_is_written;		/* the object is in page tables that do not tell */
	const struct vm_area_struct *last_object;	/* found mapped, at the beginning, */
	u64 object_size;		/* and bytes of all of them */
	bool stale;			/* what is shared is not known well enough */
	bool updated;			/* that was mended in this call */
	bool full;			/* no room for parts: the block is to be visited again */
	int err;
	unsigned long flush_start;
	unsigned long flush_end;

	const struct memsync_extent *extent;	/* those of the last block, */
	unsigned int range;			/* which mostly are the next one's */

	/* Blocks that lie in one range and in @vma, where nothing tracked is shared. */
	unsigned long whole_start;
	unsigned long whole_size;	/* bytes; 0: none that are known */
	u64 whole_offset;		/* into the replica, of address 0, so to say */

	/* the block */
	unsigned long index;
	unsigned long addr;
	unsigned long started;		/* notifier ranges before its hints were taken, */
	bool active;			/* and whether one was under way */
	struct memsync_taken taken;
};

void memsync_walk_block(struct memsync_walk *w);
void memsync_walk_keep(struct memsync_walk *w);
void memsync_walk_keep_excess(struct memsync_walk *w);
bool memsync_folio_has_excess(struct folio *folio, unsigned int own);
int memsync_settle(struct memsync_walk *w, bool fetch);
void memsync_settle_end(struct memsync_walk *w);
struct vm_area_struct *memsync_walk_find_vma(struct memsync_walk *w, unsigned long addr);
void memsync_walk_refuse(struct memsync_walk *w, const struct vm_area_struct *vma,
			 const char *why);

/* The mapping that ends above @addr, if any. */
static inline struct vm_area_struct *memsync_walk_vma(struct memsync_walk *w, unsigned long addr)
{
	if (likely(w->vma && addr >= w->vma->vm_start && addr < w->vma->vm_end))
		return w->vma;
	return memsync_walk_find_vma(w, addr);
}

#endif /* _MEMSYNC_WALK_H */
