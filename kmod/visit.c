// SPDX-License-Identifier: GPL-2.0
/* The visit of one block: write protection, and what its entries tell. */
#include <linux/file.h>
#include <linux/leafops.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/swap.h>
#include "hugetlb.h"
#include "object.h"
#include "open.h"
#include "pgwalk.h"
#include "shared.h"
#include "walk.h"

/* How far apart two pages lie whose entries are a byte apart. */
#define BYTES_PER_ENTRY_BYTE		(PAGE_SIZE / sizeof(pte_t))

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

static u64 offset_of(const struct segment *s, unsigned int i)
{
	return s->offset + ((u64)(i - s->first) << PAGE_SHIFT);
}

static struct memsync_piece *next_piece(struct memsync_walk *w)
{
	return &w->h->pieces[w->h->nr++];
}

static __always_inline void found_page(struct memsync_walk *w, const struct segment *s,
				       unsigned int i, struct page *page)
{
	get_page(page);
	*next_piece(w) = (struct memsync_piece){ offset_of(s, i), 1, page };
}

static void found_elsewhere(struct memsync_walk *w, const struct segment *s, unsigned int i)
{
	w->elsewhere = true;
	*next_piece(w) = (struct memsync_piece){ offset_of(s, i), 1, MEMSYNC_PAGE_ELSEWHERE };
}

static void found_zeros(struct memsync_walk *w, const struct segment *s, unsigned int i)
{
	struct memsync_piece *last;
	u64 offset = offset_of(s, i);

	w->bare++;
	last = w->h->nr ? &w->h->pieces[w->h->nr - 1] : NULL;
	if (last && !last->page && last->offset + ((u64)last->nr << PAGE_SHIFT) == offset)
		last->nr++;
	else
		*next_piece(w) = (struct memsync_piece){ offset, 1, NULL };
}

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

/*
 * A notifier that was under way, or started, when the hints were taken found
 * nothing to promote, and the entry it then changed no longer tells. Asked
 * under the lock that such a change needs, so the answer holds for as long as
 * that is held.
 */
static void distrust_entries(struct memsync_walk *w)
{
	if (likely(!w->taken.look && !w->taken.opened) ||
	    (!w->active && READ_ONCE(w->track->m->started) == w->started))
		return;
	if (w->taken.look)
		memsync_taken_fill(&w->taken);
	else
		memsync_taken_fill_open(&w->taken);
}

/* There are no entries to tell which of the open pages were written. */
static void distrust_open(struct memsync_walk *w)
{
	if (unlikely(w->taken.opened))
		memsync_taken_fill_open(&w->taken);
}

/* What migrates from a writable entry comes back writable, and nobody tells. */
static void expect_writable(struct memsync_walk *w)
{
	memsync_dirty_look(&w->track->dirty, w->index);
}

