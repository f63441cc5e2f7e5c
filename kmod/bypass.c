// SPDX-License-Identifier: GPL-2.0
/*
 * What comes neither through handle_mm_fault() nor with a notifier call:
 *
 * - khugepaged and MADV_COLLAPSE call do_swap_page() themselves, and from 6.12
 *   on a page that is only read may come back writable;
 * - mremap() tells of the place it moves pages from, not of the one it moves
 *   them to;
 * - a debugger's forced write to memory that the process may only read: the
 *   entry is not made writable for it, and the second one needs no fault;
 * - who fills or moves pages through a userfaultfd, or lifts its protection, see
 *   userfault.c;
 * - who takes a reference, for which see reference.c.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ftrace.h>
#include <linux/mm.h>
#include <linux/mmu_context.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/static_call.h>
#include <linux/string.h>
#include <mm/internal.h>
#include "bypass.h"
#include "hook.h"
#include "hugetlb.h"
#include "mm.h"
#include "numa.h"
#include "reference.h"
#include "symbol.h"
#include "track_internal.h"

static vm_fault_t unresolved(struct vm_fault *vmf)
{
	return VM_FAULT_SIGBUS;
}

DEFINE_STATIC_CALL(memsync_do_swap_page, unresolved);

/* As memsync_fault_handle(): hints before and after, the count up in between. */
static vm_fault_t swap_page(struct vm_fault *vmf)
{
	unsigned long addr = vmf->address;
	struct memsync_mm *m;
	atomic_t *in_flight;
	vm_fault_t ret;

	rcu_read_lock();
	m = memsync_mm_find(vmf->vma->vm_mm);
	in_flight = m ? memsync_mm_in_flight(m, addr) : &memsync_hook_passing;
	atomic_inc(in_flight);
	smp_mb__after_atomic();		/* pairs with the taking, see memsync_mm_unsettled() */
	if (m)
		memsync_track_hint(m, addr, 0, true);
	rcu_read_unlock();

	ret = static_call(memsync_do_swap_page)(vmf);

	rcu_read_lock();
	if (m)
		memsync_track_hint(m, addr, 0, false);
	rcu_read_unlock();
	atomic_dec_return_release(in_flight);
	return ret;
}

static void notrace swap_hook(struct ftrace_regs *fregs)
{
	struct vm_fault *vmf = (void *)ftrace_regs_get_argument(fregs, 0);

	if (READ_ONCE(memsync_mm_bucket(vmf->vma->vm_mm)->first))
		ftrace_regs_set_instruction_pointer(fregs, (unsigned long)swap_page);
}

/*
 * The mmap lock is held for writing until the move is over: no harvest comes in
 * between, so hints at the entry are enough. A process only ever moves its own
 * memory. What says where to is private to the kernel: if it does not add up,
 * the move may go anywhere.
 */
static void notrace move_hook(struct ftrace_regs *fregs)
{
	struct pagetable_move_control move = ftrace_regs_get_move(fregs);

	if (likely(move.old_end - move.old_addr == move.len_in))
		memsync_track_mark_in(current->mm, move.new_addr, move.new_addr + move.len_in);
	else
		memsync_track_mark_in(current->mm, 0, TASK_SIZE);
}

static int untouched(struct mm_struct *mm, unsigned long addr, void *buf, int len,
		     unsigned int gup_flags)
{
	return 0;
}

DEFINE_STATIC_CALL(memsync_access_remote_vm, untouched);

/**
 * memsync_unseen_begin - memory is about to be written, of which nobody will tell
 * @u: to be handed to memsync_unseen_end()
 * @mm: whose memory
 * @start: first address
 * @end: the one behind the last
 *
 * Marked before the first byte is there, and after the last: in between a harvest
 * keeps what it finds. The process may have come to be watched meanwhile.
 */
