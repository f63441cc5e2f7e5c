/* SPDX-License-Identifier: GPL-2.0 */
/* What visit.c and entries.c share: the part of a block that is visited, and what was found. */
#ifndef _MEMSYNC_VISIT_H
#define _MEMSYNC_VISIT_H

#include <linux/mm.h>
#include <linux/pgtable.h>
#include "walk.h"

/* A stretch of one block, one range and one VMA. */
struct segment {
	unsigned long start;
	unsigned int first;		/* page in the block */
	unsigned int nr;
	u64 offset;
};

/* The first set bit from @i on, or @end; the next one is mostly near. */
static __always_inline unsigned int next_set(const unsigned long *bits, unsigned int i,
					     unsigned int end)
{
	unsigned long word;

	while (i < end) {
		word = bits[i / BITS_PER_LONG] >> (i % BITS_PER_LONG);
		if (word)
			return min(i + (unsigned int)__ffs(word), end);
		i = round_down(i, BITS_PER_LONG) + BITS_PER_LONG;
	}
	return end;
}

#define for_each_wanted(i, w, s)								\
	for (i = next_set((w)->taken.dirty, (s)->first, (s)->first + (s)->nr);			\
	     i < (s)->first + (s)->nr;								\
	     i = next_set((w)->taken.dirty, i + 1, (s)->first + (s)->nr))

static inline u64 offset_of(const struct segment *s, unsigned int i)
{
	return s->offset + ((u64)(i - s->first) << PAGE_SHIFT);
}

static inline struct memsync_piece *next_piece(struct memsync_walk *w)
{
	return &w->h->pieces[w->h->nr++];
}

static __always_inline void found_page(struct memsync_walk *w, const struct segment *s,
				       unsigned int i, struct page *page)
{
	get_page(page);
	*next_piece(w) = (struct memsync_piece){ .offset = offset_of(s, i), .nr = 1, .page = page };
}

static inline void found_elsewhere(struct memsync_walk *w, const struct segment *s, unsigned int i)
{
	w->elsewhere = true;
	*next_piece(w) = (struct memsync_piece) {
		.offset = offset_of(s, i),
		.nr = 1,
		.coarse = w->hugetlb || w->compared,
		.page = MEMSYNC_PAGE_ELSEWHERE,
	};
}

static inline void found_zeros(struct memsync_walk *w, const struct segment *s, unsigned int i)
{
	struct memsync_piece *last;
	u64 offset = offset_of(s, i);

	w->bare++;
	last = w->h->nr ? &w->h->pieces[w->h->nr - 1] : NULL;
	if (last && !last->page && last->offset + ((u64)last->nr << PAGE_SHIFT) == offset)
		last->nr++;
	else
		*next_piece(w) = (struct memsync_piece){ .offset = offset, .nr = 1 };
}

/*
 * A notifier that was under way in this block when the hints were taken, or has started
 * since, found nothing to promote, and the entry it then changed no longer tells. Asked
 * under the lock that such a change needs, so the answer holds for as long as
 * that is held.
 */
static inline void distrust_entries(struct memsync_walk *w)
{
	if (likely(!w->taken.look && !w->taken.opened) ||
	    (!w->active && !memsync_mm_began_in(w->track->m, w->addr, w->started)))
		return;
	if (w->taken.look)
		memsync_taken_fill(&w->taken);
	else
		memsync_taken_fill_open(&w->taken);
}

/* There are no entries to tell which of the open pages were written. */
static inline void distrust_open(struct memsync_walk *w)
{
	if (unlikely(w->taken.opened))
		memsync_taken_fill_open(&w->taken);
}

/* What migrates from a writable entry comes back writable, and nobody tells. */
static inline void expect_writable(struct memsync_walk *w)
{
	memsync_dirty_look(&w->track->dirty, w->index);
}

void memsync_visit_entries(struct memsync_walk *w, const struct segment *s, pte_t *table);

#endif /* _MEMSYNC_VISIT_H */
