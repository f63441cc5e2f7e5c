// SPDX-License-Identifier: GPL-2.0
/*
 * Private hugetlb memory. Its entries are those of huge pages, under the same lock;
 * what is of its own:
 *
 * - The pool is small and exact. A page that we still held when the process gives it
 *   back would be missing from the pool, and the process might be killed for it. So
 *   no reference is ever taken: content is copied under the lock of the entry.
 * - Our protection must not cost a page either. It does not: for a write to a page
 *   that is anonymous and mapped once, hugetlb_wp() makes the entry writable again,
 *   whatever references there are.
 * - get_user_pages() of 6.1 calls hugetlb_fault() itself, not handle_mm_fault().
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/ftrace.h>
#include <linux/highmem.h>
#include <linux/hugetlb.h>
#include <linux/leafops.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/static_call.h>
#include <linux/string.h>
#include "hook.h"
#include "hugetlb.h"
#include "mm.h"
#include "pgwalk.h"
#include "symbol.h"
#include "track_internal.h"

static unsigned long fault_site;

#ifdef CONFIG_HUGETLB_PAGE

/*
 * The kernel gives an anonymous mapping a file of its own, of that name; a memfd's has
 * another.
 */
static bool is_anonymous(const struct vm_area_struct *vma)
{
	const struct dentry *dentry = vma->vm_file->f_path.dentry;

	return dentry->d_sb->s_flags & SB_KERNMOUNT &&
	       !strcmp(dentry->d_name.name, HUGETLB_ANON_FILE);
}

/**
 * memsync_hugetlb_refusal - why can this hugetlb memory not be tracked?
 * @vma: the mapping, under its mmap lock or held by a fault
 *
 * Return: a few words, or NULL where it can.
 */
const char *memsync_hugetlb_refusal(const struct vm_area_struct *vma)
{
	struct vm_area_struct *v = (struct vm_area_struct *)vma;

	if (vma->vm_flags & VM_MAYSHARE)
		return "shared hugetlb memory";
	if (huge_page_size(hstate_vma(v)) != PMD_SIZE)
		return "hugetlb memory of 1 GiB pages";
	if (!is_anonymous(vma))
		return "a private mapping of a hugetlbfs file";
	if (!fault_site)
		return "hugetlb memory whose faults cannot be hooked";
	return NULL;
}

#else	/* never called */

const char *memsync_hugetlb_refusal(const struct vm_area_struct *vma)
{
	return "hugetlb memory";
}

#endif

/*
 * Nothing is ever in the kernel's own file, unless somebody has opened that by
 * /proc/PID/map_files: then pages that are not the process's may be mapped.
 */
bool memsync_hugetlb_is_opened(const struct vm_area_struct *vma)
{
	return READ_ONCE(vma->vm_file->f_mapping->nrpages);
}

/*
 * May somebody write the page without a fault? The entry was protected, and its lock is
 * held: whoever takes a reference without the lock looks at the entry again afterwards. So
 * one that is not there yet is not used to write either. Such pages are on no LRU list,
 * and in no swap cache: what is not a mapping is somebody's.
 */
static bool has_excess(pmd_t pmd)
{
	struct folio *folio = page_folio(pmd_page(pmd));
	int before = folio_ref_count(folio), mapped, after;

	smp_rmb();	/* a mapping that goes takes its reference along, in this order */
	mapped = folio_entire_mapcount(folio);
	smp_rmb();	/* and one that comes brings it */
	after = folio_ref_count(folio);
	return max(before, after) > mapped;
}

/* May it be written with no fault, now or when it comes back from a migration? */
bool memsync_hugetlb_may_change(pmd_t pmd)
{
	return pmd_present(pmd) ? has_excess(pmd) :
				  softleaf_is_migration(softleaf_from_pmd(pmd));
}

