/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Huge pages from the kernel's pool (MAP_HUGETLB), private and anonymous. One fills a
 * block, is never split, and is found whole when it was written.
 */
#ifndef _MEMSYNC_HUGETLB_H
#define _MEMSYNC_HUGETLB_H

#include <linux/hugetlb_inline.h>
#include <linux/mm.h>

struct ftrace_regs;

static inline bool memsync_vma_is_hugetlb(const struct vm_area_struct *vma)
{
	return is_vm_hugetlb_page((struct vm_area_struct *)vma);
}

/* Private memory whose every page is the process's own; to be asked of one not refused. */
static inline bool memsync_vma_is_plain(const struct vm_area_struct *vma)
{
	return vma_is_anonymous((struct vm_area_struct *)vma) || memsync_vma_is_hugetlb(vma);
}

const char *memsync_hugetlb_refusal(const struct vm_area_struct *vma);
bool memsync_hugetlb_is_opened(const struct vm_area_struct *vma);
bool memsync_hugetlb_may_change(pmd_t pmd);
long memsync_hugetlb_read(struct vm_area_struct *vma, unsigned long addr, struct page **page);

unsigned long memsync_hugetlb_find(void);
/* As memsync_bypass_hook(). Return: whether @site is what memsync_hugetlb_find() returned. */
bool memsync_hugetlb_hook(unsigned long site, struct ftrace_regs *fregs);

#endif /* _MEMSYNC_HUGETLB_H */
