// SPDX-License-Identifier: GPL-2.0
/*
 * References beyond a folio's mappings and caches: who holds one may write with no fault,
 * so what he may write stays dirty.
 *
 * None of the counts is taken under a lock that they are changed under. Each change that
 * makes them disagree for a moment is waited for, or counts as a reference.
 */
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/page-flags.h>
#include <linux/pagemap.h>
#include "pgwalk.h"
#include "walk.h"

/* An anonymous folio of one page spares the sum over its pages. */
static int expected_refs(struct folio *folio)
{
	if (likely(!folio_test_large(folio) && folio_test_anon(folio)))
		return folio_mapcount(folio) + folio_test_swapcache(folio);
	return folio_expected_ref_count(folio);
}

/*
 * How many there are beyond those and @own. Off the LRU lists, which @off tells, a folio is in
 * a batch, which holds one of them, or is isolated, which mostly does.
 */
static int excess(struct folio *folio, unsigned int own, bool *off)
{
	int before, expected, after;

	*off = !folio_test_lru(folio);
	smp_rmb();	/* who isolates it may have taken his reference, in this order */
	before = folio_ref_count(folio);
	smp_rmb();	/* a mapping that goes takes its reference along, the same */
	expected = expected_refs(folio) + own;
	smp_rmb();	/* and one that comes brings it */
	after = folio_ref_count(folio);
	smp_rmb();	/* and a batch lets go of it when it is on its list */
	*off = *off && !folio_test_lru(folio);
	return max(before, after) - expected;
}

/**
 * memsync_folio_has_excess - may somebody write through a reference, with no fault?
 * @folio: one that is protected in every entry, and was flushed
 * @own: references of the caller's
 */
bool memsync_folio_has_excess(struct folio *folio, unsigned int own)
{
	bool off;

	return excess(folio, own, &off) > off;
}

/*
 * folio_isolate_lru() takes the folio off its list before it takes a reference. Who calls it
 * with none at hand holds the lock of an entry that maps it: of the only one here.
 */
static bool is_excused(const struct memsync_walk *w, const struct memsync_piece *piece,
		       unsigned long addr, unsigned int own)
{
	struct folio *folio = page_folio(piece->page);
	struct vm_area_struct *vma;
	struct memsync_ptes ptes;
	bool ret = false;
	pmd_t *pmd;

	if (folio_test_large(folio) || folio_mapcount(folio) != 1 || !mmap_read_trylock(w->mm))
		return false;
	vma = vma_lookup(w->mm, addr);
	pmd = vma && !is_vm_hugetlb_page(vma) ? memsync_pgwalk_pmd(w->mm, addr) : NULL;
	if (pmd && memsync_pgwalk_lock(w->mm, pmd, addr, &ptes)) {
		pte_t pte = ptep_get(ptes.first);

		ret = pte_present(pte) && pte_pfn(pte) == page_to_pfn(piece->page) &&
		      !memsync_folio_has_excess(folio, own);
		memsync_pgwalk_unlock(&ptes);
	}
	mmap_read_unlock(w->mm);
	return ret;
}

/*
 * Where a huge page's entry is split, there are more mappings than references for a moment.
 * That is told to the notifier.
 */
static bool has_excess(const struct memsync_walk *w, const struct memsync_piece *piece,
		       unsigned int own)
{
	unsigned long addr = memsync_track_offset_addr(w->track, piece->offset), started;
	unsigned long block = addr & ~(MEMSYNC_BLOCK_SIZE - 1);
	bool active = memsync_mm_active(w->track->m, block, &started), off;
	struct folio *folio = page_folio(piece->page);
	int nr = excess(folio, own, &off);

	if (folio_test_large(folio) &&
	    (nr < 0 || active || memsync_mm_began_in(w->track->m, block, started)))
		return true;
	return nr > 0 && !(nr == 1 && off && is_excused(w, piece, addr, own));
}

static bool same_folio(const struct memsync_piece *piece, const struct folio *folio)
{
	return memsync_piece_has_page(piece) && page_folio(piece->page) == folio;
}

/* Has it no page, or one with just our reference and its mapping's? Such is no large folio's. */
static bool is_single(const struct memsync_piece *piece)
{
	return !memsync_piece_has_page(piece) || likely(page_ref_count(piece->page) == 2);
}

/* The pieces of one folio, from @first on. Returns the one behind them. */
static struct memsync_piece *keep_one(struct memsync_walk *w, struct memsync_piece *first,
				      struct memsync_piece *end)
{
	struct folio *folio = page_folio(first->page);
	struct memsync_piece *piece = first + 1;

	if (folio_ref_count(folio) <= 2)
		return piece;
	while (folio_test_large(folio) && piece < end && same_folio(piece, folio))
		piece++;
	if (!folio_test_anon(folio) || !has_excess(w, first, piece - first))
		return piece;
	for (; first < piece; first++)
		memsync_track_mark(w->track, first->offset, 1);
	return piece;
}

/**
 * memsync_walk_keep_excess - what may be written through a reference stays dirty
 * @w: the walk; what it has found of the process's own was flushed
 *
 * Context: process; no lock of the process's memory is held.
 */
void memsync_walk_keep_excess(struct memsync_walk *w)
{
	struct memsync_piece *piece = w->h->pieces, *end = piece + w->h->nr;

	while (piece < end) {
		if (likely(is_single(piece)))
			piece++;
		else
			piece = keep_one(w, piece, end);
	}
}
