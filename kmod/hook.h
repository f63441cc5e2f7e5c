/* SPDX-License-Identifier: GPL-2.0 */
/* Where the kernel's own code calls this module's. */
#ifndef _MEMSYNC_HOOK_H
#define _MEMSYNC_HOOK_H

#include <linux/atomic.h>
#include <uapi/linux/memsync.h>

struct netlink_ext_ack;

/* Hooked calls that found their process not watched any more, or not yet. */
extern atomic_t memsync_hook_passing;

/* Counted; both under memsync_mm_mutex. */
int memsync_hook_get(struct netlink_ext_ack *extack);
void memsync_hook_put(void);

/* The same for what changes shared memory; needed beside the other. */
int memsync_hook_get_shared(void);
void memsync_hook_put_shared(void);
/* Can this kernel be hooked for that? Any context. */
bool memsync_hook_has_shared(void);

/* For show. Any context. */
enum memsync_hook_state memsync_hook_state(void);

int memsync_hook_init(void);
/* Waits until nothing runs through this module. */
void memsync_hook_exit(void);

#endif /* _MEMSYNC_HOOK_H */
