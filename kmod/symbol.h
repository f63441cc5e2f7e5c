/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMSYNC_SYMBOL_H
#define _MEMSYNC_SYMBOL_H

unsigned long memsync_symbol_addr(const char *name);
unsigned long memsync_symbol_fentry(unsigned long function);
unsigned long memsync_symbol_site(const char *name);

#endif /* _MEMSYNC_SYMBOL_H */
