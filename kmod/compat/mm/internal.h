/* SPDX-License-Identifier: GPL-2.0 */
/* What of the kernel's private mm/internal.h is needed: how move_page_tables() is called. */
#ifndef _MEMSYNC_COMPAT_MM_INTERNAL_H
#define _MEMSYNC_COMPAT_MM_INTERNAL_H

#include <linux/ftrace.h>
#include <linux/mm.h>
#include <linux/version.h>

/* As it begins in 6.15 and later. */
struct pagetable_move_control {
	struct vm_area_struct *old;
	struct vm_area_struct *new;
	unsigned long old_addr;
	unsigned long old_end;
	unsigned long new_addr;
	unsigned long len_in;
};

/* The control that move_page_tables() was called with, or one made of its arguments. */
static __always_inline struct pagetable_move_control
ftrace_regs_get_move(struct ftrace_regs *fregs)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 15, 0)
	unsigned long old_addr = ftrace_regs_get_argument(fregs, 1);
	unsigned long len = ftrace_regs_get_argument(fregs, 4);

	return (struct pagetable_move_control){
		.old = (void *)ftrace_regs_get_argument(fregs, 0),
		.new = (void *)ftrace_regs_get_argument(fregs, 2),
		.old_addr = old_addr,
		.old_end = old_addr + len,
		.new_addr = ftrace_regs_get_argument(fregs, 3),
		.len_in = len,
	};
#else
	return *(struct pagetable_move_control *)ftrace_regs_get_argument(fregs, 0);
#endif
}

#endif /* _MEMSYNC_COMPAT_MM_INTERNAL_H */
