// SPDX-License-Identifier: GPL-2.0
/*
 * Memory under a userfaultfd of the application's own. Its faults come through
 * handle_mm_fault() like all others, and its write protection tells the notifier as
 * mprotect() does. But UFFDIO_COPY puts pages where none was, and UFFDIO_MOVE where they
 * come to lie, and of neither place anybody tells.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/ftrace.h>
#include <linux/mm.h>
#include <linux/static_call.h>
#include <linux/uaccess.h>
#include <linux/userfaultfd_k.h>
#include "bypass.h"
#include "mm.h"
#include "symbol.h"
#include "track_internal.h"
#include "userfault.h"

static unsigned long copy_site, ioctl_site;

static long uncopied(unsigned long whose, unsigned long start, unsigned long from,
		     unsigned long len, unsigned long a, unsigned long b)
{
	return -EINVAL;
}

DEFINE_STATIC_CALL(memsync_uffd_copy, uncopied);

/* The kernel has checked the arguments. */
static long copy(unsigned long whose, unsigned long start, unsigned long from,
		 unsigned long len, unsigned long a, unsigned long b)
{
	struct memsync_unseen u;
	long done;

	memsync_unseen_begin(&u, memsync_uffd_mm(whose), start, start + len);
	done = static_call(memsync_uffd_copy)(whose, start, from, len, a, b);
	memsync_unseen_end(&u);
	return done;
}

static long unmoved(struct file *file, unsigned int cmd, unsigned long arg)
{
	return -EINVAL;
}

DEFINE_STATIC_CALL(memsync_uffd_ioctl, unmoved);

/* Returns whether @to holds where @arg says that pages are moved to. */
static bool read_move(struct uffdio_move *to, unsigned long arg)
{
	return !copy_from_user(to, (void __user *)arg, sizeof(*to)) &&
	       to->dst < TASK_SIZE && to->len <= TASK_SIZE - to->dst;
}

/*
 * The arguments are read a second time by the kernel. Whoever changes them meanwhile has
 * moved pages to who knows where.
 */
static long move(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct mm_struct *mm = memsync_uffd_mm((unsigned long)file->private_data);
	struct uffdio_move before, after;
	struct memsync_unseen u;
	bool known;
	long ret;

	known = read_move(&before, arg);
	memsync_unseen_begin(&u, mm, known ? before.dst : 0,
			     known ? before.dst + before.len : TASK_SIZE);
	ret = static_call(memsync_uffd_ioctl)(file, cmd, arg);
	if (known && (!read_move(&after, arg) || after.dst != before.dst ||
		      after.len != before.len))
		memsync_track_mark_in(mm, 0, TASK_SIZE);
	memsync_unseen_end(&u);
	return ret;
}

static bool is_watched(struct mm_struct *mm)
{
	return READ_ONCE(memsync_mm_bucket(mm)->first);
}

/* Returns whether @site is one of these. */
bool notrace memsync_userfault_hook(unsigned long site, struct ftrace_regs *fregs)
{
	unsigned long first = ftrace_regs_get_argument(fregs, 0);

	if (site == copy_site) {
		if (is_watched(memsync_uffd_mm(first)))
			ftrace_regs_set_instruction_pointer(fregs, (unsigned long)copy);
		return true;
	}
	if (site != ioctl_site)
		return false;
	if ((unsigned int)ftrace_regs_get_argument(fregs, 1) == UFFDIO_MOVE &&
	    is_watched(memsync_uffd_mm((unsigned long)((struct file *)first)->private_data)))
		ftrace_regs_set_instruction_pointer(fregs, (unsigned long)move);
	return true;
}

/* Is it seen how such memory is filled? */
bool memsync_userfault_is_seen(void)
{
	return copy_site && (ioctl_site || !UFFDIO_MOVE);
}

/**
 * memsync_userfault_find - where is memory filled through a userfaultfd?
 * @sites: set to where ftrace enters the functions, %MEMSYNC_USERFAULT_SITES at most
 *
 * Where something is missing, such memory is refused. Return: how many.
 */
unsigned int memsync_userfault_find(unsigned long *sites)
{
	copy_site = memsync_symbol_site(MEMSYNC_UFFD_COPY);
	if (!copy_site)
		return 0;
	static_call_update(memsync_uffd_copy,
			   (typeof(&uncopied))(copy_site + MCOUNT_INSN_SIZE));
	sites[0] = copy_site;
	ioctl_site = UFFDIO_MOVE ? memsync_symbol_site("userfaultfd_ioctl") : 0;
	if (!ioctl_site)
		return 1;
	static_call_update(memsync_uffd_ioctl,
			   (typeof(&unmoved))(ioctl_site + MCOUNT_INSN_SIZE));
	sites[1] = ioctl_site;
	return 2;
}
