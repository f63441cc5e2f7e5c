// SPDX-License-Identifier: GPL-2.0
/*
 * Page faults of a process that is watched, and only those, are sent through
 * memsync_fault_handle(), which runs before and after the kernel's handler.
 *
 * It calls the handler past its ftrace entry, by a static call: calling the
 * entry again would come back here.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ftrace.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/static_call.h>
#include "backing.h"
#include "delay.h"
#include "fault.h"
#include "hook.h"
#include "mm.h"
#include "shared.h"
#include "symbol.h"
#include "track_internal.h"
#include "view.h"

static vm_fault_t unhooked(struct vm_area_struct *vma, unsigned long addr, unsigned int flags,
			   struct pt_regs *regs)
{
	return VM_FAULT_SIGBUS;
}

DEFINE_STATIC_CALL(memsync_handle_mm_fault, unhooked);

/*
 * One that is written is tracked at 4 KiB from then on. Splitting needs the
 * mmap lock: a fault that holds only the VMA's comes again.
 */
static bool split_huge(struct vm_area_struct *vma, unsigned long addr, unsigned int flags)
{
	if (flags & FAULT_FLAG_VMA_LOCK) {
		vma_end_read(vma);
		return false;
	}
	get_user_pages_remote(vma->vm_mm, addr & PAGE_MASK, 1, FOLL_SPLIT_PMD | FOLL_NOFAULT,
			      NULL, NULL);
	return true;
}

/*
 * A huge page is split before anything is hinted: the split tells the notifier,
 * which would take the look at the block for 512 written pages.
 */
static vm_fault_t watched_fault(struct memsync_mm *m, struct vm_area_struct *vma,
				unsigned long addr, unsigned int flags, struct pt_regs *regs)
{
	bool strays = READ_ONCE(m->nr_follow) && flags & FAULT_FLAG_WRITE &&
		      !memsync_vma_refusal(vma);
	bool in_file = strays && memsync_vma_is_of_file(vma);
	bool done = false;
	vm_fault_t ret;

	if (memsync_track_wants_split(m, vma, addr, flags)) {
		if (!split_huge(vma, addr, flags))
			return VM_FAULT_RETRY;
		rcu_read_lock();
		done = memsync_track_write_fast(m, vma, addr, flags, regs);
		rcu_read_unlock();
	}
	if (done)
		return 0;
	rcu_read_lock();
	memsync_track_hint(m, addr, flags, true);
	if (strays)
		memsync_track_stray(m, addr, addr + 1, in_file);
	rcu_read_unlock();
	memsync_delay_asleep(MEMSYNC_DELAY_ENTRY);
	ret = static_call(memsync_handle_mm_fault)(vma, addr, flags, regs);
	memsync_delay_asleep(MEMSYNC_DELAY_EXIT);
	rcu_read_lock();
	memsync_track_hint(m, addr, flags, false);
	if (strays)
		memsync_track_stray(m, addr, addr + 1, in_file);
	rcu_read_unlock();
	return ret;
}

/* What the mapping shows may be watched in other processes, too. */
static vm_fault_t shared_fault(struct memsync_mm *m, struct vm_area_struct *vma,
			       unsigned long addr, unsigned int flags, struct pt_regs *regs)
{
	struct memsync_span span;
	vm_fault_t ret;

	memsync_shared_begin(&span, vma, addr, flags);
	if (m)
		ret = watched_fault(m, vma, addr, flags, regs);
	else
		ret = static_call(memsync_handle_mm_fault)(vma, addr, flags, regs);
	memsync_shared_end(&span);
	return ret;
}

static bool write_fast(struct memsync_mm *m, struct vm_area_struct *vma, unsigned long addr,
		       unsigned int flags, struct pt_regs *regs)
{
	if (memsync_view_may_see_vma(vma))
		return memsync_shared_write_fast(m, vma, addr, flags, regs);
	return likely(m) && memsync_track_write_fast(m, vma, addr, flags, regs);
}

/*
 * The count is up from before the first hint until after the last, so that a
 * harvest in between keeps what it takes. @vma may be gone once the handler has
 * run, and @m once the count is down.
 */
vm_fault_t memsync_fault_handle(struct vm_area_struct *vma, unsigned long addr,
				unsigned int flags, struct pt_regs *regs)
{
	struct memsync_mm *m;
	atomic_t *in_flight;
	vm_fault_t ret;

	rcu_read_lock();
	m = memsync_mm_find(vma->vm_mm);
	if (write_fast(m, vma, addr, flags, regs)) {
		rcu_read_unlock();
		return 0;
	}
	in_flight = likely(m) ? memsync_mm_in_flight(m, addr) : &memsync_hook_passing;
	atomic_inc(in_flight);
	smp_mb__after_atomic();		/* pairs with the taking, see memsync_mm_unsettled() */
	rcu_read_unlock();

	if (memsync_view_may_see_vma(vma))
		ret = shared_fault(m, vma, addr, flags, regs);
	else if (likely(m))
		ret = watched_fault(m, vma, addr, flags, regs);
	else
		ret = static_call(memsync_handle_mm_fault)(vma, addr, flags, regs);
	atomic_dec_return_release(in_flight);
	return ret;
}

/**
 * memsync_fault_find - where ftrace enters the page fault handler
 *
 * Return: the address, or 0 with the reason in the log.
 */
unsigned long memsync_fault_find(void)
{
	unsigned long site = memsync_symbol_fentry((unsigned long)handle_mm_fault);

	if (!site) {
		pr_err("handle_mm_fault() of this kernel has no ftrace entry where one is expected\n");
		return 0;
	}
	static_call_update(memsync_handle_mm_fault,
			   (typeof(&unhooked))(site + MCOUNT_INSN_SIZE));
	return site;
}