void memsync_unseen_begin(struct memsync_unseen *u, struct mm_struct *mm, unsigned long start,
			  unsigned long end)
{
	u->mm = mm;
	u->start = start;
	u->end = end;
	rcu_read_lock();
	u->m = memsync_mm_find(mm);
	u->in_flight = u->m ? memsync_mm_in_flight(u->m, start) : &memsync_hook_passing;
	atomic_inc(u->in_flight);
	smp_mb__after_atomic();		/* pairs with the taking, see memsync_mm_unsettled() */
	rcu_read_unlock();
	if (u->m)
		memsync_mm_active_begin(u->m, start, end);
	memsync_track_mark_in(mm, start, end);
}

void memsync_unseen_end(struct memsync_unseen *u)
{
	memsync_track_mark_in(u->mm, u->start, u->end);
	if (u->m)
		memsync_mm_active_end(u->m);
	atomic_dec_return_release(u->in_flight);
}

static int access_remote(struct mm_struct *mm, unsigned long addr, void *buf, int len,
			 unsigned int gup_flags)
{
	unsigned long start = addr & mm_untag_mask(mm);
	struct memsync_unseen u;
	int done;

	memsync_unseen_begin(&u, mm, start, start + len);
	done = static_call(memsync_access_remote_vm)(mm, addr, buf, len, gup_flags);
	memsync_unseen_end(&u);
	return done;
}

static void notrace access_hook(struct ftrace_regs *fregs)
{
	struct mm_struct *mm = (void *)ftrace_regs_get_argument(fregs, 0);
	unsigned int gup_flags = ftrace_regs_get_argument(fregs, 4);

	if (!(~gup_flags & (FOLL_WRITE | FOLL_FORCE)) && READ_ONCE(memsync_mm_bucket(mm)->first))
		ftrace_regs_set_instruction_pointer(fregs, (unsigned long)access_remote);
}

static unsigned long swap_site, move_site, access_site;

/**
 * memsync_bypass_hook - a call that is no fault
 * @site: which of them
 * @fregs: its registers
 *
 * Context: from ftrace; must not be traced.
 */
void notrace memsync_bypass_hook(unsigned long site, struct ftrace_regs *fregs)
{
	if (site == swap_site)
		swap_hook(fregs);
	else if (site == access_site)
		access_hook(fregs);
	else if (site == move_site)
		move_hook(fregs);
	else if (!memsync_hugetlb_hook(site, fregs) && !memsync_userfault_hook(site, fregs) &&
		 !memsync_numa_hook(site, fregs))
		memsync_reference_hook(site, fregs);
}

static unsigned long find(const char *name)
{
	unsigned long site = memsync_symbol_site(name);

	if (!site)
		pr_err("%s() of this kernel cannot be hooked\n", name);
	return site;
}

/* Where one of these is missing, so is what it is about, or it is refused. */
static unsigned int find_optional(unsigned long *sites)
{
	unsigned int nr = memsync_userfault_find(sites);

	sites[nr] = memsync_hugetlb_find();
	nr += !!sites[nr];
	sites[nr] = memsync_numa_find();
	nr += !!sites[nr];
	return nr;
}

/**
 * memsync_bypass_find - can these ways be watched on this kernel?
 * @sites: set to where ftrace enters the functions, %MEMSYNC_BYPASSES at most
 *
 * Return: how many, or -errno with the reason in the log.
 */
int memsync_bypass_find(unsigned long *sites)
{
	int nr;

	swap_site = find("do_swap_page");
	move_site = find("move_page_tables");
	access_site = find("__access_remote_vm");
	nr = memsync_reference_find(sites + 3);
	if (!swap_site || !move_site || !access_site || !nr)
		return -ENOENT;
	static_call_update(memsync_do_swap_page,
			   (typeof(&unresolved))(swap_site + MCOUNT_INSN_SIZE));
	static_call_update(memsync_access_remote_vm,
			   (typeof(&untouched))(access_site + MCOUNT_INSN_SIZE));
	sites[0] = swap_site;
	sites[1] = move_site;
	sites[2] = access_site;
	nr += 3;
	return nr + find_optional(sites + nr);
}
