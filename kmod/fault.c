// SPDX-License-Identifier: GPL-2.0
/*
 * The hook in the page fault path. ftrace calls us at the entry of
 * handle_mm_fault(); for a process that is watched, and only then, the fault is
 * sent through handle_fault(), which runs before and after the kernel's handler.
 *
 * It calls the handler past its ftrace entry, by a static call: calling the
 * entry again would come back here.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/ftrace.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/netlink.h>
#include <linux/rcupdate.h>
#include <linux/static_call.h>
#include <linux/wait_bit.h>
#include "bypass.h"
#include "fault.h"
#include "mm.h"
#include "symbol.h"
#include "track_internal.h"

static vm_fault_t unhooked(struct vm_area_struct *vma, unsigned long addr, unsigned int flags,
			   struct pt_regs *regs)
{
	return VM_FAULT_SIGBUS;
}

DEFINE_STATIC_CALL(memsync_handle_mm_fault, unhooked);

static unsigned int hook_users;		/* under memsync_mm_mutex */
static bool hook_dead;

/* Faults of a process that ceased to be watched between hook and wrapper. */
atomic_t memsync_fault_passing = ATOMIC_INIT(0);

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
	rcu_read_unlock();
	ret = static_call(memsync_handle_mm_fault)(vma, addr, flags, regs);
	rcu_read_lock();
	memsync_track_hint(m, addr, flags, false);
	rcu_read_unlock();
	return ret;
}

/*
 * The count is up from before the first hint until after the last, so that a
 * harvest in between keeps what it takes. @vma may be gone once the handler has
 * run, and @m once the count is down.
 */
static vm_fault_t handle_fault(struct vm_area_struct *vma, unsigned long addr, unsigned int flags,
			       struct pt_regs *regs)
{
	struct memsync_mm *m;
	atomic_t *in_flight;
	vm_fault_t ret;

	rcu_read_lock();
	m = memsync_mm_find(vma->vm_mm);
	if (likely(m) && memsync_track_write_fast(m, vma, addr, flags, regs)) {
		rcu_read_unlock();
		return 0;
	}
	in_flight = likely(m) ? memsync_mm_in_flight(m, addr) : &memsync_fault_passing;
	atomic_inc(in_flight);
	smp_mb__after_atomic();		/* pairs with the taking, see memsync_mm_unsettled() */
	rcu_read_unlock();

	if (likely(m))
		ret = watched_fault(m, vma, addr, flags, regs);
	else
		ret = static_call(memsync_handle_mm_fault)(vma, addr, flags, regs);
	atomic_dec_return_release(in_flight);
	return ret;
}

/* Runs at every page fault of every process: a load and a compare for most. */
static void notrace hook(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			 struct ftrace_regs *fregs)
{
	struct vm_area_struct *vma = (void *)ftrace_regs_get_argument(fregs, 0);
	struct mm_struct *mm = vma->vm_mm;

	if (likely(!READ_ONCE(memsync_mm_bucket(mm)->first)))
		return;
	ftrace_regs_set_instruction_pointer(fregs, (unsigned long)handle_fault);
}

/* Permanent: kernel.ftrace_enabled=0 would silence us and tell nobody. */
static struct ftrace_ops hook_ops = {
	.func	= hook,
	.flags	= FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_PERMANENT,
};

static const char *hook_failure(int err)
{
	switch (err) {
	case -EBUSY:
		return "a livepatch holds the page fault handler, or kernel.ftrace_enabled is 0";
	case -ENODEV:
		return "ftrace has shut itself down on this machine (see the kernel log)";
	default:
		return "cannot hook the page fault handler";
	}
}

static void unhook_faults(void)
{
	if (!unregister_ftrace_function(&hook_ops))
		return;
	/* ftrace no longer answers; faults may come here for ever. */
	pr_warn("ftrace has shut itself down; this module stays until the next boot\n");
	WRITE_ONCE(hook_dead, true);
	__module_get(THIS_MODULE);
}

/**
 * memsync_fault_hook - see page faults
 * @extack: told what stands in the way
 *
 * Counted. Context: process, memsync_mm_mutex held. Return: 0 or -errno.
 */
int memsync_fault_hook(struct netlink_ext_ack *extack)
{
	int err;

	lockdep_assert_held(&memsync_mm_mutex);
	if (hook_users) {
		hook_users++;
		return 0;
	}
	err = hook_dead ? -ENODEV : register_ftrace_function(&hook_ops);
	if (err)
		goto fail;
	err = memsync_bypass_hook();
	if (err)
		goto unhook;
	WRITE_ONCE(hook_users, 1);
	return 0;

unhook:
	unhook_faults();
fail:
	NL_SET_ERR_MSG_FMT(extack, "%s", hook_failure(err));
	return err;
}

void memsync_fault_unhook(void)
{
	lockdep_assert_held(&memsync_mm_mutex);
	if (hook_users > 1) {
		hook_users--;
		return;
	}
	WRITE_ONCE(hook_users, 0);
	memsync_bypass_unhook();
	unhook_faults();
}

enum memsync_hook_state memsync_fault_state(void)
{
	if (READ_ONCE(hook_dead))
		return MEMSYNC_HOOK_DEAD;
	return READ_ONCE(hook_users) ? MEMSYNC_HOOK_ACTIVE : MEMSYNC_HOOK_OFF;
}

/**
 * memsync_fault_init - can this kernel's page faults be hooked?
 *
 * Return: 0, or -errno with the reason in the log.
 */
int memsync_fault_init(void)
{
	unsigned long site = memsync_symbol_fentry((unsigned long)handle_mm_fault);
	int err = site ? ftrace_set_filter_ip(&hook_ops, site, 0, 0) : -EINVAL;

	if (err) {
		pr_err("handle_mm_fault() of this kernel has no ftrace entry where one is expected (error %d)\n",
		       err);
		return err;
	}
	static_call_update(memsync_handle_mm_fault,
			   (typeof(&unhooked))(site + MCOUNT_INSN_SIZE));
	err = memsync_bypass_init();
	if (err)
		ftrace_free_filter(&hook_ops);
	return err;
}

/*
 * Nobody is hooked any more. A task may still stand between the ftrace entry
 * and the raising of a count, or in the return path behind its lowering: each
 * of them ends before the task next sleeps of its own will.
 */
void memsync_fault_exit(void)
{
	synchronize_rcu_tasks();
	while (atomic_read_acquire(&memsync_fault_passing))
		msleep(20);
	synchronize_rcu_tasks();
	memsync_bypass_exit();
	ftrace_free_filter(&hook_ops);
}
