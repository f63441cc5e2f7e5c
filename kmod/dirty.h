/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMSYNC_DIRTY_H
#define _MEMSYNC_DIRTY_H

#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/types.h>

#define MEMSYNC_BLOCK_SHIFT	21
#define MEMSYNC_BLOCK_SIZE	BIT(MEMSYNC_BLOCK_SHIFT)
#define MEMSYNC_BLOCK_PAGES	512

/*
 * Which pages must be shipped (dirty), in which blocks a page may have become
 * writable so that its page table must tell (look), and which pages were left
 * writable though clean, so that only their entries tell (open). A block is what
 * one page table maps, 2 MiB. Knows neither processes nor page tables.
 *
 * Any number of writers, one taker. A writer sets the page, then the block's
 * mark; the taker clears the mark, then takes the pages: a mark is never
 * missing while a page is set.
 */
struct memsync_block {
	DECLARE_BITMAP(dirty, MEMSYNC_BLOCK_PAGES);
	DECLARE_BITMAP(open, MEMSYNC_BLOCK_PAGES);
	/* The taker's own: found when he last looked at this word, and the time before, too. */
	DECLARE_BITMAP(once, MEMSYNC_BLOCK_PAGES);
	DECLARE_BITMAP(twice, MEMSYNC_BLOCK_PAGES);
};

struct memsync_dirty {
	unsigned long nr_blocks;
	struct memsync_block *blocks;
	unsigned long *marked;		/* blocks with dirty or open pages or a look */
	unsigned long *look;		/* blocks to look at */
	unsigned long *opened;		/* blocks with open pages */
};

/* What memsync_dirty_take() found in one block. */
struct memsync_taken {
	bool look;
	bool opened;			/* @open is not empty; else it is not filled in */
	unsigned long words;		/* a bit for each word with pages */
	DECLARE_BITMAP(dirty, MEMSYNC_BLOCK_PAGES);
	DECLARE_BITMAP(open, MEMSYNC_BLOCK_PAGES);
};

/* All of its pages count as taken. */
static inline void memsync_taken_fill(struct memsync_taken *taken)
{
	bitmap_fill(taken->dirty, MEMSYNC_BLOCK_PAGES);
	taken->words = GENMASK(BITS_TO_LONGS(MEMSYNC_BLOCK_PAGES) - 1, 0);
}

/* What was open counts as written. */
static inline void memsync_taken_fill_open(struct memsync_taken *taken)
{
	bitmap_or(taken->dirty, taken->dirty, taken->open, MEMSYNC_BLOCK_PAGES);
}

int memsync_dirty_init(struct memsync_dirty *d, unsigned long nr_blocks);
void memsync_dirty_destroy(struct memsync_dirty *d);
size_t memsync_dirty_bytes(const struct memsync_dirty *d);

/* One page was, or is about to be, written. Any context. */
static inline void memsync_dirty_page(struct memsync_dirty *d, unsigned long block,
				      unsigned int page)
{
	set_bit(page, d->blocks[block].dirty);
	set_bit(block, d->marked);
}

/* A page of this block became, or is about to become, writable. Any context. */
static inline void memsync_dirty_look(struct memsync_dirty *d, unsigned long block)
{
	set_bit(block, d->look);
	set_bit(block, d->marked);
}

/*
 * One page is about to become writable with no hint. The taker goes the other way: who
 * finds a mark set is in time for what is taken with it.
 */
static inline void memsync_dirty_open(struct memsync_dirty *d, unsigned long block,
				      unsigned int page)
{
	set_bit(page, d->blocks[block].open);
	smp_mb__after_atomic();		/* pairs with the clearing of the marks */
	if (!test_bit(block, d->opened))
		set_bit(block, d->opened);
	smp_mb__after_atomic();		/* the same */
	if (!test_bit(block, d->marked))
		set_bit(block, d->marked);
}

void memsync_dirty_pages(struct memsync_dirty *d, unsigned long block, unsigned int first,
			 unsigned int nr);
void memsync_dirty_bitmap(struct memsync_dirty *d, unsigned long block,
			  const unsigned long *pages);
bool memsync_dirty_promote(struct memsync_dirty *d, unsigned long block, unsigned int first,
			   unsigned int nr);
bool memsync_dirty_take(struct memsync_dirty *d, unsigned long block, struct memsync_taken *taken);

/* The first marked block from @block on, or nr_blocks. */
static inline unsigned long memsync_dirty_next(const struct memsync_dirty *d, unsigned long block)
{
	unsigned long word;

	if (block < d->nr_blocks) {	/* mostly it is near */
		word = READ_ONCE(d->marked[block / BITS_PER_LONG]) >> (block % BITS_PER_LONG);
		if (word)
			return block + __ffs(word);
	}
	return find_next_bit(d->marked, d->nr_blocks, block);
}

/* Neither dirty nor open nor in a block to look at. Reads only. */
static inline bool memsync_dirty_is_clean(const struct memsync_dirty *d, unsigned long block,
					  unsigned int page)
{
	return !test_bit(page, d->blocks[block].dirty) &&
	       !test_bit(page, d->blocks[block].open) && !test_bit(block, d->look);
}

#endif /* _MEMSYNC_DIRTY_H */
