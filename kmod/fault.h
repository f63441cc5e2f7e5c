/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMSYNC_FAULT_H
#define _MEMSYNC_FAULT_H

#include <linux/atomic.h>
#include <uapi/linux/memsync.h>

struct netlink_ext_ack;

/* Hooked calls that found their process not watched any more. */
extern atomic_t memsync_fault_passing;

/* Counted; both under memsync_mm_mutex. */
int memsync_fault_hook(struct netlink_ext_ack *extack);
void memsync_fault_unhook(void);

/* For show. Any context. */
enum memsync_hook_state memsync_fault_state(void);

int memsync_fault_init(void);
/* Waits until no fault runs through this module. */
void memsync_fault_exit(void);

#endif /* _MEMSYNC_FAULT_H */
