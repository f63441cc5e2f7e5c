// SPDX-License-Identifier: GPL-2.0
/*
 * Write protection means nothing until stale translations are gone from every
 * CPU, and no exported function flushes private anonymous memory of another
 * process. flush_tlb_mm_range() does, with all that paravirtualisation and newer
 * CPUs want.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <linux/static_call.h>
#include "symbol.h"
#include "tlb.h"

#define FLUSH_SYMBOL "flush_tlb_mm_range"

static void flush_unresolved(struct mm_struct *mm, unsigned long start, unsigned long end,
			     unsigned int stride_shift, bool freed_tables)
{
}

DEFINE_STATIC_CALL(memsync_flush, flush_unresolved);

/**
 * memsync_tlb_init - find the kernel's flush
 *
 * Return: 0, or -ENOENT with the reason in the log where this kernel has none.
 */
int memsync_tlb_init(void)
{
	unsigned long addr = memsync_symbol_addr(FLUSH_SYMBOL);

	if (!addr) {
		pr_err("this kernel does not tell where %s() is: kprobes and kallsyms are needed\n",
		       FLUSH_SYMBOL);
		return -ENOENT;
	}
	static_call_update(memsync_flush, (typeof(&flush_unresolved))addr);
	return 0;
}

void memsync_tlb_flush(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	static_call(memsync_flush)(mm, start, end, PAGE_SHIFT, false);
}
