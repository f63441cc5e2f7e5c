/* SPDX-License-Identifier: GPL-2.0 */
/* Memory whose changes cannot be seen, and are found by looking at all of it. */
#ifndef _MEMSYNC_COMPARE_H
#define _MEMSYNC_COMPARE_H

#include <linux/mm.h>

bool memsync_vma_is_comparable(const struct vm_area_struct *vma);
const char *memsync_compare_refusal(const struct vm_area_struct *vma);
long memsync_compare_get(struct vm_area_struct *vma, unsigned long addr, struct page **page,
			 int *locked);

#endif /* _MEMSYNC_COMPARE_H */
