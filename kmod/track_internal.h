/* SPDX-License-Identifier: GPL-2.0 */
/* What track.c, harvest.c, notifier.c and fault.c share. */
#ifndef _MEMSYNC_TRACK_INTERNAL_H
#define _MEMSYNC_TRACK_INTERNAL_H

#include <linux/percpu.h>
#include "backing.h"
#include "compare.h"
#include "dirty.h"
#include "mm.h"
#include "track.h"
#include "view.h"

/* Blocks without a gap. */
struct memsync_extent {
	unsigned long first;	/* block number: address >> MEMSYNC_BLOCK_SHIFT */
	unsigned long nr;
	unsigned long index;	/* of the first one in the dirty set */
};

enum memsync_track_flag {
	MEMSYNC_TRACK_ARMED,	/* the owner wants to know of the next hint */
	MEMSYNC_TRACK_ENDED,	/* and has been told that there will be none */
	MEMSYNC_TRACK_FOLLOWS,	/* see MEMSYNC_TRACK_FOLLOW; fixed */
	MEMSYNC_TRACK_FOLLOWS_FILES,	/* see MEMSYNC_TRACK_FOLLOW_FILES; fixed */
	MEMSYNC_TRACK_STRAYED,	/* something was written outside the ranges */
	MEMSYNC_TRACK_SHARES,	/* holds the hooks of shared memory */
	MEMSYNC_TRACK_OPENS,	/* see MEMSYNC_TRACK_PASSES; fixed */
	MEMSYNC_TRACK_COMPARES,	/* see MEMSYNC_TRACK_COMPARE; fixed */
	MEMSYNC_TRACK_HAS_COMPARED,	/* the last walk found such memory */
	MEMSYNC_TRACK_ALL_MARKED,	/* or much: what the next walk finds tells nothing */
};

/**
 * struct memsync_track - one consumer's view of one process's memory
 * @node: in memsync_mm.tracks
 * @m: the memory
 * @ranges: sorted by address
 * @nr_ranges: how many
 * @by_offset: the same, sorted by offset
 * @extents: the blocks that the ranges touch
 * @nr_extents: how many
 * @dirty: the set
 * @backings: the files that the last walk found mapped
 * @views: the shared objects that it found
 * @flags: enum memsync_track_flag
 * @visited: the block that a walk has taken, or MEMSYNC_NO_BLOCK
 * @around: how many neighbours of a written page may be made open
 * @hot_rest: for how many walks no page is opened for being written often
 * @hot_doubt: for how many it was the last time
 * @write_faults: per CPU
 * @past_write_faults: of the tracks that this one replaced
 * @ops: upcalls
 * @owner: handed to them
 */
struct memsync_track {
	struct list_head node;
	struct memsync_mm *m;
	struct memsync_range *ranges;
	unsigned int nr_ranges;
	const struct memsync_range **by_offset;
	struct memsync_extent *extents;
	unsigned int nr_extents;
	struct memsync_dirty dirty;
	struct memsync_backings backings;
	struct memsync_views views;
	unsigned long flags;
	unsigned long visited;
	unsigned int around;
	unsigned int hot_rest;
	unsigned int hot_doubt;
	u64 __percpu *write_faults;
	u64 past_write_faults;
	const struct memsync_track_ops *ops;
	void *owner;
};

#define MEMSYNC_NO_BLOCK	(~0UL)

/* Index of the block that holds @addr, or MEMSYNC_NO_BLOCK. */
static inline unsigned long memsync_track_block(const struct memsync_track *track,
						unsigned long addr)
{
	unsigned long nr = addr >> MEMSYNC_BLOCK_SHIFT;
	unsigned int low = 0, high = track->nr_extents;

	while (low < high) {
		unsigned int mid = (low + high) / 2;
		const struct memsync_extent *e = &track->extents[mid];

		if (nr < e->first)
			high = mid;
		else if (nr - e->first >= e->nr)
			low = mid + 1;
		else
			return e->index + (nr - e->first);
	}
	return MEMSYNC_NO_BLOCK;
}

static inline unsigned int memsync_page_in_block(unsigned long addr)
{
	return (addr >> PAGE_SHIFT) % MEMSYNC_BLOCK_PAGES;
}

