// SPDX-License-Identifier: GPL-2.0
/*
 * get_user_pages_fast() and its kin take a reference to a page whose entry is writable,
 * with no fault. Some who do so never mark the page dirty once they have written it,
 * and then nothing tells of it where the page was left writable (open.c): so each of
 * them is sent through a function of ours. Those of the same family that take locks
 * mark the page dirty themselves, at once; but pin_user_pages() does not.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ftrace.h>
#include <linux/mm.h>
#include <linux/mmu_context.h>
#include <linux/sched.h>
#include <linux/static_call.h>
#include "hook.h"
#include "mm.h"
#include "reference.h"
#include "symbol.h"
#include "track_internal.h"

/* Most return an int and have an argument less; neither does any harm. */
typedef long (*get_t)(unsigned long start, unsigned long nr, unsigned int gup_flags,
		      struct page **pages, struct vm_area_struct **vmas);

static long unresolved(unsigned long start, unsigned long nr, unsigned int gup_flags,
		       struct page **pages, struct vm_area_struct **vmas)
{
	return -EFAULT;
}

/*
 * Marked when the references are there, and nothing was written through them yet: a
 * harvest that takes the marks finds the references as well, or what was written.
 */
static void tell(unsigned long start, int nr)
{
	start &= PAGE_MASK & mm_untag_mask(current->mm);
	if (nr > 0)
		memsync_track_mark_in(current->mm, start, start + (unsigned long)nr * PAGE_SIZE);
}

#define WATCHED(name)									\
	DEFINE_STATIC_CALL(memsync_##name, unresolved);					\
											\
	static long watched_##name(unsigned long start, unsigned long nr,		\
				   unsigned int gup_flags, struct page **pages,		\
				   struct vm_area_struct **vmas)			\
	{										\
		long got;								\
											\
		atomic_inc(&memsync_hook_passing);					\
		got = static_call(memsync_##name)(start, nr, gup_flags, pages, vmas);	\
		tell(start, got);							\
		atomic_dec_return_release(&memsync_hook_passing);			\
		return got;								\
	}										\
											\
	static void resolve_##name(unsigned long addr)					\
	{										\
		static_call_update(memsync_##name, (get_t)addr);			\
	}

WATCHED(get_user_pages_fast)
WATCHED(get_user_pages_fast_only)
WATCHED(pin_user_pages_fast)
WATCHED(pin_user_pages_fast_only)
WATCHED(pin_user_pages)

#define WAY(name, optional)	{ #name, watched_##name, resolve_##name, optional }

static struct way {
	const char *name;
	get_t watched;
	void (*resolve)(unsigned long addr);
	bool optional;
	unsigned long site;
} ways[] = {
	WAY(get_user_pages_fast, false),
	WAY(pin_user_pages_fast, false),
	WAY(pin_user_pages, false),
	WAY(get_user_pages_fast_only, false),
	WAY(pin_user_pages_fast_only, true),	/* gone since 6.4 */
};

static_assert(ARRAY_SIZE(ways) == MEMSYNC_REFERENCES);

/**
 * memsync_reference_hook - references are about to be taken
 * @site: by which of those that were found
 * @fregs: its registers
 *
 * Context: from ftrace; must not be traced.
 */
void notrace memsync_reference_hook(unsigned long site, struct ftrace_regs *fregs)
{
	struct mm_struct *mm = current->mm;
	unsigned int i;

	if (!(ftrace_regs_get_argument(fregs, 2) & FOLL_WRITE) || !mm ||
	    !READ_ONCE(memsync_mm_bucket(mm)->first))
		return;
	for (i = 0; i < ARRAY_SIZE(ways); i++)
		if (ways[i].site == site)
			ftrace_regs_set_instruction_pointer(fregs, (unsigned long)ways[i].watched);
}

/**
 * memsync_reference_find - can these be watched on this kernel?
 * @sites: set to where ftrace enters the functions, %MEMSYNC_REFERENCES at most
 *
 * Return: how many, or 0 with the reason in the log.
 */
int memsync_reference_find(unsigned long *sites)
{
	struct way *way;
	int nr = 0;

	for (way = ways; way < ways + ARRAY_SIZE(ways); way++) {
		way->site = memsync_symbol_site(way->name);
		if (way->site) {
			way->resolve(way->site + MCOUNT_INSN_SIZE);
			sites[nr++] = way->site;
		} else if (!way->optional) {
			pr_err("%s() of this kernel cannot be hooked\n", way->name);
			return 0;
		}
	}
	return nr;
}
