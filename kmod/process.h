/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMSYNC_PROCESS_H
#define _MEMSYNC_PROCESS_H

#include <linux/types.h>

struct mm_struct;
struct netlink_ext_ack;
struct pid;
struct user_namespace;

/**
 * struct memsync_process - one that was found by its number
 * @pid: referenced
 * @mm: referenced and pinned
 * @user_ns: the one whose CAP_SYS_PTRACE reaches into this memory; referenced
 * @start: when it was started, as in /proc/PID/stat: tells it from one that
 *	has the number later
 */
struct memsync_process {
	struct pid *pid;
	struct mm_struct *mm;
	struct user_namespace *user_ns;
	u64 start;
};

/**
 * memsync_process_find - finds a process that has memory of its own
 * @nr: its number in the caller's pid namespace
 * @p: filled in; memsync_process_put() it
 * @extack: told why not
 *
 * Return: 0, -ESRCH (none, a thread only, exiting) or -EINVAL (kernel thread).
 */
int memsync_process_find(u32 nr, struct memsync_process *p, struct netlink_ext_ack *extack);
void memsync_process_put(struct memsync_process *p);

#endif /* _MEMSYNC_PROCESS_H */
