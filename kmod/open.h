/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Open pages: left writable though they are clean, so that writing to them needs no
 * fault. What was written since shows in the entry's dirty bit, in the folio's dirty
 * flag or in a reference that somebody holds.
 */
#ifndef _MEMSYNC_OPEN_H
#define _MEMSYNC_OPEN_H

#include <linux/mm.h>
#include <linux/pgtable.h>
#include "track_internal.h"

#define MEMSYNC_OPEN_AROUND_MAX		32	/* neighbours that one fault opens */
#define MEMSYNC_OPEN_AROUND_FIRST	8
#define MEMSYNC_OPEN_DOUBT_MAX		7U	/* walks */
#define MEMSYNC_OPEN_RUN		3	/* pages next to a written one that tell of more */

struct memsync_bets;

bool memsync_open_is_written(pte_t pte, struct page *page);
bool memsync_open_clean(pte_t *ptep, struct page *page);
void memsync_open_neighbours(struct memsync_track *track, const struct vm_area_struct *vma,
			     unsigned long block, unsigned long addr, pte_t *ptep);
void memsync_open_adapt(struct memsync_track *track, const struct memsync_bets *hot,
			const struct memsync_bets *neighbours);
void memsync_open_written(struct memsync_track *track, unsigned long block,
			  unsigned long *pages);

/*
 * May this page be next to a run of pages that were written, or made open, since the last
 * harvest? Cheap, and no for most of those that are written here and there.
 */
static inline bool memsync_open_may_run(const struct memsync_track *track, unsigned long block,
					unsigned int page)
{
	const struct memsync_block *b = &track->dirty.blocks[block];
	unsigned int word = page / BITS_PER_LONG, bit = page % BITS_PER_LONG;
	unsigned long near = READ_ONCE(b->dirty[word]) | READ_ONCE(b->open[word]);

	BUILD_BUG_ON(MEMSYNC_OPEN_RUN != 3);
	if (near & near << 1 & near << 2)
		return true;
	/* Too near to the next word for this one to tell. */
	return bit < MEMSYNC_OPEN_RUN || bit >= BITS_PER_LONG - MEMSYNC_OPEN_RUN;
}

#endif /* _MEMSYNC_OPEN_H */
