// SPDX-License-Identifier: GPL-2.0
/*
 * Finding and locking page table entries with what the headers offer. The
 * caller keeps the VMA from being unmapped: it holds the mmap lock and found
 * the VMA under it, or its fault or notifier call does.
 */
#include <linux/bitmap.h>
#include "dirty.h"
#include "pgwalk.h"

/* The PMD entry that covers @addr, or NULL where there is no table for it. */
pmd_t *memsync_pgwalk_pmd(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud, pudval;

	if (pgd_none(*pgd) || unlikely(pgd_bad(*pgd)))
		return NULL;
	p4d = p4d_offset(pgd, addr);
	if (p4d_none(*p4d) || unlikely(p4d_bad(*p4d)))
		return NULL;
	pud = pud_offset(p4d, addr);
	pudval = READ_ONCE(*pud);
	if (pud_none(pudval) || pud_leaf(pudval) || unlikely(pud_bad(pudval)))
		return NULL;
	return pmd_offset(pud, addr);
}

/**
 * memsync_pgwalk_lock - lock the page table below @pmd
 * @mm: whose
 * @pmd: from memsync_pgwalk_pmd()
 * @addr: an address that it covers
 * @ptes: filled in
 *
 * Return: false, with nothing locked, where @pmd holds no table (any more).
 */
bool memsync_pgwalk_lock(struct mm_struct *mm, pmd_t *pmd, unsigned long addr,
			 struct memsync_ptes *ptes)
{
	rcu_read_lock();
	if (memsync_pgwalk_lock_rcu(mm, pmd, addr, ptes))
		return true;
	rcu_read_unlock();
	return false;
}

void memsync_pgwalk_unlock(struct memsync_ptes *ptes)
{
	spin_unlock(ptes->ptl);
	rcu_read_unlock();
}

/* Is there a page table for @addr, neither nothing nor a huge page? An answer for now. */
bool memsync_pgwalk_has_table(struct mm_struct *mm, unsigned long addr)
{
	pmd_t *pmd, pmdval;

	rcu_read_lock();
	pmd = memsync_pgwalk_pmd(mm, addr);
	pmdval = pmd ? pmdp_get_lockless(pmd) : __pmd(0);
	rcu_read_unlock();
	return !pmd_none(pmdval) && !memsync_pmd_is_huge(pmdval);
}

/* Does an entry map a page at @addr? Without its lock: an answer for now. */
bool memsync_pgwalk_is_mapped(struct mm_struct *mm, unsigned long addr)
{
	pmd_t *pmd, pmdval;
	bool ret = false;

	rcu_read_lock();
	pmd = memsync_pgwalk_pmd(mm, addr);
	pmdval = pmd ? pmdp_get_lockless(pmd) : __pmd(0);
	if (memsync_pmd_is_huge(pmdval))
		ret = pmd_present(pmdval);
	else if (!pmd_none(pmdval))
		ret = pte_present(ptep_get(pte_offset_kernel(&pmdval, addr)));
	rcu_read_unlock();
	return ret;
}

/* The zero page, or one of a file's: no page that is the process's own. */
static bool is_shared(pte_t pte)
{
	return pte_present(pte) && (pte_special(pte) || !PageAnon(pte_page(pte)));
}

/* A read may have put a shared page where content was removed a moment ago. */
static bool is_empty(pte_t pte)
{
	return memsync_pte_is_void(pte) || is_shared(pte);
}

static bool missing_below(pmd_t *pmd, pmd_t pmdval, unsigned long start, unsigned int first,
			  unsigned int nr, unsigned long *missing)
{
	pte_t *pte = pte_offset_kernel(&pmdval, start);
	bool any = false;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (!is_empty(ptep_get(pte + i)))
			continue;
		__set_bit(first + i, missing);
		any = true;
	}
	return any;
}

/* Is the page at @addr made a guard? An answer for now. */
bool memsync_pgwalk_is_guard(struct mm_struct *mm, unsigned long addr)
{
	pmd_t *pmd = memsync_pgwalk_pmd(mm, addr);
	struct memsync_ptes ptes;
	bool ret;

	if (!pmd || !memsync_pgwalk_lock(mm, pmd, addr, &ptes))
		return false;
	ret = softleaf_is_guard_marker(softleaf_from_pte(ptep_get(ptes.first)));
	memsync_pgwalk_unlock(&ptes);
	return ret;
}

/**
 * memsync_pgwalk_maps_file - does [start, end) hold a file's pages, and none of the process's?
 * @mm: whose
 * @start: page-aligned
 * @end: page-aligned, in the same block
 *
 * Context: any in which a spin lock can be taken. Return: false also where nothing is
 * mapped.
 */
bool memsync_pgwalk_maps_file(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	pmd_t *pmd = memsync_pgwalk_pmd(mm, start), pmdval;
	struct memsync_ptes ptes;
	bool any = false;
	pte_t *pte;

	if (!pmd)
		return false;
	if (!memsync_pgwalk_lock(mm, pmd, start, &ptes)) {
		pmdval = pmdp_get_lockless(pmd);
		return pmd_present(pmdval) && pmd_leaf(pmdval) && !PageAnon(pmd_page(pmdval));
	}
	for (pte = ptes.first; start < end; start += PAGE_SIZE, pte++) {
		pte_t pteval = ptep_get(pte);

		if (pte_none(pteval))
			continue;
		any = is_shared(pteval) && !pte_special(pteval);
		if (!any)
			break;
	}
	memsync_pgwalk_unlock(&ptes);
	return any;
}

/**
 * memsync_pgwalk_missing - which pages of [start, end) hold no content?
 * @mm: whose
 * @start: page-aligned
 * @end: page-aligned, in the same block
 * @missing: bitmap over the block's pages, set to the answer
 *
 * Looks without the PTE lock: to be called where the entries cannot go away,
 * and where others that change them tell the tracker themselves.
 *
 * Return: whether any bit is set.
 */
bool memsync_pgwalk_missing(struct mm_struct *mm, unsigned long start, unsigned long end,
			    unsigned long *missing)
{
	unsigned int first = (start >> PAGE_SHIFT) % MEMSYNC_BLOCK_PAGES;
	unsigned int nr = (end - start) >> PAGE_SHIFT;
	pmd_t *pmd, pmdval;
	bool any = true;

	bitmap_zero(missing, MEMSYNC_BLOCK_PAGES);
	rcu_read_lock();
	pmd = memsync_pgwalk_pmd(mm, start);
	pmdval = pmd ? pmdp_get_lockless(pmd) : __pmd(0);
	if (memsync_pmd_is_huge(pmdval))
		any = pmd_present(pmdval) && !pmd_write(pmdval);	/* maybe all zeros */
	if (pmd_none(pmdval) || (memsync_pmd_is_huge(pmdval) && any))
		bitmap_set(missing, first, nr);
	else if (!memsync_pmd_is_huge(pmdval))
		any = missing_below(pmd, pmdval, start, first, nr, missing);
	rcu_read_unlock();
	return any;
}