/* What has no page reads as zeros, or as the file below. A guard reads as nothing. */
static bool reads_as_file(const struct memsync_walk *w, pte_t pte)
{
	return w->backed && pte_none(pte);
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

/* Some of @bits were found last time, too. Returns whether the word is done. */
static noinline bool visit_again(struct memsync_walk *w, const struct segment *s, unsigned int word,
				 unsigned long bits, pte_t *table)
{
	struct memsync_block *b = &w->track->dirty.blocks[w->index];
	unsigned long open = hot_ones(w, word, bits);

	if (open)
		visit_word(w, s, word, bits, open, table);
	remember(w, b, word, ~0UL);
	return open;
}

static noinline void visit_rare(struct memsync_walk *w, const struct segment *s, unsigned int i,
				pte_t *ptep)
{
	visit_pte(w, s, i, ptep, true);
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
		unsigned long word = __ffs(words);
		pte_t *first = table + word * BITS_PER_LONG;

		bits = w->taken.dirty[word];
		if (unlikely(bits & once[word])) {
			w->h->nr = piece - w->h->pieces;
			if (visit_again(w, s, word, bits, table))
				bits = 0;
			piece = &w->h->pieces[w->h->nr];
		} else {
			once[word] = bits;
		}
		for (; bits; bits &= bits - 1) {
			pte_t *ptep = first + __ffs(bits), pte = ptep_get(ptep);

			if (likely(memsync_pte_is_written(pte))) {
				struct page *page = memsync_pte_present_page(pte);

				*piece++ = (struct memsync_piece){
					base + (u64)ptep * BYTES_PER_ENTRY_BYTE, 1, page
				};
				ptep_set_wrprotect(w->mm, w->addr, ptep);
				get_page(page);
			} else {
				w->h->nr = piece - w->h->pieces;
				visit_rare(w, s, ptep - table, ptep);
				piece = &w->h->pieces[w->h->nr];
			}
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

static void visit_ptes(struct memsync_walk *w, const struct segment *s, pte_t *table)
{
	distrust_entries(w);
	if (w->taken.look)
		visit_all(w, s, table);
	else if (likely(w->plain && !w->taken.opened && s->nr == MEMSYNC_BLOCK_PAGES))
		visit_plain(w, s, table);
	else
		visit_hinted(w, s, table);
}

static void visit_missing(struct memsync_walk *w, const struct segment *s)
{
	unsigned int i;

	distrust_entries(w);
	distrust_open(w);
	for_each_wanted(i, w, s) {
		if (w->backed)
			found_elsewhere(w, s, i);
		else
			found_zeros(w, s, i);
	}
}

/*
 * A writable huge page may have been written anywhere, in this segment or another. It may
 * have become so behind those that were visited before: they wait for the next walk.
 */
static void protect_huge(struct memsync_walk *w, const struct segment *s, pmd_t *pmd)
{
	struct memsync_track *other;

	pmdp_set_wrprotect(w->mm, w->addr, pmd);
	memsync_taken_fill(&w->taken);
	if (s->first)
		memsync_dirty_pages(&w->track->dirty, w->index, 0, s->first);
	list_for_each_entry_rcu(other, &w->track->m->tracks, node) {
		unsigned long block = memsync_track_block(other, w->addr);

		if (other == w->track || block == MEMSYNC_NO_BLOCK)
			continue;
		memsync_dirty_pages(&other->dirty, block, 0, MEMSYNC_BLOCK_PAGES);
		w->told = true;
	}
}

/* Under the PMD lock; false if it is not a huge page any more. */
static bool visit_huge(struct memsync_walk *w, const struct segment *s, pmd_t *pmd)
{
	pmd_t pmdval = pmdp_get_lockless(pmd);
	bool present = pmd_present(pmdval);
	unsigned int i;

	if (!memsync_pmd_is_huge(pmdval))
		return false;
	distrust_entries(w);
	distrust_open(w);
	if (present && pmd_write(pmdval))
		protect_huge(w, s, pmd);
	else if (!present && softleaf_is_migration_write(softleaf_from_pmd(pmdval)))
		expect_writable(w);
	if (w->hugetlb && memsync_hugetlb_may_change(pmdval))
		memsync_walk_keep(w);
	for_each_wanted(i, w, s) {
		if (present && !w->hugetlb)
			found_page(w, s, i, pmd_page(pmdval) + i);
		else
			found_elsewhere(w, s, i);
	}
	return true;
}

static bool visit_huge_locked(struct memsync_walk *w, const struct segment *s, pmd_t *pmd)
{
	spinlock_t *ptl = pmd_lockptr(w->mm, pmd);
	bool ret;

	rcu_read_lock();
	spin_lock(ptl);
	ret = visit_huge(w, s, pmd);
	spin_unlock(ptl);
	rcu_read_unlock();
	return ret;
}

/* As memsync_pgwalk_pmd(). The tables below a VMA that is in the tree stay. */
static pmd_t *find_pmd(struct memsync_walk *w, unsigned long addr)
{
	pmd_t *pmd;

	if (likely(w->pmds && !((addr ^ w->pmds_addr) >> PUD_SHIFT)))
		return w->pmds + pmd_index(addr);
	pmd = memsync_pgwalk_pmd(w->mm, addr);
	w->pmds = pmd ? pmd - pmd_index(addr) : NULL;
	w->pmds_addr = addr;
	return pmd;
}

/* The PMD may change between a look and its lock, but every change ends in one of these. */
static void visit_segment(struct memsync_walk *w, const struct segment *s)
{
	pmd_t *pmd = find_pmd(w, s->start);
	struct memsync_ptes ptes;

	for (;;) {
		pmd_t pmdval;

		if (likely(pmd && memsync_pgwalk_lock(w->mm, pmd, s->start, &ptes))) {
			visit_ptes(w, s, ptes.first - s->first);
			memsync_pgwalk_unlock(&ptes);
			return;
		}
		pmdval = pmd ? pmdp_get_lockless(pmd) : __pmd(0);
		if (pmd_none(pmdval)) {
			visit_missing(w, s);
			return;
		}
		if (memsync_pmd_is_huge(pmdval)) {
			if (visit_huge_locked(w, s, pmd))
				return;
		} else if (unlikely(pmd_bad(pmdval))) {
			w->err = -EFAULT;
			memsync_track_ended(w->track, "its page tables are damaged");
			return;
		}
		cpu_relax();
	}
}

/*
 * Nothing (that counts) is mapped: it reads as zeros. Content that comes along
 * with a mapping (mremap) is told of by bypass.c.
 */
static void visit_hole(struct memsync_walk *w, const struct segment *s)
{
	unsigned int i;

	distrust_open(w);
	for_each_wanted(i, w, s)
		found_zeros(w, s, i);
}

/* Where the pieces go on in the same mapping, so does the part. */
static struct memsync_part *part_for(struct memsync_walk *w, const struct vm_area_struct *vma,
				     const struct segment *s)
{
	struct memsync_harvest *h = w->h;
	struct memsync_part *last = h->nr_parts ? &h->parts[h->nr_parts - 1] : NULL;
	pgoff_t index = linear_page_index((struct vm_area_struct *)vma, s->start);

	if (last && last->end == h->nr && last->file == vma->vm_file &&
	    s->start - last->start == s->offset - last->offset &&
	    (s->start - last->start) >> PAGE_SHIFT == index - last->index)
		return last;
	if (h->nr_parts == MEMSYNC_HARVEST_PARTS)
		return NULL;
	last = &h->parts[h->nr_parts++];
	*last = (struct memsync_part) {
		.file = get_file(vma->vm_file),
		.start = s->start,
		.offset = s->offset,
		.index = index,
		.first = h->nr,
		.end = h->nr,
	};
	return last;
}

static void note_shared(struct memsync_walk *w, const struct segment *s)
{
	unsigned int i;

	for (i = s->first; i < s->first + s->nr; i++) {
		bool wanted = test_bit(i, w->taken.dirty);

		if (!wanted && !w->taken.look)
			continue;
		*next_piece(w) = (struct memsync_piece) {
			offset_of(s, i), 1, wanted ? MEMSYNC_PAGE_SHARED : MEMSYNC_PAGE_UNSURE,
		};
	}
}

/*
 * Others may have it mapped, so its pages are noted only, and settle.c asks the object.
 * A mapping that is in no view was made after the walk began, and waits for the next.
 */
static void visit_object(struct memsync_walk *w, const struct vm_area_struct *vma,
			 const struct segment *s)
{
	pgoff_t index = linear_page_index((struct vm_area_struct *)vma, s->start);
	struct memsync_part *part;

	distrust_open(w);
	if (!memsync_view_covers(w->track, vma, s->start,
				 s->start + ((unsigned long)s->nr << PAGE_SHIFT))) {
		memsync_walk_keep(w);
		return;
	}
	if (memsync_shared_unsettled(vma->vm_file->f_mapping, index, s->nr))
		memsync_walk_keep(w);
	part = part_for(w, vma, s);
	if (part) {
		note_shared(w, s);
		part->end = w->h->nr;
	} else {
		memsync_walk_keep(w);
		w->full = true;
	}
}

/* The region ends, since memory of another kind was mapped into it. */
void memsync_walk_refuse(struct memsync_walk *w, const struct vm_area_struct *vma,
			 const char *why)
{
	char reason[160];

	snprintf(reason, sizeof(reason), "0x%lx-0x%lx is now %s, which cannot be tracked",
		 vma->vm_start, vma->vm_end, why);
	memsync_track_ended(w->track, reason);
	w->err = -EOPNOTSUPP;
}

struct vm_area_struct *memsync_walk_find_vma(struct memsync_walk *w, unsigned long addr)
{
	w->vma = find_vma(w->mm, addr);
	w->refusal = w->vma ? memsync_vma_refusal(w->vma) : NULL;
	w->hole = w->refusal && memsync_track_leaves_out(w->track, w->vma);
	w->backed = w->vma && !w->refusal && memsync_vma_has_backing(w->vma);
	w->object = w->vma && !w->refusal && memsync_vma_is_object(w->vma);
	w->hugetlb = w->vma && !w->refusal && memsync_vma_is_hugetlb(w->vma);
	return w->vma;
}

/* The part of [addr, end), which lies in one range, up to the next change of VMA. */
static unsigned long visit_part(struct memsync_walk *w, const struct memsync_range *r,
				unsigned long addr, unsigned long end)
{
	struct vm_area_struct *vma = memsync_walk_vma(w, addr);
	bool mapped = vma && vma->vm_start <= addr;
	struct segment s = {
		.start = addr,
		.first = memsync_page_in_block(addr),
		.offset = r->offset + (addr - r->start),
	};

	if (mapped)
		end = min(end, vma->vm_end);
	else if (vma)
		end = min(end, vma->vm_start);
	s.nr = (end - addr) >> PAGE_SHIFT;
	if (unlikely(w->track->views.nr) && !(mapped && w->object) &&
	    memsync_view_find(w->track, addr)) {
		distrust_open(w);
		memsync_walk_keep(w);	/* the object may come back, and nobody would tell */
	}
	if (mapped && unlikely(w->refusal) && !w->hole)
		memsync_walk_refuse(w, vma, w->refusal);
	else if (mapped && w->object)
		visit_object(w, vma, &s);
	else if (mapped && !w->hole)
		visit_segment(w, &s);
	else
		visit_hole(w, &s);
	return end;
}

/* The first range that ends above this block's address; mostly that of the last block. */
static unsigned int range_at(struct memsync_walk *w)
{
	const struct memsync_track *track = w->track;

	if (w->range >= track->nr_ranges || track->ranges[w->range].end <= w->addr)
		w->range = memsync_track_range_at(track, w->addr);
	return w->range;
}

/**
 * memsync_walk_block - protect what was written in one block, and note it
 * @w: the walk; its block's hints were taken
 *
 * Context: the mmap lock is held for reading, and until the flush that follows.
 */
void memsync_walk_block(struct memsync_walk *w)
{
	unsigned long block_end = w->addr + MEMSYNC_BLOCK_SIZE;
	struct memsync_track *track = w->track;
	unsigned int i = range_at(w);

	for (; i < track->nr_ranges && track->ranges[i].start < block_end; i++) {
		const struct memsync_range *r = &track->ranges[i];
		unsigned long addr = max(r->start, w->addr);
		unsigned long end = min(r->end, block_end);

		while (addr < end)
			addr = visit_part(w, r, addr, end);
	}
	if (!w->flush_end)
		w->flush_start = w->addr;
	w->flush_end = block_end;
}
