/* SPDX-License-Identifier: GPL-2.0 */
/* Memory under a userfaultfd of the application's own. */
#ifndef _MEMSYNC_USERFAULT_H
#define _MEMSYNC_USERFAULT_H

#include <linux/types.h>

#define MEMSYNC_USERFAULT_SITES	5

struct ftrace_regs;

bool memsync_userfault_is_seen(void);
unsigned int memsync_userfault_find(unsigned long *sites);
bool memsync_userfault_hook(unsigned long site, struct ftrace_regs *fregs);

#endif /* _MEMSYNC_USERFAULT_H */
