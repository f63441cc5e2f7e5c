/* SPDX-License-Identifier: GPL-2.0 */
/* UFFDIO_MOVE came with 6.8, and what a userfaultfd is about could be seen from 6.9 on. */
#ifndef _MEMSYNC_COMPAT_LINUX_USERFAULTFD_K_H
#define _MEMSYNC_COMPAT_LINUX_USERFAULTFD_K_H

#include <linux/version.h>
#include_next <linux/userfaultfd_k.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#define MEMSYNC_UFFD_COPY	"mcopy_atomic"
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0) && defined(UFFDIO_MOVE)
#define MEMSYNC_UFFD_COPY	""	/* pages move, and whose cannot be seen */
#else
#define MEMSYNC_UFFD_COPY	"mfill_atomic_copy"
#endif

/* The memory that the first argument of that function stands for. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
static inline struct mm_struct *memsync_uffd_mm(unsigned long mm)
{
	return (struct mm_struct *)mm;
}
#else
static inline struct mm_struct *memsync_uffd_mm(unsigned long ctx)
{
	return ((struct userfaultfd_ctx *)ctx)->mm;
}
#endif

#ifndef UFFDIO_MOVE
#define UFFDIO_MOVE	0
struct uffdio_move {
	__u64 dst;
	__u64 len;
};
#endif

#endif /* _MEMSYNC_COMPAT_LINUX_USERFAULTFD_K_H */
