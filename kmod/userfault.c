// SPDX-License-Identifier: GPL-2.0
/*
 * Memory under a userfaultfd of the application's own. Its faults come through
 * handle_mm_fault() like all others, and its write protection tells the notifier as
 * mprotect() does. But UFFDIO_COPY puts pages where none was, and UFFDIO_MOVE where they
 * come to lie, and of neither place anybody tells, as nobody does where UFFDIO_CONTINUE maps
 * a page of a shared object; and where protection is lifted, what the notifier is told at
 * the end may be too late. So the functions that do it are sent through others here. But
 * for move_pages() they hold a lock of the memory already, which makes none of them miss
 * that it has come to be watched.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ftrace.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/static_call.h>
#include <linux/userfaultfd_k.h>
#include "bypass.h"
#include "mm.h"
#include "shared.h"
#include "symbol.h"
#include "userfault.h"
#include "view.h"

static unsigned long install_site, hugetlb_site, move_site, move_ptes_site, move_huge_site;
static unsigned long protect_site;

static long no_install(unsigned long arg0, unsigned long arg1, unsigned long arg2,
		       unsigned long arg3, unsigned long arg4, unsigned long arg5,
		       unsigned long arg6)
{
	return -EINVAL;
}

DEFINE_STATIC_CALL(memsync_uffd_install, no_install);

/* How many arguments there are depends on the kernel; they are handed on as they are. */
static long install(unsigned long arg0, unsigned long arg1, unsigned long arg2,
		    unsigned long arg3, unsigned long arg4, unsigned long arg5,
		    unsigned long arg6)
{
	const unsigned long args[] = { arg0, arg1, arg2, arg3 };
	struct vm_area_struct *vma = (void *)args[UFFD_INSTALL_VMA_ARG];
	unsigned long addr = args[UFFD_INSTALL_VMA_ARG + 1];
	bool shared = memsync_view_may_see_vma(vma);
	const struct address_space *mapping = shared ? vma->vm_file->f_mapping : NULL;
	pgoff_t index = linear_page_index(vma, addr);
	struct memsync_unseen u;
	long ret;

	memsync_unseen_begin(&u, vma->vm_mm, addr, addr + PAGE_SIZE);
	if (shared)
		memsync_shared_change_begin(mapping, index, 1);
	ret = static_call(memsync_uffd_install)(arg0, arg1, arg2, arg3, arg4, arg5, arg6);
	if (shared)
		memsync_shared_change_end(mapping, index, 1);
	memsync_unseen_end(&u);
	return ret;
}

/* The same for a page of hugetlb memory, as long as it is under a userfaultfd. */
static long no_hugetlb(unsigned long arg0, unsigned long arg1, unsigned long arg2,
		       unsigned long arg3, unsigned long arg4, unsigned long arg5,
		       unsigned long arg6, unsigned long arg7)
{
	return -EINVAL;
}

DEFINE_STATIC_CALL(memsync_uffd_hugetlb, no_hugetlb);

static long install_hugetlb(unsigned long arg0, unsigned long arg1, unsigned long arg2,
			    unsigned long arg3, unsigned long arg4, unsigned long arg5,
			    unsigned long arg6, unsigned long arg7)
{
	const unsigned long args[] = { arg0, arg1, arg2, arg3 };
	struct vm_area_struct *vma = (void *)args[UFFD_INSTALL_VMA_ARG];
	unsigned long addr = args[UFFD_INSTALL_VMA_ARG + 1];
	struct memsync_unseen u;
	long ret;

	memsync_unseen_begin(&u, vma->vm_mm, addr, addr + huge_page_size(hstate_vma(vma)));
	ret = static_call(memsync_uffd_hugetlb)(arg0, arg1, arg2, arg3, arg4, arg5, arg6, arg7);
	memsync_unseen_end(&u);
	return ret;
}

static long no_move(struct userfaultfd_ctx *ctx, unsigned long to, unsigned long from,
		    unsigned long len, u64 mode)
{
	return -EINVAL;
}

DEFINE_STATIC_CALL(memsync_uffd_move, no_move);

