/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMSYNC_BACKING_H
#define _MEMSYNC_BACKING_H

#include <linux/mm.h>
#include <linux/types.h>
#include "hugetlb.h"

struct inode;
struct memsync_track;

/**
 * struct memsync_backing - a private file mapping, as a harvest found it
 * @start: of the mapping
 * @end: of the mapping
 * @pgoff: where in the file, pages
 * @inode: of the file; for comparison only
 * @size: of the file, bytes
 * @changed: when the file was, by its own stamp
 * @settled: it cannot change any more without another stamp
 */
struct memsync_backing {
	unsigned long start;
	unsigned long end;
	unsigned long pgoff;
	const struct inode *inode;
	loff_t size;
	struct timespec64 changed;
	bool settled;
};

/**
 * struct memsync_backings - those in the ranges of one track
 * @items: sorted by address
 * @nr: how many
 * @max: for how many there is room
 */
struct memsync_backings {
	struct memsync_backing *items;
	unsigned int nr;
	unsigned int max;
};

/*
 * Private memory that reads as a file where the process has no page of its own;
 * to be asked of one that memsync_vma_refusal() does not refuse.
 */
static inline bool memsync_vma_has_backing(const struct vm_area_struct *vma)
{
	return !memsync_vma_is_plain(vma) && !(vma->vm_flags & VM_SHARED);
}

/* That of a file or of a shared object. */
static inline bool memsync_vma_is_of_file(const struct vm_area_struct *vma)
{
	return !memsync_vma_is_plain(vma);
}

const char *memsync_backing_refusal(const struct vm_area_struct *vma);
bool memsync_backing_is_past_end(const struct vm_area_struct *vma, unsigned long addr);

int memsync_backing_check(struct memsync_track *track, struct memsync_backings *seen,
			  const struct vm_area_struct *vma);
bool memsync_backing_is_unchanged(struct memsync_track *track, unsigned long addr);
void memsync_backing_checked(struct memsync_track *track, struct memsync_backings *seen);

#endif /* _MEMSYNC_BACKING_H */
