/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMSYNC_PGWALK_H
#define _MEMSYNC_PGWALK_H

#include <linux/leafops.h>
#include <linux/mm.h>
#include <linux/pgtable.h>

/**
 * struct memsync_ptes - a locked page table
 * @ptl: its lock
 * @first: entry of the address it was locked for
 */
struct memsync_ptes {
	spinlock_t *ptl;
	pte_t *first;
};

pmd_t *memsync_pgwalk_pmd(struct mm_struct *mm, unsigned long addr);
bool memsync_pgwalk_lock(struct mm_struct *mm, pmd_t *pmd, unsigned long addr,
			 struct memsync_ptes *ptes);
void memsync_pgwalk_unlock(struct memsync_ptes *ptes);
bool memsync_pgwalk_has_table(struct mm_struct *mm, unsigned long addr);
bool memsync_pgwalk_is_mapped(struct mm_struct *mm, unsigned long addr);
bool memsync_pgwalk_is_guard(struct mm_struct *mm, unsigned long addr);
bool memsync_pgwalk_maps_file(struct mm_struct *mm, unsigned long start, unsigned long end);
bool memsync_pgwalk_missing(struct mm_struct *mm, unsigned long start, unsigned long end,
			    unsigned long *missing);

/* As pte_lockptr(), once it is known which page the table is. */
static inline spinlock_t *memsync_pgwalk_lockptr(struct mm_struct *mm, struct page *table)
{
#ifdef CONFIG_SPLIT_PTE_PTLOCKS
	return ptlock_ptr(page_ptdesc(table));
#else
	return &mm->page_table_lock;
#endif
}

/* What pmd_bad() has to say of the lower bits: not merely a table, but nothing or huge. */
#define MEMSYNC_PMD_FLAGS	(~PAGE_MASK & ~(_PAGE_USER | _PAGE_ACCESSED))
#define MEMSYNC_PMD_TABLE	(_KERNPG_TABLE_NOENC & MEMSYNC_PMD_FLAGS)

/*
 * As memsync_pgwalk_lock(), for one who is under RCU until the lock is dropped: the table
 * may be freed under the mmap read lock (collapse of file mappings, PT_RECLAIM), after a
 * grace period. Hence the second look at the PMD, too. The value is asked for once: that
 * is a call of the hypervisor's on a kernel that may run under one.
 */
static __always_inline bool memsync_pgwalk_lock_rcu(struct mm_struct *mm, pmd_t *pmd,
						    unsigned long addr,
						    struct memsync_ptes *ptes)
{
	pmd_t pmdval = pmdp_get_lockless(pmd);
	phys_addr_t table;

	if (unlikely((native_pmd_val(pmdval) & MEMSYNC_PMD_FLAGS) != MEMSYNC_PMD_TABLE))
		return false;
	table = pmd_val(pmdval) & PTE_PFN_MASK;
	ptes->first = (pte_t *)__va(table) + pte_index(addr);
	ptes->ptl = memsync_pgwalk_lockptr(mm, pfn_to_page(PHYS_PFN(table)));
	spin_lock(ptes->ptl);
	if (likely(native_pmd_val(pmdval) == native_pmd_val(pmdp_get_lockless(pmd))))
		return true;
	spin_unlock(ptes->ptl);
	return false;
}

/* A PMD that maps, or once migrated will map, a huge page. */
static inline bool memsync_pmd_is_huge(pmd_t pmd)
{
	return !pmd_none(pmd) && (!pmd_present(pmd) || pmd_leaf(pmd));
}

/*
 * No page, here or elsewhere: never touched, dropped, made a guard, or told to a
 * userfaultfd before it is written.
 */
static inline bool memsync_pte_is_void(pte_t pte)
{
	return pte_none(pte) || softleaf_is_guard_marker(softleaf_from_pte(pte)) ||
	       softleaf_is_uffd_wp_marker(softleaf_from_pte(pte));
}

/* pte_present() and pte_write(), and neither pte_protnone() nor pte_special(), all at once. */
static inline bool memsync_pte_is_written(pte_t pte)
{
	return (native_pte_val(pte) & (_PAGE_PRESENT | _PAGE_RW | _PAGE_SPECIAL)) ==
	       (_PAGE_PRESENT | _PAGE_RW);
}

/* The page of such an entry: pte_page() would also undo what hides an inaccessible one's. */
static inline struct page *memsync_pte_present_page(pte_t pte)
{
	return pfn_to_page((pte_val(pte) & PTE_PFN_MASK) >> PAGE_SHIFT);
}

/* Merely read-only, and nobody else waits for a fault on it; of a page that there is. */
static inline bool memsync_pte_is_protected(pte_t pte)
{
	return pte_present(pte) && !pte_protnone(pte) && !pte_write(pte) && !pte_special(pte) &&
	       !pte_uffd(pte);
}

#endif /* _MEMSYNC_PGWALK_H */
