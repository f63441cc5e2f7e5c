/* SPDX-License-Identifier: GPL-2.0 */
/* References that are taken to pages with no fault, to write them. */
#ifndef _MEMSYNC_REFERENCE_H
#define _MEMSYNC_REFERENCE_H

struct ftrace_regs;

#define MEMSYNC_REFERENCES	5

int memsync_reference_find(unsigned long *sites);
void memsync_reference_hook(unsigned long site, struct ftrace_regs *fregs);

#endif /* _MEMSYNC_REFERENCE_H */