static long move(struct userfaultfd_ctx *ctx, unsigned long to, unsigned long from,
		 unsigned long len, u64 mode)
{
	struct memsync_unseen u;
	long ret;

	memsync_unseen_begin(&u, memsync_uffd_mm(ctx), to, to + len);
	ret = static_call(memsync_uffd_move)(ctx, to, from, len, mode);
	memsync_unseen_end(&u);
	return ret;
}

static long no_move_ptes(struct mm_struct *mm, pmd_t *to_pmd, pmd_t *from_pmd,
			 struct vm_area_struct *to_vma, struct vm_area_struct *from_vma,
			 unsigned long to, unsigned long from, unsigned long len, u64 mode)
{
	return -EINVAL;
}

DEFINE_STATIC_CALL(memsync_uffd_move_ptes, no_move_ptes);

/* @len is what there is still to be moved, of which this call moves what one table holds. */
static long move_ptes(struct mm_struct *mm, pmd_t *to_pmd, pmd_t *from_pmd,
		      struct vm_area_struct *to_vma, struct vm_area_struct *from_vma,
		      unsigned long to, unsigned long from, unsigned long len, u64 mode)
{
	struct memsync_unseen u;
	long ret;

	memsync_unseen_begin(&u, mm, to, min(to + len, (to | ~PMD_MASK) + 1));
	ret = static_call(memsync_uffd_move_ptes)(mm, to_pmd, from_pmd, to_vma, from_vma, to, from,
						  len, mode);
	memsync_unseen_end(&u);
	return ret;
}

static int no_move_huge(struct mm_struct *mm, pmd_t *to_pmd, pmd_t *from_pmd, pmd_t to_pmdval,
			struct vm_area_struct *to_vma, struct vm_area_struct *from_vma,
			unsigned long to, unsigned long from)
{
	return -EINVAL;
}

DEFINE_STATIC_CALL(memsync_uffd_move_huge, no_move_huge);

static int move_huge(struct mm_struct *mm, pmd_t *to_pmd, pmd_t *from_pmd, pmd_t to_pmdval,
		     struct vm_area_struct *to_vma, struct vm_area_struct *from_vma,
		     unsigned long to, unsigned long from)
{
	struct memsync_unseen u;
	int ret;

	memsync_unseen_begin(&u, mm, to, to + PMD_SIZE);
	ret = static_call(memsync_uffd_move_huge)(mm, to_pmd, from_pmd, to_pmdval, to_vma,
						  from_vma, to, from);
	memsync_unseen_end(&u);
	return ret;
}

static long no_protect(struct vm_area_struct *vma, unsigned long start, unsigned long len,
		       bool enable_wp)
{
	return -EINVAL;
}

DEFINE_STATIC_CALL(memsync_uffd_protect, no_protect);

/*
 * The mmap lock is held for reading only. An entry that was made writable is written with
 * no fault from then on, and before the end a harvest may come, or reclaim take the page.
 * All that is writable at the end would be shipped anyway.
 */
static long lift(struct vm_area_struct *vma, unsigned long start, unsigned long len,
		 bool enable_wp)
{
	struct memsync_unseen u;
	long ret;

	memsync_unseen_begin(&u, vma->vm_mm, start, start + len);
	ret = static_call(memsync_uffd_protect)(vma, start, len, enable_wp);
	memsync_unseen_end(&u);
	return ret;
}

static bool is_watched(const struct mm_struct *mm)
{
	return READ_ONCE(memsync_mm_bucket(mm)->first);
}

/* To protect makes nothing writable. */
static unsigned long protect_target(struct ftrace_regs *fregs)
{
	struct vm_area_struct *vma = (void *)ftrace_regs_get_argument(fregs, 0);
	u8 enable_wp = ftrace_regs_get_argument(fregs, 3);	/* the other bits may be anything */

	return !enable_wp && is_watched(vma->vm_mm) ? (unsigned long)lift : 0;
}

