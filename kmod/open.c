// SPDX-License-Identifier: GPL-2.0
/*
 * Open pages: which page may be one, and which of them were written.
 *
 * Two kinds are worth it: a page that every pass finds dirty, and the neighbours of a
 * page in whose neighbourhood writes go on. One that a pass does not find written is
 * protected again.
 *
 * Only the process's own pages of one page each, which have no user but their one
 * entry. Where a page's dirty bit is cleared, the kernel must not need it: reclaim
 * marks a page dirty when it gives it a place in swap, under the folio's lock; what
 * MADV_FREE gave up is told by a reference (its batch's) or has lost SwapBacked. And
 * until no CPU has a translation any more that is dirty already, a reference keeps the
 * page from being written out.
 * The folio's own flag is cleared as well, since it alone tells of a write through
 * get_user_pages() that is over; a reference tells of one that is not.
 */
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include "open.h"
#include "pgwalk.h"
#include "walk.h"

/* No user but the one entry that we look at. */
static bool is_used_once(struct folio *folio)
{
	return folio_ref_count(folio) == 1;
}

/**
 * memsync_open_is_written - was an open page written, for all we know?
 * @pte: its entry, writable, or protected by the last walk
 * @page: its page
 *
 * Who writes through a reference marks the folio before he drops it. Context: under
 * the PTE lock.
 */
bool memsync_open_is_written(pte_t pte, struct page *page)
{
	struct folio *folio = page_folio(page);

	if (pte_dirty(pte) || !is_used_once(folio))
		return true;
	smp_rmb();	/* pairs with the dropping of the reference */
	return folio_test_dirty(folio);
}

/*
 * Nobody is told any more that the folio was written, neither by its flag nor, once the
 * caller has cleared it, by the dirty bit of its entry. The flag goes before the count
 * is read: who has taken a reference by then is seen, and who takes one later sets the
 * flag later.
 */
static bool forget_written(struct folio *folio)
{
	bool was_dirty, ret;

	if (folio_test_large(folio) || !folio_test_swapbacked(folio) || !is_used_once(folio) ||
	    !folio_trylock(folio))
		return false;
	was_dirty = folio_test_dirty(folio) && folio_test_clear_dirty(folio);
	smp_mb__after_atomic();	/* pairs with that of a reference's taking */
	ret = is_used_once(folio) && folio_test_swapbacked(folio) && !folio_test_swapcache(folio);
	if (!ret && was_dirty)
		folio_set_dirty(folio);
	folio_unlock(folio);
	return ret;
}

/* The CPU may set the bit meanwhile. */
static void clear_dirty_bit(pte_t *ptep)
{
	pte_t old = ptep_get(ptep);

	while (!try_cmpxchg(&ptep->pte, &old.pte, pte_mkclean(old).pte))
		;
}

/**
 * memsync_open_clean - make a writable page clean, so that the next write shows
 * @ptep: its entry, writable
 * @page: its page
 *
 * The caller takes a reference under the same lock, flushes, and only then reads the
 * content and drops the reference. Context: under the PTE lock. Return: false where it
 * cannot be, and is to be protected.
 */
bool memsync_open_clean(pte_t *ptep, struct page *page)
{
	if (!PageAnon(page) || !PageAnonExclusive(page) || !forget_written(page_folio(page)))
		return false;
	clear_dirty_bit(ptep);
	return true;
}

/* As for the end of a track: not where somebody else may want the fault. */
static bool may_open(const struct vm_area_struct *vma, pte_t pte)
{
	struct page *page;

	if (!memsync_pte_is_protected(pte) ||
	    (IS_ENABLED(CONFIG_MEM_SOFT_DIRTY) && !(vma->vm_flags & VM_SOFTDIRTY) &&
	     !pte_soft_dirty(pte)))
		return false;
	page = pfn_to_page(pte_pfn(pte));
	return PageAnon(page) && PageAnonExclusive(page) && forget_written(page_folio(page));
}

/*
 * No flush: where a translation is still writable, a harvest has protected the page and
 * is about to flush. It holds a reference to one that it has found, and one that it is
 * closing is open still, or was taken for a visit that is under way.
 */
static void open_range(struct memsync_track *track, const struct vm_area_struct *vma,
		       unsigned long block, unsigned int first, unsigned int nr, pte_t *ptep)
{
	for (; nr; nr--, first++, ptep++) {
		pte_t pte = ptep_get(ptep);

		if (test_bit(first, track->dirty.blocks[block].open))
			continue;
		smp_rmb();	/* pairs with the taking of what is open */
		if (READ_ONCE(track->visited) == block)
			break;
		if (!may_open(vma, pte))
			continue;
		memsync_dirty_open(&track->dirty, block, first);
		set_pte(ptep, pte_mkwrite_novma(pte_mkclean(pte)));
	}
}

static bool is_in_run(const struct memsync_block *b, unsigned int page)
{
	return test_bit(page, b->dirty) || test_bit(page, b->open);
}

