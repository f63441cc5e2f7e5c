// SPDX-License-Identifier: GPL-2.0
/*
 * The hook: one ftrace_ops at the entries of a few functions, of which
 * handle_mm_fault() is the one that counts. Where a process may be watched, or what
 * others share with it, the call is sent through a function of ours. Two more are
 * there while shared memory is watched.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/ftrace.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/netlink.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include "bypass.h"
#include "fault.h"
#include "hook.h"
#include "mm.h"
#include "shared.h"
#include "view.h"

#define WAIT_MS		20
#define COMPLAIN_MS	5000

static unsigned long fault_site;
static unsigned int users;		/* under memsync_mm_mutex */
static bool dead;

atomic_t memsync_hook_passing = ATOMIC_INIT(0);

/* Runs at every page fault of every process: two compares and a load for most. */
static void notrace hook(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			 struct ftrace_regs *fregs)
{
	struct vm_area_struct *vma;

	if (unlikely(ip != fault_site)) {
		memsync_bypass_hook(ip, fregs);
		return;
	}
	vma = (void *)ftrace_regs_get_argument(fregs, 0);
	if (likely(!READ_ONCE(memsync_mm_bucket(vma->vm_mm)->first)) &&
	    !memsync_view_may_see_vma(vma))
		return;
	ftrace_regs_set_instruction_pointer(fregs, (unsigned long)memsync_fault_handle);
}

/* Permanent: kernel.ftrace_enabled=0 would silence us and tell nobody. */
static struct ftrace_ops hook_ops = {
	.func	= hook,
	.flags	= FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_PERMANENT,
};

static void notrace told(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			 struct ftrace_regs *fregs)
{
	memsync_shared_told(ip, fregs);
}

static void notrace wrap(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			 struct ftrace_regs *fregs)
{
	memsync_shared_wrap(ip, fregs);
}

/* For shared memory, while there is some in a region. */
static struct ftrace_ops told_ops = {
	.func	= told,
	.flags	= FTRACE_OPS_FL_PERMANENT,
};

static struct ftrace_ops wrap_ops = {
	.func	= wrap,
	.flags	= FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_PERMANENT,
};

static unsigned int sharers;		/* under memsync_mm_mutex */
static bool has_shared;

static const char *failure(int err)
{
	switch (err) {
	case -EBUSY:
		return "kernel.ftrace_enabled is 0, or a livepatch holds what must be hooked";
	case -ENODEV:
		return "ftrace has shut itself down on this machine (see the kernel log)";
	default:
		return "cannot hook the page fault handler";
	}
}

/* ftrace no longer answers; calls may come here for ever. */
static void stay(void)
{
	pr_warn("ftrace has shut itself down; this module stays until the next boot\n");
	WRITE_ONCE(dead, true);
	__module_get(THIS_MODULE);
}

static int hook_one(struct ftrace_ops *ops)
{
	int err = dead ? -ENODEV : register_ftrace_function(ops);

	if (err && !dead && ops->flags & FTRACE_OPS_FL_ENABLED)
		stay();
	return err;
}

static void unhook_one(struct ftrace_ops *ops)
{
	if (unregister_ftrace_function(ops) && !dead)
		stay();
}

/**
 * memsync_hook_get - see page faults
 * @extack: told what stands in the way
 *
 * Counted. Context: process, memsync_mm_mutex held. Return: 0 or -errno.
 */
int memsync_hook_get(struct netlink_ext_ack *extack)
{
	int err;

	lockdep_assert_held(&memsync_mm_mutex);
	if (users) {
		users++;
		return 0;
	}
	err = hook_one(&hook_ops);
	if (!err) {
		WRITE_ONCE(users, 1);
		return 0;
	}
	NL_SET_ERR_MSG_FMT(extack, "%s", failure(err));
	return err;
}

void memsync_hook_put(void)
{
	lockdep_assert_held(&memsync_mm_mutex);
	if (users > 1) {
		users--;
		return;
	}
	WRITE_ONCE(users, 0);
	unhook_one(&hook_ops);
}

/**
 * memsync_hook_get_shared - see what else changes shared memory
 *
 * Counted. Context: process, memsync_mm_mutex held. Return: 0 or -errno.
 */
int memsync_hook_get_shared(void)
{
	int err;

	lockdep_assert_held(&memsync_mm_mutex);
	if (sharers) {
		sharers++;
		return 0;
	}
	err = hook_one(&told_ops);
	if (err)
		return err;
	err = hook_one(&wrap_ops);
	if (err)
		unhook_one(&told_ops);
	else
		sharers = 1;
	return err;
}

void memsync_hook_put_shared(void)
{
	lockdep_assert_held(&memsync_mm_mutex);
	if (--sharers)
		return;
	unhook_one(&wrap_ops);
	unhook_one(&told_ops);
}

bool memsync_hook_has_shared(void)
{
	return has_shared;
}

enum memsync_hook_state memsync_hook_state(void)
{
	if (READ_ONCE(dead))
		return MEMSYNC_HOOK_DEAD;
	return READ_ONCE(users) ? MEMSYNC_HOOK_ACTIVE : MEMSYNC_HOOK_OFF;
}

/* Where something of it is missing, shared memory is refused. */
static void find_shared(void)
{
	unsigned long tellers[MEMSYNC_SHARED_TELLERS], wrapped[MEMSYNC_SHARED_WRAPPED];
	unsigned int nr_tellers, nr_wrapped;

	if (memsync_shared_find(tellers, &nr_tellers, wrapped, &nr_wrapped))
		return;
	has_shared = !ftrace_set_filter_ips(&told_ops, tellers, nr_tellers, 0, 0) &&
		     !ftrace_set_filter_ips(&wrap_ops, wrapped, nr_wrapped, 0, 0);
	if (!has_shared)
		pr_info("ftrace does not hook what changes shared memory: that is refused\n");
}

/**
 * memsync_hook_init - can what must be hooked be hooked on this kernel?
 *
 * Return: 0, or -errno with the reason in the log.
 */
int memsync_hook_init(void)
{
	unsigned long sites[1 + MEMSYNC_BYPASSES];
	int err, nr;

	fault_site = memsync_fault_find();
	if (!fault_site)
		return -EINVAL;
	sites[0] = fault_site;
	nr = memsync_bypass_find(sites + 1);
	if (nr < 0)
		return nr;
	err = ftrace_set_filter_ips(&hook_ops, sites, 1 + nr, 0, 0);
	if (err)
		pr_err("ftrace does not hook what must be hooked in this kernel (error %d)\n", err);
	else
		find_shared();
	return err;
}

/*
 * Nobody is hooked any more. A task may still stand between the ftrace entry
 * and the raising of a count, or in the return path behind its lowering: each
 * of them ends before the task next sleeps of its own will.
 */
void memsync_hook_exit(void)
{
	unsigned int waited = 0;

	/* Nothing else keeps a module that is going already. */
	while (READ_ONCE(dead))
		schedule_timeout_idle(MAX_SCHEDULE_TIMEOUT);
	synchronize_rcu_tasks();
	while (atomic_read_acquire(&memsync_hook_passing)) {
		msleep(WAIT_MS);
		if (++waited % (COMPLAIN_MS / WAIT_MS) == 0)
			pr_info("waiting for a call that has been in flight for %u s\n",
				waited / (1000 / WAIT_MS));
	}
	synchronize_rcu_tasks();
	ftrace_free_filter(&hook_ops);
	ftrace_free_filter(&told_ops);
	ftrace_free_filter(&wrap_ops);
}
