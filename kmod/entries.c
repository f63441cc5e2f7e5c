// SPDX-License-Identifier: GPL-2.0
/* The visit of the entries of one page table: those that are hinted, open or looked at. */
#include <linux/leafops.h>
#include <linux/mm.h>
#include <linux/swap.h>
#include "open.h"
#include "pgwalk.h"
#include "visit.h"

/* How far apart two pages lie whose entries are a byte apart. */
#define BYTES_PER_ENTRY_BYTE		(PAGE_SIZE / sizeof(pte_t))

/* Another track may have been waiting to see this entry writable. */
static void tell_others(struct memsync_walk *w, unsigned long addr)
{
	struct memsync_track *other;

	list_for_each_entry_rcu(other, &w->track->m->tracks, node) {
		unsigned long block = memsync_track_block(other, addr);

		if (other == w->track || block == MEMSYNC_NO_BLOCK)
			continue;
		memsync_dirty_page(&other->dirty, block, memsync_page_in_block(addr));
		w->told = true;
	}
}

/* What has no page reads as zeros, or as the file below. A guard reads as nothing. */
static bool reads_as_file(const struct memsync_walk *w, pte_t pte)
{
	return w->backed && !softleaf_is_guard_marker(softleaf_from_pte(pte));
}

static void visit_not_present(struct memsync_walk *w, const struct segment *s, unsigned int i,
			      pte_t pte, bool wanted)
{
	if (softleaf_is_migration_write(softleaf_from_pte(pte)))
		expect_writable(w);
	if (!wanted)
		return;
	if (memsync_pte_is_void(pte) && !reads_as_file(w, pte))
		found_zeros(w, s, i);
	else
		found_elsewhere(w, s, i);
}

/* @wanted: a hint says that it was written; else it is looked at. */
static __always_inline void visit_pte(struct memsync_walk *w, const struct segment *s,
				      unsigned int i, pte_t *ptep, bool wanted)
{
	unsigned long addr = w->addr + ((unsigned long)i << PAGE_SHIFT);
	pte_t pte = ptep_get(ptep);

	if (unlikely(!pte_present(pte))) {
		visit_not_present(w, s, i, pte, wanted);
		return;
	}
	if (pte_write(pte)) {
		ptep_set_wrprotect(w->mm, addr, ptep);
		if (unlikely(!w->alone))
			tell_others(w, addr);
	} else if (!wanted) {
		return;
	}
	if (unlikely(pte_special(pte)))		/* the zero page */
		found_zeros(w, s, i);
	else
		found_page(w, s, i, pte_page(pte));
}

static bool is_open(const struct memsync_walk *w, unsigned int i)
{
	return w->taken.opened && test_bit(i, w->taken.open);
}

/* Those of @pages, of one word, that were found the last two times as well. */
static unsigned long hot_ones(const struct memsync_walk *w, unsigned int word,
			      unsigned long pages)
{
	const struct memsync_block *b = &w->track->dirty.blocks[w->index];

	return w->may_open && !w->track->hot_rest ? pages & b->once[word] & b->twice[word] : 0;
}

/* Was this page, which is open, opened for having been one of those? */
static bool is_hot(const struct memsync_walk *w, unsigned int i)
{
	return test_bit(i, w->track->dirty.blocks[w->index].twice);
}

/*
 * What was found in a word, for the next times. A hot page that was not written keeps
 * its place for now.
 */
static __always_inline void remember(struct memsync_walk *w, struct memsync_block *b,
				     unsigned int word, unsigned long mask)
{
	unsigned long found = w->h->of_all ? 0 : w->taken.dirty[word] & mask;
	unsigned long again = found & b->once[word];

	if (unlikely(again && w->taken.opened))
		again |= b->twice[word] & w->taken.open[word];
	if (unlikely(again))
		b->twice[word] = again;
	b->once[word] = found | (b->once[word] & ~mask);
}

/* Is an open page that was not written to be closed? A hot one, the second time. */
static bool is_lost(struct memsync_walk *w, unsigned int i)
{
	struct memsync_block *b = &w->track->dirty.blocks[w->index];

	if (!test_bit(i, b->twice)) {
		w->neighbours.lost++;
		return true;
	}
	if (test_bit(i, b->once))
		return false;
	w->hot.lost++;
	__clear_bit(i, b->twice);
	return true;
}

/*
 * An open page that nobody has written, for all we know, ends in two steps. It is
 * protected, but stays among the open ones: a CPU that was about to write it may set the
 * dirty bit of an entry that is read-only by then, and goes on until the flush. The next
 * walk looks once more.
 */
static bool close_page(struct memsync_walk *w, unsigned int i, pte_t *ptep, struct page *page)
{
	pte_t pte = ptep_get(ptep);

	if (!PageAnon(page) || memsync_open_is_written(pte, page))
		return false;
	w->bare++;
	if (!pte_write(pte))
		return true;
	if (is_lost(w, i))
		ptep_set_wrprotect(w->mm, w->addr + ((unsigned long)i << PAGE_SHIFT), ptep);
	memsync_dirty_open(&w->track->dirty, w->index, i);
	return true;
}

/* One that is open, or may be from now on. */
static void visit_open(struct memsync_walk *w, const struct segment *s, unsigned int i,
		       pte_t *ptep)
{
	bool hinted = test_bit(i, w->taken.dirty), hot = is_hot(w, i);
	pte_t pte = ptep_get(ptep);
	struct page *page;

	if (!pte_present(pte) || pte_special(pte)) {
		visit_pte(w, s, i, ptep, true);
		return;
	}
	page = pte_page(pte);
	if (!hinted && close_page(w, i, ptep, page))
		return;
	if (is_open(w, i) && pte_write(pte))
		(hot ? &w->hot : &w->neighbours)->paid++;
	__set_bit(i, w->taken.dirty);
	if (hot && pte_write(pte) && memsync_open_clean(ptep, page)) {
		memsync_dirty_open(&w->track->dirty, w->index, i);
		found_page(w, s, i, page);
	} else {
		visit_pte(w, s, i, ptep, true);
	}
}