/* After a hint, whose set_bit() is the barrier that memsync_track_arm() pairs with. */
static inline void memsync_track_wake(struct memsync_track *track)
{
	if (test_bit(MEMSYNC_TRACK_ARMED, &track->flags) &&
	    test_and_clear_bit(MEMSYNC_TRACK_ARMED, &track->flags))
		track->ops->dirtied(track->owner);
}

/* Is a hint there for this page that was not taken yet? */
static inline bool memsync_track_is_marked(const struct memsync_track *track, unsigned long addr)
{
	unsigned long block = memsync_track_block(track, addr);

	return test_bit(memsync_page_in_block(addr), track->dirty.blocks[block].dirty);
}

/* The track of this memory if there is only one, else NULL. Under RCU, or m->walk_mutex. */
static inline struct memsync_track *memsync_track_only(const struct memsync_mm *m)
{
	struct list_head *first = rcu_dereference_raw(list_next_rcu(&m->tracks));

	if (first == &m->tracks || rcu_dereference_raw(list_next_rcu(first)) != &m->tracks)
		return NULL;
	return list_entry(first, struct memsync_track, node);
}

static inline bool memsync_track_follows(const struct memsync_track *track)
{
	return test_bit(MEMSYNC_TRACK_FOLLOWS, &track->flags);
}

/* Is this memory whose changes cannot be seen, so that all of it is found each time? */
static inline bool memsync_track_compares(const struct memsync_track *track,
					  const struct vm_area_struct *vma)
{
	return test_bit(MEMSYNC_TRACK_COMPARES, &track->flags) && memsync_vma_is_foreign(vma) &&
	       memsync_vma_is_comparable(vma);
}

/* A mapping that counts as none: what followed is replaced by something of another kind. */
static inline bool memsync_track_leaves_out(const struct memsync_track *track,
					    const struct vm_area_struct *vma)
{
	return memsync_track_follows(track) && memsync_vma_is_foreign(vma) &&
	       !memsync_track_compares(track, vma);
}

const struct memsync_extent *memsync_track_extent(const struct memsync_track *track,
						  unsigned long block);
unsigned long memsync_track_block_addr(const struct memsync_track *track, unsigned long block);
unsigned int memsync_track_range_at(const struct memsync_track *track, unsigned long addr);
unsigned long memsync_track_offset_addr(const struct memsync_track *track, u64 offset);
void memsync_track_members(const struct memsync_track *track, unsigned long block_addr,
			   unsigned long *members);

/* From the fault path; under RCU. */
bool memsync_track_covers(struct memsync_mm *m, unsigned long addr);
bool memsync_track_write_fast(struct memsync_mm *m, struct vm_area_struct *vma,
			      unsigned long addr, unsigned int flags, struct pt_regs *regs);
bool memsync_track_wants_split(struct memsync_mm *m, struct vm_area_struct *vma,
			       unsigned long addr, unsigned int flags);
void memsync_track_hint(struct memsync_mm *m, unsigned long addr, unsigned int flags, bool entry);
void memsync_track_account_fault(void);
void memsync_track_mark_in(struct mm_struct *mm, unsigned long start, unsigned long end);
void memsync_track_stray(struct memsync_mm *m, unsigned long start, unsigned long end,
			 bool in_file);

/* From the notifier; under RCU. */
void memsync_track_promote(struct memsync_track *track, unsigned long start, unsigned long end);
void memsync_track_mark_range(struct memsync_track *track, unsigned long start, unsigned long end);
void memsync_track_mark_bitmap(struct memsync_track *track, unsigned long addr,
			       const unsigned long *pages);
void memsync_track_look_range(struct memsync_track *track, unsigned long start, unsigned long end);
void memsync_track_ended(struct memsync_track *track, const char *reason);

/* In peek.c. */
bool memsync_peek_is_hole(const struct memsync_track *track, unsigned long addr);
bool memsync_peek_is_absent(const struct memsync_track *track, unsigned long addr);
long memsync_peek_get(const struct memsync_track *track, unsigned long addr, struct page **page,
		      int *locked);
bool memsync_peek_is_compared(const struct memsync_track *track, unsigned long addr);
bool memsync_peek_again(long got, unsigned int *waits);
#define MEMSYNC_PEEK_WAITS	(5 * HZ)

/* In harvest.c. */
int memsync_harvest_discard(struct memsync_track *track);
void memsync_unprotect(struct memsync_track *track);

#endif /* _MEMSYNC_TRACK_INTERNAL_H */
