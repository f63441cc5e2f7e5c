/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMSYNC_COMPAT_LINUX_PGTABLE_H
#define _MEMSYNC_COMPAT_LINUX_PGTABLE_H

#include <linux/version.h>
#include_next <linux/pgtable.h>

#ifndef __ASSEMBLY__

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
static inline pmd_t memsync_pmdp_get_lockless(pmd_t *pmdp)
{
	return READ_ONCE(*pmdp);
}

#define pmdp_get_lockless memsync_pmdp_get_lockless
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define pte_mkwrite_novma(pte)	pte_mkwrite(pte)
#define pmd_mkwrite_novma(pmd)	pmd_mkwrite(pmd)
#define pte_clear_saveddirty(pte)	(pte)
#define pmd_clear_saveddirty(pmd)	(pmd)
#endif

/* Renamed when the bit got a second use, read-write protection. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 3, 0)
#define pte_uffd(pte)		pte_uffd_wp(pte)
#define pmd_uffd(pmd)		pmd_uffd_wp(pmd)
#endif

#endif /* __ASSEMBLY__ */
#endif /* _MEMSYNC_COMPAT_LINUX_PGTABLE_H */
