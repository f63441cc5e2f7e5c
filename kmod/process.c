// SPDX-License-Identifier: GPL-2.0
/* From a process's number to its memory. */
#include <linux/math64.h>
#include <linux/netlink.h>
#include <linux/param.h>
#include <linux/pid.h>
#include <linux/sched/exec_state.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/time_namespace.h>
#include <linux/user_namespace.h>
#include "process.h"

/* In the clock ticks, and by the caller's time namespace, that /proc shows it in. */
static u64 start_time(const struct task_struct *task)
{
	return div_u64(timens_add_boottime_ns(task->start_boottime), NSEC_PER_SEC / USER_HZ);
}

static struct task_struct *get_leader(struct pid *pid, struct netlink_ext_ack *extack)
{
	struct task_struct *task = get_pid_task(pid, PIDTYPE_TGID);

	if (task)
		return task;
	task = get_pid_task(pid, PIDTYPE_PID);
	if (task) {
		NL_SET_ERR_MSG(extack, "this number is a thread's: give the process's");
		put_task_struct(task);
	} else {
		NL_SET_ERR_MSG(extack, "no such process");
	}
	return NULL;
}

/* Both under one lock, since exec replaces them together. */
static int get_memory(struct task_struct *task, struct memsync_process *p,
		      struct netlink_ext_ack *extack)
{
	if (task->flags & PF_KTHREAD) {
		NL_SET_ERR_MSG(extack, "a kernel thread has no memory of its own");
		return -EINVAL;
	}
	task_lock(task);
	p->mm = task->mm;
	if (p->mm) {
		mmget(p->mm);
		p->user_ns = get_user_ns(task_exec_user_ns(task));
	}
	task_unlock(task);
	if (p->mm)
		return 0;
	NL_SET_ERR_MSG(extack, "process has exited or is about to");
	return -ESRCH;
}

static int find(struct memsync_process *p, struct netlink_ext_ack *extack)
{
	struct task_struct *task = get_leader(p->pid, extack);
	int err;

	if (!task)
		return -ESRCH;
	err = get_memory(task, p, extack);
	p->start = start_time(task);
	put_task_struct(task);
	return err;
}

int memsync_process_find(u32 nr, struct memsync_process *p, struct netlink_ext_ack *extack)
{
	int err;

	p->pid = find_get_pid(nr);
	err = find(p, extack);
	if (err)
		put_pid(p->pid);
	return err;
}

void memsync_process_put(struct memsync_process *p)
{
	put_user_ns(p->user_ns);
	mmput(p->mm);
	put_pid(p->pid);
}
