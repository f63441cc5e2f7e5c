/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMSYNC_FAULT_H
#define _MEMSYNC_FAULT_H

#include <linux/mm_types.h>

struct pt_regs;

unsigned long memsync_fault_find(void);

/* In the place of handle_mm_fault(), for processes that may be watched. */
vm_fault_t memsync_fault_handle(struct vm_area_struct *vma, unsigned long addr,
				unsigned int flags, struct pt_regs *regs);

#endif /* _MEMSYNC_FAULT_H */
