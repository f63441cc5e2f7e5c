// SPDX-License-Identifier: GPL-2.0
/*
 * The few functions that are taken by address, since they are exported nowhere:
 * flush_tlb_mm_range() and what bypass.c hooks. Each is called through a static
 * call, so the call is a direct one and no matter for IBT or CFI.
 */
#include <linux/kprobes.h>
#include <linux/ftrace.h>
#include <asm/ibt.h>
#include "symbol.h"

#define NOP5_FIRST_BYTE		0x0f
#define CALL_FIRST_BYTE		0xe8

/**
 * memsync_symbol_addr - where is a function of the kernel?
 * @name: its name
 *
 * A kprobe that is registered disabled, and removed at once, tells.
 *
 * Context: process; sleeps. Return: the address, behind an ENDBR if there is
 * one, or 0.
 */
unsigned long memsync_symbol_addr(const char *name)
{
	struct kprobe probe = { .symbol_name = name, .flags = KPROBE_FLAG_DISABLED };

	if (register_kprobe(&probe))
		return 0;
	unregister_kprobe(&probe);
	return (unsigned long)probe.addr;
}

/**
 * memsync_symbol_fentry - where does ftrace enter a function?
 * @function: its address
 *
 * Return: the address of the five bytes that ftrace patches, or 0 where the
 * function does not begin with such.
 */
unsigned long memsync_symbol_fentry(unsigned long function)
{
	u8 insn;

	if (__is_endbr(*(u32 *)function))
		function += ENDBR_INSN_SIZE;
	insn = *(u8 *)function;
	return insn == NOP5_FIRST_BYTE || insn == CALL_FIRST_BYTE ? function : 0;
}

/**
 * memsync_symbol_site - where does ftrace enter the function of that name?
 * @name: its name
 *
 * Context: process; sleeps. Return: as memsync_symbol_fentry(), or 0 where there is
 * no such function.
 */
unsigned long memsync_symbol_site(const char *name)
{
	unsigned long addr = memsync_symbol_addr(name);

	return addr ? memsync_symbol_fentry(addr) : 0;
}
