// SPDX-License-Identifier: GPL-2.0
/*
 * A scan for NUMA balancing takes the access to pages away, and to the notifier it looks
 * like mprotect(), after which pages may be writable. One that is known for what it is
 * leaves nothing to look at, which the next scan would have to take for written.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ftrace.h>
#include <linux/mm.h>
#include <linux/mmu_context.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/static_call.h>
#include "hook.h"
#include "mm.h"
#include "numa.h"
#include "symbol.h"

static unsigned long scan_site;

static unsigned long unscanned(struct vm_area_struct *vma, unsigned long start,
			       unsigned long end)
{
	return 0;
}

DEFINE_STATIC_CALL(memsync_change_prot_numa, unscanned);

/* Of two scans of one process at a time the second is not known. */
static void set_scanner(struct mm_struct *mm, struct task_struct *from, struct task_struct *to)
{
	struct memsync_mm *m;

	rcu_read_lock();
	m = memsync_mm_find(mm);
	if (m)
		cmpxchg(&m->scanner, from, to);
	rcu_read_unlock();
}

static unsigned long scan(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long ret;

	atomic_inc(&memsync_hook_passing);
	set_scanner(mm, NULL, current);
	ret = static_call(memsync_change_prot_numa)(vma, start, end);
	set_scanner(mm, current, NULL);
	atomic_dec_return_release(&memsync_hook_passing);
	return ret;
}

bool notrace memsync_numa_hook(unsigned long site, struct ftrace_regs *fregs)
{
	struct vm_area_struct *vma = (void *)ftrace_regs_get_argument(fregs, 0);

	if (site != scan_site)
		return false;
	if (READ_ONCE(memsync_mm_bucket(vma->vm_mm)->first))
		ftrace_regs_set_instruction_pointer(fregs, (unsigned long)scan);
	return true;
}

/* Where ftrace enters a scan; 0 where the kernel has none, or none that can be hooked. */
unsigned long memsync_numa_find(void)
{
	scan_site = memsync_symbol_site("change_prot_numa");
	if (scan_site)
		static_call_update(memsync_change_prot_numa,
				   (typeof(&unscanned))(scan_site + MCOUNT_INSN_SIZE));
	return scan_site;
}
