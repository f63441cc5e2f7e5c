/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMSYNC_COMPAT_LINUX_USERFAULTFD_K_H
#define _MEMSYNC_COMPAT_LINUX_USERFAULTFD_K_H

#include <linux/version.h>
#include_next <linux/userfaultfd_k.h>

/*
 * Which argument of mfill_atomic_install_pte() is the VMA, and of its like for hugetlb
 * memory; the address comes next.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#define UFFD_INSTALL_VMA_ARG	2
#define UFFD_INSTALL_HUGETLB	"hugetlb_mcopy_atomic_pte"
#else
#define UFFD_INSTALL_VMA_ARG	1
#define UFFD_INSTALL_HUGETLB	"hugetlb_mfill_atomic_pte"
#endif

/* UFFDIO_MOVE came with 6.8, and whose memory it is about can be seen from 6.9 on. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0) && defined(UFFDIO_MOVE)
#define UFFD_IS_SEEN		false
#else
#define UFFD_IS_SEEN		true
#endif

#ifdef UFFDIO_MOVE
#define UFFD_HAS_MOVE		true
#else
#define UFFD_HAS_MOVE		false
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0) && IS_ENABLED(CONFIG_USERFAULTFD)
static inline struct mm_struct *memsync_uffd_mm(const struct userfaultfd_ctx *ctx)
{
	return ctx->mm;
}
#else
static inline struct mm_struct *memsync_uffd_mm(const struct userfaultfd_ctx *ctx)
{
	return NULL;
}
#endif

/* Until 6.3, what is no longer protected became writable in a fault only. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#define UFFD_LIFTS_AT_ONCE	false
#else
#define UFFD_LIFTS_AT_ONCE	true
#endif

/* Protection from reads as well came after 6.19. */
#ifndef VM_UFFD_RWP
#define VM_UFFD_RWP		VM_NONE
#endif

#endif /* _MEMSYNC_COMPAT_LINUX_USERFAULTFD_K_H */
