// SPDX-License-Identifier: GPL-2.0
/*
 * Page table changes that come neither through handle_mm_fault() nor with a
 * notifier call:
 *
 * - khugepaged and MADV_COLLAPSE call do_swap_page() themselves, and from 6.12
 *   on a page that is only read may come back writable;
 * - mremap() tells of the place it moves pages from, not of the one it moves
 *   them to.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ftrace.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/static_call.h>
#include <linux/string.h>
#include <mm/internal.h>
#include "bypass.h"
#include "fault.h"
#include "mm.h"
#include "symbol.h"
#include "track_internal.h"

static vm_fault_t unresolved(struct vm_fault *vmf)
{
	return VM_FAULT_SIGBUS;
}

DEFINE_STATIC_CALL(memsync_do_swap_page, unresolved);

/* As handle_fault() in fault.c: hints before and after, the count up in between. */
static vm_fault_t swap_page(struct vm_fault *vmf)
{
	unsigned long addr = vmf->address;
	struct memsync_mm *m;
	atomic_t *in_flight;
	vm_fault_t ret;

	rcu_read_lock();
	m = memsync_mm_find(vmf->vma->vm_mm);
	in_flight = m ? memsync_mm_in_flight(m, addr) : &memsync_fault_passing;
	atomic_inc(in_flight);
	smp_mb__after_atomic();		/* pairs with the taking, see memsync_mm_unsettled() */
	if (m)
		memsync_track_hint(m, addr, 0, true);
	rcu_read_unlock();

	ret = static_call(memsync_do_swap_page)(vmf);

	rcu_read_lock();
	if (m)
		memsync_track_hint(m, addr, 0, false);
	rcu_read_unlock();
	atomic_dec_return_release(in_flight);
	return ret;
}

static void notrace swap_hook(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			      struct ftrace_regs *fregs)
{
	struct vm_fault *vmf = (void *)ftrace_regs_get_argument(fregs, 0);

	if (READ_ONCE(memsync_mm_bucket(vmf->vma->vm_mm)->first))
		ftrace_regs_set_instruction_pointer(fregs, (unsigned long)swap_page);
}

/*
 * The mmap lock is held for writing until the move is over: no harvest comes in
 * between, so hints at the entry are enough. A process only ever moves its own
 * memory. What says where to is private to the kernel: if it does not add up,
 * the move may go anywhere.
 */
static void notrace move_hook(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			      struct ftrace_regs *fregs)
{
	struct pagetable_move_control move = ftrace_regs_get_move(fregs);
	unsigned long start = move.new_addr, end = start + move.len_in;
	struct memsync_track *track;
	struct memsync_mm *m;

	if (unlikely(move.old_end - move.old_addr != move.len_in)) {
		start = 0;
		end = TASK_SIZE;
	}
	rcu_read_lock();
	m = memsync_mm_find(current->mm);
	if (m)
		list_for_each_entry_rcu(track, &m->tracks, node)
			memsync_track_mark_range(track, start, end);
	rcu_read_unlock();
}

static struct ftrace_ops swap_ops = {
	.func	= swap_hook,
	.flags	= FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_PERMANENT,
};

static struct ftrace_ops move_ops = {
	.func	= move_hook,
	.flags	= FTRACE_OPS_FL_PERMANENT | FTRACE_OPS_FL_RECURSION,
};

static int find(struct ftrace_ops *ops, const char *name, unsigned long *site)
{
	unsigned long addr = memsync_symbol_addr(name);
	int err;

	*site = addr ? memsync_symbol_fentry(addr) : 0;
	err = *site ? ftrace_set_filter_ip(ops, *site, 0, 0) : -ENOENT;
	if (err)
		pr_err("%s() of this kernel cannot be hooked (error %d)\n", name, err);
	return err;
}

/**
 * memsync_bypass_init - can these ways be watched on this kernel?
 *
 * Return: 0, or -errno with the reason in the log.
 */
int memsync_bypass_init(void)
{
	unsigned long site;
	int err;

	err = find(&move_ops, "move_page_tables", &site);
	if (err)
		return err;
	err = find(&swap_ops, "do_swap_page", &site);
	if (err) {
		ftrace_free_filter(&move_ops);
		return err;
	}
	static_call_update(memsync_do_swap_page,
			   (typeof(&unresolved))(site + MCOUNT_INSN_SIZE));
	return 0;
}

void memsync_bypass_exit(void)
{
	ftrace_free_filter(&swap_ops);
	ftrace_free_filter(&move_ops);
}

int memsync_bypass_hook(void)
{
	int err = register_ftrace_function(&move_ops);

	if (err)
		return err;
	err = register_ftrace_function(&swap_ops);
	if (err)
		unregister_ftrace_function(&move_ops);
	return err;
}

/* Only ever fails together with the hook in fault.c, which pins the module then. */
void memsync_bypass_unhook(void)
{
	unregister_ftrace_function(&swap_ops);
	unregister_ftrace_function(&move_ops);
}
