/* SPDX-License-Identifier: GPL-2.0 */
/* Ways to change memory that neither a fault nor a notifier tells of. */
#ifndef _MEMSYNC_BYPASS_H
#define _MEMSYNC_BYPASS_H

#include "reference.h"

struct ftrace_regs;

#define MEMSYNC_BYPASSES	(3 + MEMSYNC_REFERENCES)

int memsync_bypass_find(unsigned long *sites);

/* ftrace calls it at the entries that were found. */
void memsync_bypass_hook(unsigned long site, struct ftrace_regs *fregs);

#endif /* _MEMSYNC_BYPASS_H */