/* How many pages in a row before @page were written or opened, up to @most. */
static unsigned int run_below(const struct memsync_block *b, unsigned int page, unsigned int most)
{
	unsigned int nr = 0;

	while (nr < min(most, page) && is_in_run(b, page - nr - 1))
		nr++;
	return nr;
}

static unsigned int run_above(const struct memsync_block *b, unsigned int page, unsigned int most)
{
	unsigned int nr = 0;

	while (nr < most && page + nr + 1 < MEMSYNC_BLOCK_PAGES && is_in_run(b, page + nr + 1))
		nr++;
	return nr;
}

/**
 * memsync_open_neighbours - open what may be written next
 * @track: the only one of this memory
 * @vma: of the fault
 * @block: of the page that was written
 * @addr: its address
 * @ptep: its entry
 *
 * Writes that have gone on for a run of pages are taken to go on for twice as many.
 *
 * Context: under the PTE lock, from a fault that holds @vma.
 */
void memsync_open_neighbours(struct memsync_track *track, const struct vm_area_struct *vma,
			     unsigned long block, unsigned long addr, pte_t *ptep)
{
	unsigned int most = READ_ONCE(track->around), page = memsync_page_in_block(addr);
	unsigned int seen = max_t(unsigned int, most, MEMSYNC_OPEN_RUN);
	const struct memsync_block *b = &track->dirty.blocks[block];
	unsigned int below = run_below(b, page, seen), above = run_above(b, page, seen);
	unsigned int nr;

	if (max(below, above) < MEMSYNC_OPEN_RUN)
		return;
	addr &= PAGE_MASK;
	if (below >= above) {
		nr = min3(2 * below, most, MEMSYNC_BLOCK_PAGES - page - 1);
		nr = min_t(unsigned long, nr, (vma->vm_end - addr - 1) >> PAGE_SHIFT);
		open_range(track, vma, block, page + 1, nr, ptep + 1);
	} else {
		nr = min3(2 * above, most, page);
		nr = min_t(unsigned long, nr, (addr - vma->vm_start) >> PAGE_SHIFT);
		open_range(track, vma, block, page - nr, nr, ptep - nr);
	}
}

/**
 * memsync_open_adapt - open more pages or fewer, as it has paid
 * @track: whose
 * @hot: of those that were opened since they were written often
 * @neighbours: of those that were opened since writes went on next to them
 *
 * After hot ones that were not, no more are opened for some walks. Context: the walk.
 */
void memsync_open_adapt(struct memsync_track *track, const struct memsync_bets *hot,
			const struct memsync_bets *neighbours)
{
	if (hot->paid || hot->lost) {
		track->hot_doubt = hot->paid >= hot->lost ? 0 :
				   min(2 * track->hot_doubt + 1, MEMSYNC_OPEN_DOUBT_MAX);
		track->hot_rest = track->hot_doubt;
	} else if (track->hot_rest) {
		track->hot_rest--;
	}
	if (neighbours->paid > neighbours->lost)
		WRITE_ONCE(track->around, min(track->around * 2, MEMSYNC_OPEN_AROUND_MAX));
	else if (neighbours->lost)
		WRITE_ONCE(track->around, max(track->around / 2, 1U));
}

/* Removes the pages of [start, end) that were certainly not written. */
static void look_at(struct mm_struct *mm, unsigned long start, unsigned long end,
		    unsigned long *pages)
{
	pmd_t *pmd = memsync_pgwalk_pmd(mm, start);
	unsigned int i = memsync_page_in_block(start);
	struct memsync_ptes ptes;
	pte_t *ptep;

	if (!pmd || !memsync_pgwalk_lock(mm, pmd, start, &ptes))
		return;
	for (ptep = ptes.first; start < end; start += PAGE_SIZE, ptep++, i++) {
		pte_t pte = ptep_get(ptep);

		if (test_bit(i, pages) && pte_present(pte) && pte_write(pte) &&
		    !pte_special(pte) && !memsync_open_is_written(pte, pte_page(pte)))
			__clear_bit(i, pages);
	}
	memsync_pgwalk_unlock(&ptes);
}

/**
 * memsync_open_written - which open pages of a block were written?
 * @track: whose
 * @block: which block
 * @pages: set to the answer, over the block's pages; those too of which it cannot be told
 *
 * Context: process; takes the mmap lock for reading if it is free.
 */
void memsync_open_written(struct memsync_track *track, unsigned long block, unsigned long *pages)
{
	unsigned long addr = memsync_track_block_addr(track, block);
	unsigned long end = addr + MEMSYNC_BLOCK_SIZE;
	struct mm_struct *mm = track->m->mm;

	bitmap_copy(pages, track->dirty.blocks[block].open, MEMSYNC_BLOCK_PAGES);
	if (!mmget_not_zero(mm))
		return;
	if (mmap_read_trylock(mm)) {
		VMA_ITERATOR(vmi, mm, addr);
		struct vm_area_struct *vma;

		for_each_vma_range(vmi, vma, end)
			look_at(mm, max(addr, vma->vm_start), min(end, vma->vm_end), pages);
		mmap_read_unlock(mm);
	}
	mmput_async(mm);
}
