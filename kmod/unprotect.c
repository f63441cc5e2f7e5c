// SPDX-License-Identifier: GPL-2.0
/* The end of a track: writes go on as if it had never been there. */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include "pgwalk.h"
#include "track_internal.h"

/* Left alone where somebody else may want the fault: KSM, fork, soft-dirty, userfaultfd. */
static bool may_be_writable(const struct vm_area_struct *vma, pte_t pte)
{
	struct page *page;

	if (!memsync_pte_is_protected(pte))
		return false;
	if (IS_ENABLED(CONFIG_MEM_SOFT_DIRTY) && !(vma->vm_flags & VM_SOFTDIRTY) &&
	    !pte_soft_dirty(pte))
		return false;
	page = pfn_to_page(pte_pfn(pte));
	return PageAnon(page) && PageAnonExclusive(page);
}

static void unprotect_ptes(const struct vm_area_struct *vma, pte_t *ptep, unsigned long nr)
{
	for (; nr; nr--, ptep++) {
		pte_t pte = ptep_get(ptep);

		if (may_be_writable(vma, pte))
			set_pte(ptep, pte_clear_saveddirty(pte_mkwrite_novma(pte)));
	}
}

static void unprotect_huge(const struct vm_area_struct *vma, pmd_t *pmd)
{
	spinlock_t *ptl = pmd_lockptr(vma->vm_mm, pmd);
	pmd_t pmdval;

	spin_lock(ptl);
	pmdval = pmdp_get_lockless(pmd);
	if (pmd_present(pmdval) && pmd_trans_huge(pmdval) && !pmd_protnone(pmdval) &&
	    !pmd_write(pmdval) && !pmd_uffd(pmdval) &&
	    (!IS_ENABLED(CONFIG_MEM_SOFT_DIRTY) || (vma->vm_flags & VM_SOFTDIRTY) ||
	     pmd_soft_dirty(pmdval)) &&
	    PageAnon(pmd_page(pmdval)) && PageAnonExclusive(pmd_page(pmdval)))
		set_pmd(pmd, pmd_clear_saveddirty(pmd_mkwrite_novma(pmdval)));
	spin_unlock(ptl);
}

/* [start, end) lies in one block and in @vma. */
static void unprotect_part(const struct vm_area_struct *vma, unsigned long start,
			   unsigned long end)
{
	pmd_t *pmd = memsync_pgwalk_pmd(vma->vm_mm, start);
	struct memsync_ptes ptes;

	if (!pmd)
		return;
	if (memsync_pgwalk_lock(vma->vm_mm, pmd, start, &ptes)) {
		unprotect_ptes(vma, ptes.first, (end - start) >> PAGE_SHIFT);
		memsync_pgwalk_unlock(&ptes);
	} else if (memsync_pmd_is_huge(pmdp_get_lockless(pmd))) {
		unprotect_huge(vma, pmd);
	}
}

static bool watched_by_others(struct memsync_track *track, unsigned long addr)
{
	struct memsync_track *other;

	list_for_each_entry(other, &track->m->tracks, node)
		if (memsync_track_block(other, addr) != MEMSYNC_NO_BLOCK)
			return true;
	return false;
}

static void unprotect_vma(struct memsync_track *track, const struct vm_area_struct *vma,
			  unsigned long start, unsigned long end)
{
	unsigned long next;

	if ((vma->vm_flags & (VM_WRITE | VM_SHADOW_STACK)) != VM_WRITE ||
	    memsync_vma_refusal(vma))
		return;
	for (; start < end; start = next) {
		next = min(end, (start | (MEMSYNC_BLOCK_SIZE - 1)) + 1);
		if (!watched_by_others(track, start))
			unprotect_part(vma, start, next);
	}
}

/* How much is looked at under one hold of the mmap lock: some 65 instructions a page. */
#define STRIDE	(4 * MEMSYNC_BLOCK_SIZE)

static void unprotect_stretch(struct memsync_track *track, unsigned long start, unsigned long end)
{
	struct mm_struct *mm = track->m->mm;
	VMA_ITERATOR(vmi, mm, start);
	struct vm_area_struct *vma;

	mmap_read_lock(mm);
	for_each_vma_range(vmi, vma, end)
		unprotect_vma(track, vma, max(start, vma->vm_start), min(end, vma->vm_end));
	mmap_read_unlock(mm);
	cond_resched();
}

/**
 * memsync_unprotect - undo the write protection of a track's ranges
 * @track: off the list already; no harvest of it runs
 *
 * Context: process; sleeps; memsync_mm_mutex held, which keeps other tracks from
 * starting in between.
 */
void memsync_unprotect(struct memsync_track *track)
{
	struct mm_struct *mm = track->m->mm;
	unsigned long start, next;
	unsigned int i;

	if (!mmget_not_zero(mm))
		return;
	for (i = 0; i < track->nr_ranges; i++) {
		/* A huge page may reach beyond the range: its whole block. */
		unsigned long end = round_up(track->ranges[i].end, MEMSYNC_BLOCK_SIZE);

		start = round_down(track->ranges[i].start, MEMSYNC_BLOCK_SIZE);
		for (; start < end; start = next) {
			next = min(end, start + STRIDE);
			unprotect_stretch(track, start, next);
		}
	}
	mmput_async(mm);
}