/* The pages of a word that lie in the segment. */
static unsigned long in_segment(const struct segment *s, unsigned int word)
{
	unsigned int first = s->first, end = s->first + s->nr;
	unsigned long mask = ~0UL;

	if (word < first / BITS_PER_LONG || word > (end - 1) / BITS_PER_LONG)
		return 0;
	if (word == first / BITS_PER_LONG)
		mask &= BITMAP_FIRST_WORD_MASK(first);
	if (word == (end - 1) / BITS_PER_LONG)
		mask &= BITMAP_LAST_WORD_MASK(end);
	return mask;
}

/* The entries of one word, those of @open being open, or maybe so from now on. */
static void visit_word(struct memsync_walk *w, const struct segment *s, unsigned int word,
		       unsigned long bits, unsigned long open, pte_t *table)
{
	for (; bits; bits &= bits - 1) {
		unsigned int i = word * BITS_PER_LONG + __ffs(bits);

		if (open & BIT(i % BITS_PER_LONG))
			visit_open(w, s, i, table + i);
		else
			visit_pte(w, s, i, table + i, true);
	}
}

static noinline void visit_hinted(struct memsync_walk *w, const struct segment *s, pte_t *table)
{
	struct memsync_block *b = &w->track->dirty.blocks[w->index];
	unsigned long words, bits, open, mask;

	for (words = w->taken.words; words; words &= words - 1) {
		unsigned int word = __ffs(words);

		mask = in_segment(s, word);
		open = w->taken.opened ? w->taken.open[word] & mask : 0;
		bits = (w->taken.dirty[word] & mask) | open;
		open = w->may_open ? open | hot_ones(w, word, bits) : 0;
		visit_word(w, s, word, bits, open, table);
		if (w->may_open)
			remember(w, b, word, mask);
	}
}

/* Some of @bits were found last time, too. Returns those that are to be open from now on. */
static noinline unsigned long visit_again(struct memsync_walk *w, unsigned int word,
					  unsigned long bits)
{
	unsigned long open = hot_ones(w, word, bits);

	remember(w, &w->track->dirty.blocks[w->index], word, ~0UL);
	return open;
}

/*
 * A whole block with nothing to look at, nothing open and no other track: this is where a
 * harvest spends its time, so there is little in between.
 */
static noinline void visit_plain(struct memsync_walk *w, const struct segment *s, pte_t *table)
{
	unsigned long *once = w->track->dirty.blocks[w->index].once;
	struct memsync_piece *piece = &w->h->pieces[w->h->nr];
	u64 base = s->offset - (u64)table * BYTES_PER_ENTRY_BYTE;
	unsigned long words, bits;

	for (words = w->taken.words; words; words &= words - 1) {
		unsigned long word = __ffs(words), open = 0;
		pte_t *first = table + word * BITS_PER_LONG;

		bits = w->taken.dirty[word];
		if (unlikely(bits & once[word]))
			open = visit_again(w, word, bits);
		else
			once[word] = bits;
		for (; bits && likely(!open); bits &= bits - 1) {
			pte_t *ptep = first + __ffs(bits), pte = ptep_get(ptep);
			struct page *page;

			if (unlikely(!memsync_pte_is_written(pte)))
				break;
			page = memsync_pte_present_page(pte);
			piece->offset = base + (u64)ptep * BYTES_PER_ENTRY_BYTE;
			piece->nr = 1;
			piece->coarse = 0;
			piece->page = page;
			piece++;
			ptep_set_wrprotect(w->mm, w->addr, ptep);
			get_page(page);
		}
		if (unlikely(bits)) {
			w->h->nr = piece - w->h->pieces;
			visit_word(w, s, word, bits, open, table);
			piece = &w->h->pieces[w->h->nr];
		}
	}
	w->h->nr = piece - w->h->pieces;
}

/* Each entry tells for itself. */
static noinline void visit_all(struct memsync_walk *w, const struct segment *s, pte_t *table)
{
	struct memsync_block *b = &w->track->dirty.blocks[w->index];
	unsigned int i;

	for (i = s->first; i < s->first + s->nr; i++) {
		bool hinted = test_bit(i, w->taken.dirty), open = is_open(w, i);
		unsigned long hot = hinted ? hot_ones(w, i / BITS_PER_LONG,
						      BIT(i % BITS_PER_LONG)) : 0;

		if (w->may_open && (open || hot))
			visit_open(w, s, i, table + i);
		else
			visit_pte(w, s, i, table + i, hinted || open);
	}
	if (!w->may_open)
		return;
	for (i = s->first / BITS_PER_LONG; i <= (s->first + s->nr - 1) / BITS_PER_LONG; i++)
		remember(w, b, i, in_segment(s, i));
}

static noinline void visit_others(struct memsync_walk *w, const struct segment *s, pte_t *table)
{
	distrust_entries(w);
	if (w->taken.look)
		visit_all(w, s, table);
	else
		visit_hinted(w, s, table);
}

/**
 * memsync_visit_entries - protect what was written in one page table, and note it
 * @w: the walk
 * @s: the part of its block
 * @table: the entry of the block's first page
 *
 * Context: under the table's lock.
 */
void memsync_visit_entries(struct memsync_walk *w, const struct segment *s, pte_t *table)
{
	if (likely(w->plain && !w->taken.look && !w->taken.opened && s->nr == MEMSYNC_BLOCK_PAGES))
		visit_plain(w, s, table);
	else
		visit_others(w, s, table);
}
