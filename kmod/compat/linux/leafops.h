/* SPDX-License-Identifier: GPL-2.0 */
/* What a page table entry holds that is not present was a swp_entry_t. */
#ifndef _MEMSYNC_COMPAT_LINUX_LEAFOPS_H
#define _MEMSYNC_COMPAT_LINUX_LEAFOPS_H

#include <linux/version.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
#include_next <linux/leafops.h>
#else

#include <linux/mm.h>
#include <linux/swap.h>
#include <linux/swapops.h>

#define softleaf_t	swp_entry_t

static inline softleaf_t softleaf_from_pte(pte_t pte)
{
	if (pte_present(pte) || pte_none(pte))
		return (softleaf_t){ 0 };
	return pte_to_swp_entry(pte);
}

static inline softleaf_t softleaf_from_pmd(pmd_t pmd)
{
	if (pmd_present(pmd) || pmd_none(pmd))
		return (softleaf_t){ 0 };
	return pmd_to_swp_entry(pmd);
}

static inline bool softleaf_is_migration_write(softleaf_t entry)
{
	return is_writable_migration_entry(entry);
}

static inline bool softleaf_is_migration(softleaf_t entry)
{
	return is_migration_entry(entry);
}

static inline bool softleaf_is_uffd_wp_marker(softleaf_t entry)
{
	return is_pte_marker_entry(entry) && pte_marker_get(entry) & PTE_MARKER_UFFD_WP;
}

/* MADV_GUARD_INSTALL came with 6.13. */
static inline bool softleaf_is_guard_marker(softleaf_t entry)
{
#ifdef PTE_MARKER_GUARD
	return is_guard_swp_entry(entry);
#else
	return false;
#endif
}

#endif

#endif /* _MEMSYNC_COMPAT_LINUX_LEAFOPS_H */
