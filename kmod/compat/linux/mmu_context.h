/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMSYNC_COMPAT_LINUX_MMU_CONTEXT_H
#define _MEMSYNC_COMPAT_LINUX_MMU_CONTEXT_H

#include <linux/version.h>
#include_next <linux/mmu_context.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
/* Addresses have no tags yet. */
static inline unsigned long mm_untag_mask(struct mm_struct *mm)
{
	return ~0UL;
}
#endif

#endif /* _MEMSYNC_COMPAT_LINUX_MMU_CONTEXT_H */
