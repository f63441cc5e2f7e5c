/* SPDX-License-Identifier: GPL-2.0 */
/* Scans for NUMA balancing. */
#ifndef _MEMSYNC_NUMA_H
#define _MEMSYNC_NUMA_H

#include <linux/types.h>

struct ftrace_regs;

unsigned long memsync_numa_find(void);
/* As memsync_bypass_hook(). Return: whether @site is what memsync_numa_find() returned. */
bool memsync_numa_hook(unsigned long site, struct ftrace_regs *fregs);

#endif /* _MEMSYNC_NUMA_H */