/* Returns 1 with @to filled; 0: nothing is there; -EAGAIN: it migrates; -EHWPOISON: it is bad. */
static int copy_page_at(struct mm_struct *mm, pmd_t *pmd, unsigned long addr, struct page *to)
{
	spinlock_t *ptl = pmd_lockptr(mm, pmd);
	pmd_t pmdval;
	int ret = 1;

	spin_lock(ptl);
	pmdval = pmdp_get_lockless(pmd);
	if (pmd_none(pmdval))
		ret = 0;
	else if (pmd_present(pmdval))
		copy_highpage(to, pfn_to_page(pmd_pfn(pmdval) + memsync_page_in_block(addr)));
	else
		ret = softleaf_is_migration(softleaf_from_pmd(pmdval)) ? -EAGAIN : -EHWPOISON;
	spin_unlock(ptl);
	return ret;
}

/**
 * memsync_hugetlb_read - copy a page as it is now
 * @vma: a mapping that is not refused
 * @addr: page-aligned, in it
 * @page: set to a copy, with a reference, or to NULL for zeros
 *
 * Context: process; sleeps; the mmap lock is held. Return: 1; -ENOMEM; -EAGAIN while it
 * migrates; -EHWPOISON for an entry that is neither a page nor on its way to one.
 */
long memsync_hugetlb_read(struct vm_area_struct *vma, unsigned long addr, struct page **page)
{
	pmd_t *pmd = memsync_pgwalk_pmd(vma->vm_mm, addr);
	struct page *to;
	int ret;

	*page = NULL;
	if (!pmd)
		return 1;
	to = alloc_page(GFP_KERNEL);
	if (!to)
		return -ENOMEM;
	ret = copy_page_at(vma->vm_mm, pmd, addr, to);
	if (ret == 1)
		*page = to;
	else
		put_page(to);
	return ret ?: 1;
}

/* ---- faults ---- */

static vm_fault_t unresolved(struct mm_struct *mm, struct vm_area_struct *vma, unsigned long addr,
			     unsigned int flags)
{
	return VM_FAULT_SIGBUS;
}

DEFINE_STATIC_CALL(memsync_hugetlb_fault, unresolved);

/*
 * As memsync_fault_handle(), in which this may be nested: hints before and after, the
 * count up in between. The look is enough, since what is written becomes writable.
 */
static vm_fault_t hugetlb_fault_seen(struct mm_struct *mm, struct vm_area_struct *vma,
				     unsigned long addr, unsigned int flags)
{
	struct memsync_mm *m;
	atomic_t *in_flight;
	bool strays = false;
	vm_fault_t ret;

	rcu_read_lock();
	m = memsync_mm_find(mm);
	in_flight = m ? memsync_mm_in_flight(m, addr) : &memsync_hook_passing;
	atomic_inc(in_flight);
	smp_mb__after_atomic();		/* pairs with the taking, see memsync_mm_unsettled() */
	if (m) {
		strays = READ_ONCE(m->nr_follow) && flags & FAULT_FLAG_WRITE &&
			 !memsync_vma_refusal(vma);
		memsync_track_hint(m, addr, 0, true);
	}
	rcu_read_unlock();

	ret = static_call(memsync_hugetlb_fault)(mm, vma, addr, flags);

	rcu_read_lock();
	if (m)
		memsync_track_hint(m, addr, 0, false);
	if (strays)
		memsync_track_stray(m, addr, addr + 1, false);
	rcu_read_unlock();
	atomic_dec_return_release(in_flight);
	return ret;
}

bool notrace memsync_hugetlb_hook(unsigned long site, struct ftrace_regs *fregs)
{
	struct mm_struct *mm;

	if (site != fault_site)
		return false;
	mm = (void *)ftrace_regs_get_argument(fregs, 0);
	if (READ_ONCE(memsync_mm_bucket(mm)->first))
		ftrace_regs_set_instruction_pointer(fregs, (unsigned long)hugetlb_fault_seen);
	return true;
}

/**
 * memsync_hugetlb_find - can faults of hugetlb memory be seen on this kernel?
 *
 * Return: where ftrace enters the function, or 0: then that memory is refused.
 */
unsigned long memsync_hugetlb_find(void)
{
	fault_site = memsync_symbol_site("hugetlb_fault");
	if (fault_site)
		static_call_update(memsync_hugetlb_fault,
				   (typeof(&unresolved))(fault_site + MCOUNT_INSN_SIZE));
	return fault_site;
}
