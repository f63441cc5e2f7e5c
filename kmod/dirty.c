// SPDX-License-Identifier: GPL-2.0
/* The set of dirty pages, cheap to fill from a page fault and to walk when sparse. */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "dirty.h"

/* kvcalloc() ends at 2 GiB, which is not enough for the largest regions. */
static void *alloc_blocks(unsigned long nr)
{
	size_t size = array_size(nr, sizeof(struct memsync_block));

	return size > INT_MAX ? __vmalloc(size, GFP_KERNEL_ACCOUNT | __GFP_ZERO) :
				kvzalloc(size, GFP_KERNEL_ACCOUNT);
}

/**
 * memsync_dirty_init - make an empty set
 * @d: to be filled in
 * @nr_blocks: how many blocks of 2 MiB it covers, at least 1
 *
 * Return: 0 or -ENOMEM, with nothing to be freed then.
 */
int memsync_dirty_init(struct memsync_dirty *d, unsigned long nr_blocks)
{
	d->nr_blocks = nr_blocks;
	d->blocks = alloc_blocks(nr_blocks);
	d->marked = kvcalloc(BITS_TO_LONGS(nr_blocks), sizeof(long), GFP_KERNEL_ACCOUNT);
	d->look = kvcalloc(BITS_TO_LONGS(nr_blocks), sizeof(long), GFP_KERNEL_ACCOUNT);
	d->opened = kvcalloc(BITS_TO_LONGS(nr_blocks), sizeof(long), GFP_KERNEL_ACCOUNT);
	if (d->blocks && d->marked && d->look && d->opened)
		return 0;
	memsync_dirty_destroy(d);
	return -ENOMEM;
}

void memsync_dirty_destroy(struct memsync_dirty *d)
{
	kvfree(d->blocks);
	kvfree(d->marked);
	kvfree(d->look);
	kvfree(d->opened);
	d->blocks = NULL;
	d->marked = NULL;
	d->look = NULL;
	d->opened = NULL;
}

/* Bytes of memory the set occupies. */
size_t memsync_dirty_bytes(const struct memsync_dirty *d)
{
	return d->nr_blocks * sizeof(*d->blocks) + 3 * BITS_TO_LONGS(d->nr_blocks) * sizeof(long);
}

/* Marks the pages that are set in @pages. Any context. */
void memsync_dirty_bitmap(struct memsync_dirty *d, unsigned long block,
			  const unsigned long *pages)
{
	unsigned long *dirty = d->blocks[block].dirty;
	unsigned int i;

	BUILD_BUG_ON(sizeof(atomic_long_t) != sizeof(long));
	for (i = 0; i < BITS_TO_LONGS(MEMSYNC_BLOCK_PAGES); i++)
		if (pages[i])
			atomic_long_or(pages[i], (atomic_long_t *)&dirty[i]);
	/* Pairs with the full barrier of test_and_clear_bit() in memsync_dirty_take(). */
	smp_mb__before_atomic();
	set_bit(block, d->marked);
}

/* Marks @nr pages from @first on in one block. Any context. */
void memsync_dirty_pages(struct memsync_dirty *d, unsigned long block, unsigned int first,
			 unsigned int nr)
{
	DECLARE_BITMAP(pages, MEMSYNC_BLOCK_PAGES);

	bitmap_zero(pages, MEMSYNC_BLOCK_PAGES);
	bitmap_set(pages, first, nr);
	memsync_dirty_bitmap(d, block, pages);
}

static bool promote_open(struct memsync_dirty *d, unsigned long block, unsigned int first,
			 unsigned int nr)
{
	DECLARE_BITMAP(pages, MEMSYNC_BLOCK_PAGES);

	bitmap_zero(pages, MEMSYNC_BLOCK_PAGES);
	bitmap_set(pages, first, nr);
	if (!bitmap_and(pages, pages, d->blocks[block].open, MEMSYNC_BLOCK_PAGES))
		return false;
	memsync_dirty_bitmap(d, block, pages);
	return true;
}

/*
 * The page table is about to stop telling which of these pages were written:
 * the open ones count as dirty and, where there is a look, they all do. The look
 * stays. Returns whether any does.
 */
bool memsync_dirty_promote(struct memsync_dirty *d, unsigned long block, unsigned int first,
			   unsigned int nr)
{
	if (test_bit(block, d->look)) {
		memsync_dirty_pages(d, block, first, nr);
		return true;
	}
	return test_bit(block, d->opened) && promote_open(d, block, first, nr);
}

static void take_open(struct memsync_dirty *d, unsigned long block, struct memsync_taken *taken)
{
	unsigned long *open = d->blocks[block].open;
	unsigned int i;

	for (i = 0; i < BITS_TO_LONGS(MEMSYNC_BLOCK_PAGES); i++) {
		taken->open[i] = READ_ONCE(open[i]) ? xchg(&open[i], 0) : 0;
		if (taken->open[i])
			taken->words |= BIT(i);
	}
}

/**
 * memsync_dirty_take - take what is marked in one block
 * @d: the set
 * @block: which block
 * @taken: filled in; the block is clean afterwards, but for what writers add
 *
 * Return: whether there was anything. One taker at a time.
 */
bool memsync_dirty_take(struct memsync_dirty *d, unsigned long block, struct memsync_taken *taken)
{
	unsigned long *dirty = d->blocks[block].dirty;
	unsigned int i;

	/* Before the pages, so that a page set later finds or sets the mark again. */
	if (!test_and_clear_bit(block, d->marked))
		return false;
	taken->look = test_and_clear_bit(block, d->look);
	taken->words = 0;
#pragma GCC unroll 8
	for (i = 0; i < BITS_TO_LONGS(MEMSYNC_BLOCK_PAGES); i++) {
		unsigned long pages = READ_ONCE(dirty[i]);

		if (pages) {
			pages = xchg(&dirty[i], 0);
			taken->words |= BIT(i);
		}
		taken->dirty[i] = pages;
	}
	taken->opened = test_bit(block, d->opened) && test_and_clear_bit(block, d->opened);
	if (unlikely(taken->opened))
		take_open(d, block, taken);
	return taken->look || taken->words;
}
