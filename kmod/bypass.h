/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMSYNC_BYPASS_H
#define _MEMSYNC_BYPASS_H

/* Ways to change page tables that neither a fault nor a notifier tells of. */

int memsync_bypass_init(void);
void memsync_bypass_exit(void);

/* Under memsync_mm_mutex. */
int memsync_bypass_hook(void);
void memsync_bypass_unhook(void);

#endif /* _MEMSYNC_BYPASS_H */
