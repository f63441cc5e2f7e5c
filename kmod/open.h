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

bool memsync_open_is_written(pte_t pte, struct page *page);
bool memsync_open_clean(pte_t *ptep, struct page *page);
void memsync_open_neighbours(struct memsync_track *track, const struct vm_area_struct *vma,
			     unsigned long block, unsigned long addr, pte_t *ptep);
void memsync_open_adapt(struct memsync_track *track, unsigned int tried, unsigned int paid);
void memsync_open_written(struct memsync_track *track, unsigned long block,
			  unsigned long *pages);

/* Was a page next to this one written, or made open, since the last harvest? */
static inline bool memsync_open_has_neighbour(const struct memsync_track *track,
					      unsigned long block, unsigned int page)
{
	const struct memsync_block *b = &track->dirty.blocks[block];
	unsigned int word = page / BITS_PER_LONG, bit = page % BITS_PER_LONG;
	unsigned long near = READ_ONCE(b->dirty[word]) | READ_ONCE(b->open[word]);

	if (near & (BIT(bit) >> 1 | BIT(bit) << 1))
		return true;
	if (likely(bit && bit != BITS_PER_LONG - 1))
		return false;
	page += bit ? 1 : -1;
	return page < MEMSYNC_BLOCK_PAGES &&
	       (test_bit(page, b->dirty) || test_bit(page, b->open));
}

#endif /* _MEMSYNC_OPEN_H */
