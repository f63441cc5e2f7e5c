/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMSYNC_COMPAT_LINUX_MM_H
#define _MEMSYNC_COMPAT_LINUX_MM_H

#include <linux/version.h>
#include_next <linux/mm.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
/* No per-VMA locks yet: every fault holds the mmap lock. */
#define FAULT_FLAG_VMA_LOCK	0
static inline void vma_end_read(struct vm_area_struct *vma) {}
static inline void vma_start_write(struct vm_area_struct *vma) {}
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
static inline long memsync_gup_remote(struct mm_struct *mm, unsigned long start,
				      unsigned long nr, unsigned int flags,
				      struct page **pages, int *locked)
{
	return get_user_pages_remote(mm, start, nr, flags, pages, NULL, locked);
}

#define get_user_pages_remote memsync_gup_remote
#endif

/* Which argument of change_protection() holds its flags; before them came the protection. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#define CHANGE_PROTECTION_FLAGS_ARG	5
#else
#define CHANGE_PROTECTION_FLAGS_ARG	4
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define VM_SHADOW_STACK		VM_NONE
#endif

/* Without it there are no guards in mappings of files; but from 6.15 to 6.18 */
#ifndef VM_MAYBE_GUARD
#define VM_MAYBE_GUARD		VM_NONE
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
/* A page table is a page like any other. */
#define page_ptdesc(page)	(page)
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0) && USE_SPLIT_PTE_PTLOCKS
#define CONFIG_SPLIT_PTE_PTLOCKS	1
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
/* folio_mapcount() was not exported. */
static inline int memsync_folio_mapcount(struct folio *folio)
{
	long i, nr = folio_nr_pages(folio);
	int ret, entire = 0;

	do {
		if (nr > 1)
			entire = folio_entire_mapcount(folio);
		for (ret = 0, i = 0; i < nr; i++)
			ret += atomic_read(&folio_page(folio, i)->_mapcount) + 1;
	} while (nr > 1 && entire != folio_entire_mapcount(folio));
	if (nr == 1)
		return ret;
	if (!folio_test_anon(folio))	/* those of the whole are in those of the pages */
		ret -= entire * nr;
	else if (folio_test_double_map(folio))
		ret -= nr;
	return ret + entire;
}

static inline int memsync_folio_expected_ref_count(struct folio *folio)
{
	int refs = folio_test_swapcache(folio) << folio_order(folio);

	if (!folio_test_anon(folio))
		refs += (!!folio->mapping << folio_order(folio)) + folio_test_private(folio);
	return refs + memsync_folio_mapcount(folio);
}

#define folio_mapcount memsync_folio_mapcount
#define folio_expected_ref_count memsync_folio_expected_ref_count
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
#define mm_flags_test(flag, mm)	test_bit(flag, &(mm)->flags)
#endif

#endif /* _MEMSYNC_COMPAT_LINUX_MM_H */
