/* SPDX-License-Identifier: GPL-2.0 */
/* Who may ptrace a process was kept with its memory, until it got an object of its own. */
#ifndef _MEMSYNC_COMPAT_LINUX_SCHED_EXEC_STATE_H
#define _MEMSYNC_COMPAT_LINUX_SCHED_EXEC_STATE_H

#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
#include_next <linux/sched/exec_state.h>
#endif

/* The namespace whose CAP_SYS_PTRACE reaches @task, which has memory; under task_lock(). */
static inline struct user_namespace *task_exec_user_ns(const struct task_struct *task)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
	return rcu_dereference_protected(task->exec_state,
					 lockdep_is_held(&task->alloc_lock))->user_ns;
#else
	return task->mm->user_ns;
#endif
}

#endif /* _MEMSYNC_COMPAT_LINUX_SCHED_EXEC_STATE_H */