/* Returns where the call is to go that is about to enter @site, or 0. */
static unsigned long target(unsigned long site, struct ftrace_regs *fregs)
{
	struct vm_area_struct *vma;

	if (site == install_site || site == hugetlb_site) {
		vma = (void *)ftrace_regs_get_argument(fregs, UFFD_INSTALL_VMA_ARG);
		if (!is_watched(vma->vm_mm) && !memsync_view_may_see_vma(vma))
			return 0;
		return site == install_site ? (unsigned long)install :
					      (unsigned long)install_hugetlb;
	}
	if (site == move_site)
		return is_watched(memsync_uffd_mm((void *)ftrace_regs_get_argument(fregs, 0))) ?
		       (unsigned long)move : 0;
	if (!is_watched((void *)ftrace_regs_get_argument(fregs, 0)))
		return 0;
	return site == move_ptes_site ? (unsigned long)move_ptes : (unsigned long)move_huge;
}

/* Returns whether @site is one of these. */
bool notrace memsync_userfault_hook(unsigned long site, struct ftrace_regs *fregs)
{
	unsigned long to;

	if (site != install_site && site != hugetlb_site && site != move_site &&
	    site != move_ptes_site && site != move_huge_site && site != protect_site)
		return false;
	to = site == protect_site ? protect_target(fregs) : target(site, fregs);
	if (to)
		ftrace_regs_set_instruction_pointer(fregs, to);
	return true;
}

/* Is it seen how such memory is filled, and becomes writable? */
bool memsync_userfault_is_seen(void)
{
	return UFFD_IS_SEEN && install_site && (!UFFD_HAS_MOVE || move_site || move_huge_site) &&
	       (!UFFD_LIFTS_AT_ONCE || protect_site);
}

/* Either the whole move, or each of the parts that it consists of. */
static unsigned int find_moves(unsigned long *sites)
{
	move_site = memsync_symbol_site("move_pages");
	if (move_site) {
		static_call_update(memsync_uffd_move,
				   (typeof(&no_move))(move_site + MCOUNT_INSN_SIZE));
		sites[0] = move_site;
		return 1;
	}
	move_ptes_site = memsync_symbol_site("move_pages_ptes");
	if (move_ptes_site)
		move_huge_site = memsync_symbol_site("move_pages_huge_pmd");
	if (!move_huge_site)
		return 0;
	static_call_update(memsync_uffd_move_ptes,
			   (typeof(&no_move_ptes))(move_ptes_site + MCOUNT_INSN_SIZE));
	static_call_update(memsync_uffd_move_huge,
			   (typeof(&no_move_huge))(move_huge_site + MCOUNT_INSN_SIZE));
	sites[0] = move_ptes_site;
	sites[1] = move_huge_site;
	return 2;
}

static unsigned int find_protect(unsigned long *sites)
{
	protect_site = memsync_symbol_site("uffd_wp_range");
	if (!protect_site)
		return 0;
	static_call_update(memsync_uffd_protect,
			   (typeof(&no_protect))(protect_site + MCOUNT_INSN_SIZE));
	sites[0] = protect_site;
	return 1;
}

/**
 * memsync_userfault_find - where does a userfaultfd fill memory, or make it writable?
 * @sites: set to where ftrace enters the functions, %MEMSYNC_USERFAULT_SITES at most
 *
 * Where something is missing, such memory is refused. Return: how many.
 */
unsigned int memsync_userfault_find(unsigned long *sites)
{
	unsigned int nr = 0;

	install_site = memsync_symbol_site("mfill_atomic_install_pte");
	if (install_site) {
		static_call_update(memsync_uffd_install,
				   (typeof(&no_install))(install_site + MCOUNT_INSN_SIZE));
		sites[nr++] = install_site;
	}
	hugetlb_site = memsync_symbol_site(UFFD_INSTALL_HUGETLB);
	if (hugetlb_site) {
		static_call_update(memsync_uffd_hugetlb,
				   (typeof(&no_hugetlb))(hugetlb_site + MCOUNT_INSN_SIZE));
		sites[nr++] = hugetlb_site;
	}
	if (UFFD_LIFTS_AT_ONCE)
		nr += find_protect(sites + nr);
	return nr + (UFFD_HAS_MOVE && UFFD_IS_SEEN ? find_moves(sites + nr) : 0);
}
