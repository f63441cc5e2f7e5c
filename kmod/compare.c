// SPDX-License-Identifier: GPL-2.0
/*
 * Memory whose changes cannot be seen: shared mappings of files on disks, shared hugetlb
 * memory and the like. Where the owner of a track asks for it, a walk finds all of it;
 * which of it has changed, who ships it knows by digests. Its entries are left alone.
 */
#include <linux/fs.h>
#include <linux/gfs2_ondisk.h>
#include <linux/highmem.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/shmem_fs.h>
#include <linux/userfaultfd_k.h>
#include "backing.h"
#include "compare.h"
#include "hugetlb.h"
#include "pgwalk.h"

/* To read it must not take the answer of another process or host, which may never come. */
static bool is_local(const struct super_block *sb)
{
	return sb->s_type->fs_flags & FS_REQUIRES_DEV && sb->s_magic != FUSE_SUPER_MAGIC &&
	       sb->s_magic != OCFS2_SUPER_MAGIC && sb->s_magic != GFS2_MAGIC;
}

/**
 * memsync_vma_is_comparable - can the changes of this kind of memory be found by looking at it?
 * @vma: one that memsync_vma_is_foreign() finds so; under its mmap lock
 */
bool memsync_vma_is_comparable(const struct vm_area_struct *vma)
{
	const struct inode *inode;

	if (!vma->vm_file || vma->vm_flags & (VM_IO | VM_PFNMAP | VM_MIXEDMAP))
		return false;
	/*
	 * Not private ones: a truncation of their file that meets a fault, such as ours, takes
	 * a lock of theirs for one of another kind (hugetlb_unmap_file_folio()).
	 */
	if (memsync_vma_is_hugetlb(vma))
		return vma->vm_flags & VM_MAYSHARE;
	inode = file_inode(vma->vm_file);
	if (!S_ISREG(inode->i_mode) || IS_DAX(inode))
		return false;
	return is_local(inode->i_sb) ||
	       (!(vma->vm_flags & VM_SHARED) && shmem_mapping(vma->vm_file->f_mapping));
}

/* What speaks against reading such memory in the state it is in, or NULL. */
const char *memsync_compare_refusal(const struct vm_area_struct *vma)
{
	return userfaultfd_armed((struct vm_area_struct *)vma) ? "memory under a userfaultfd" :
								  NULL;
}

/* No page of the pool is held for longer than a copy takes. A hole stays one: FOLL_DUMP. */
static long get_hugetlb(struct mm_struct *mm, unsigned long addr, struct page **page, int *locked)
{
	struct page *from, *to = alloc_page(GFP_KERNEL);
	long got;

	if (!to)
		return -ENOMEM;
	got = get_user_pages_remote(mm, addr, 1, FOLL_FORCE | FOLL_DUMP | FOLL_HWPOISON, &from,
				    locked);
	if (got != 1) {
		put_page(to);
		return got == -EFAULT ? 1 : got;
	}
	copy_highpage(to, from);
	put_page(from);
	*page = to;
	return 1;
}

/**
 * memsync_compare_get - the page at @addr as it is now
 * @vma: a mapping that is comparable; the mmap lock is held for reading
 * @addr: page-aligned, in it
 * @page: set to it or a copy, with a reference; NULL: reads as zeros, or not at all
 * @locked: set to 0 if the lock was dropped
 *
 * Context: process; sleeps. Return: 1, or as get_user_pages_remote().
 */
long memsync_compare_get(struct vm_area_struct *vma, unsigned long addr, struct page **page,
			 int *locked)
{
	struct mm_struct *mm = vma->vm_mm;

	*page = NULL;
	if (memsync_compare_refusal(vma))
		return -EFAULT;
	if (memsync_vma_is_hugetlb(vma))
		return get_hugetlb(mm, addr, page, locked);
	if (memsync_backing_is_past_end(vma, addr) ||
	    (vma->vm_flags & VM_MAYBE_GUARD && memsync_pgwalk_is_guard(mm, addr)))
		return 1;
	return get_user_pages_remote(mm, addr, 1, FOLL_FORCE, page, locked);
}
