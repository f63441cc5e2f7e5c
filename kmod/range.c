// SPDX-License-Identifier: GPL-2.0
/* Which memory may be part of a region. */
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/netlink.h>
#include <linux/sched/mm.h>
#include <linux/userfaultfd_k.h>
#include "backing.h"
#include "compare.h"
#include "hugetlb.h"
#include "object.h"
#include "range.h"
#include "userfault.h"

/* Why memory of such a file never can, or NULL. */
static const char *file_refusal(const struct file *file)
{
	if (IS_DAX(file->f_mapping->host))
		return "a DAX mapping";
	if (file_inode(file)->i_sb->s_magic == SECRETMEM_MAGIC)
		return "secret memory (memfd_secret)";
	return NULL;
}

/* Why memory of this sort never can, whatever becomes of the mapping. */
static const char *refusal_for_good(const struct vm_area_struct *vma)
{
	struct vm_area_struct *v = (struct vm_area_struct *)vma;
	const char *why = vma->vm_file ? file_refusal(vma->vm_file) : NULL;

	if (why)
		return why;
	if (vma->vm_flags & (VM_IO | VM_PFNMAP))
		return "device memory";
	if (memsync_vma_is_hugetlb(vma))
		return memsync_hugetlb_refusal(vma);
	if (vma->vm_flags & VM_SHADOW_STACK)
		return "a shadow stack";
	if (vma->vm_flags & VM_SHARED)
		return memsync_object_refusal(vma);
	if (vma_is_anonymous(v))
		return NULL;
	return vma->vm_file ? memsync_backing_refusal(vma) : "a special mapping";
}

static const char *armed_refusal(struct vm_area_struct *vma)
{
	if (vma->vm_flags & VM_SHARED)
		return "shared memory under a userfaultfd";
	if (vma->vm_flags & VM_UFFD_RWP)
		return "memory under a userfaultfd that sees it read";
	if (vma_is_anonymous(vma) && memsync_userfault_is_seen())
		return NULL;
	return "memory under a userfaultfd";
}

/**
 * memsync_vma_refusal - why can memory of this kind not be tracked?
 * @vma: the mapping, under its mmap lock
 *
 * Return: a few words that name the kind, or NULL for private memory, which can:
 * anonymous, or that of a file which changes only where this can be seen.
 */
const char *memsync_vma_refusal(const struct vm_area_struct *vma)
{
	struct vm_area_struct *v = (struct vm_area_struct *)vma;
	const char *why = refusal_for_good(vma);

	if (why)
		return why;
	if (vma->vm_flags & VM_MIXEDMAP)
		return "a mixed mapping";
	if (userfaultfd_armed(v))
		return armed_refusal(v);
	if (memsync_vma_is_hugetlb(vma) && memsync_hugetlb_is_opened(vma))
		return "hugetlb memory that somebody else has opened";
	return NULL;
}

bool memsync_vma_is_foreign(const struct vm_area_struct *vma)
{
	return refusal_for_good(vma);
}

static int refuse(const struct vm_area_struct *vma, const char *why,
		  struct netlink_ext_ack *extack)
{
	NL_SET_ERR_MSG_FMT(extack, "0x%lx-0x%lx is %s", vma->vm_start, vma->vm_end, why);
	return -EOPNOTSUPP;
}

/* What speaks against this use of it, or NULL. */
static const char *refusal_for(const struct vm_area_struct *vma, enum memsync_range_use use)
{
	const char *why;

	if (use == MEMSYNC_RANGE_WRITTEN) {
		if (vma->vm_flags & (VM_IO | VM_PFNMAP))
			return "device memory";
		if (vma->vm_flags & VM_SHADOW_STACK)
			return "a shadow stack";
		return userfaultfd_armed((struct vm_area_struct *)vma) ?
		       "memory under a userfaultfd" : NULL;
	}
	why = memsync_vma_refusal(vma);
	if (!why && memsync_vma_is_object(vma))
		return memsync_object_recheck(vma);
	if (why && use == MEMSYNC_RANGE_COMPARED && memsync_vma_is_foreign(vma) &&
	    memsync_vma_is_comparable(vma))
		return memsync_compare_refusal(vma);
	return why;
}

static int check_vma(const struct vm_area_struct *vma, enum memsync_range_use use,
		     struct netlink_ext_ack *extack)
{
	const char *why = refusal_for(vma, use);

	if (why)
		return refuse(vma, why, extack);
	if (vma->vm_flags & VM_WRITE)
		return 0;
	NL_SET_ERR_MSG_FMT(extack, "0x%lx-0x%lx is not writable", vma->vm_start, vma->vm_end);
	return -EACCES;
}

static int check_range(struct mm_struct *mm, const struct memsync_range *r,
		       enum memsync_range_use use, struct netlink_ext_ack *extack)
{
	unsigned long addr = r->start;
	VMA_ITERATOR(vmi, mm, addr);
	struct vm_area_struct *vma;
	int err;

	for_each_vma_range(vmi, vma, r->end) {
		if (vma->vm_start > addr)
			break;
		err = check_vma(vma, use, extack);
		if (err)
			return err;
		addr = vma->vm_end;
	}
	if (addr >= r->end)
		return 0;
	NL_SET_ERR_MSG_FMT(extack, "nothing is mapped at 0x%lx in 0x%lx-0x%lx", addr, r->start,
			   r->end);
	return -EFAULT;
}

int memsync_ranges_check(struct mm_struct *mm, const struct memsync_range *ranges,
			 unsigned int nr, enum memsync_range_use use,
			 struct netlink_ext_ack *extack)
{
	unsigned int i;
	int err = 0;

	if (!mmget_not_zero(mm)) {
		NL_SET_ERR_MSG(extack, "the process is exiting");
		return -ESRCH;
	}
	if (mmap_read_lock_killable(mm)) {
		err = -EINTR;
		goto put_mm;
	}
	for (i = 0; i < nr && !err; i++)
		err = check_range(mm, &ranges[i], use, extack);
	mmap_read_unlock(mm);
put_mm:
	mmput_async(mm);
	return err;
}
