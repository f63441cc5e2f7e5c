// SPDX-License-Identifier: GPL-2.0
/*
 * Private mappings of files. A page that the process has written is its own, and
 * tracked like any other. The others are the file's: they change when the file
 * does, of which neither a fault nor the notifier tells. So each walk asks the
 * file, whose stamp is set before its content changes.
 */
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/magic.h>
#include <linux/pagemap.h>
#include <linux/sched/coredump.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include "backing.h"
#include "track_internal.h"

/*
 * Those of which it is known that a file changes only through this kernel, and that
 * each change is stamped, or made by somebody who is counted as a writer (for
 * tmpfs and ramfs, see is_settled()).
 */
static bool is_known(const struct super_block *sb)
{
	switch (sb->s_magic) {
	case BTRFS_SUPER_MAGIC:
	case EROFS_SUPER_MAGIC_V1:
	case EXT4_SUPER_MAGIC:
	case ISOFS_SUPER_MAGIC:
	case RAMFS_MAGIC:
	case SQUASHFS_MAGIC:
	case TMPFS_MAGIC:
	case XFS_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

/* Why a private mapping of this file cannot be tracked, or NULL. */
const char *memsync_backing_refusal(const struct vm_area_struct *vma)
{
	const struct inode *inode = file_inode(vma->vm_file);

	if (!S_ISREG(inode->i_mode))
		return "a mapping of a device";
	/* Whoever holds one may write to it without being counted. */
	if (inode->i_sb->s_flags & SB_KERNMOUNT)
		return "a private mapping of a memfd";
	if (!is_known(inode->i_sb))
		return "a file mapping whose changes cannot be seen";
	return NULL;
}

/* There the process gets SIGBUS. Under the mmap lock. */
bool memsync_backing_is_past_end(const struct vm_area_struct *vma, unsigned long addr)
{
	u64 pos = ((u64)vma->vm_pgoff << PAGE_SHIFT) + (addr - vma->vm_start);

	return pos >= round_up(i_size_read(file_inode(vma->vm_file)), PAGE_SIZE);
}

/*
 * tmpfs does not stamp what is written through shared mappings, and who writes may
 * be gone again by the next walk.
 */
static bool stamps_all(const struct super_block *sb)
{
	return sb->s_magic != TMPFS_MAGIC && sb->s_magic != RAMFS_MAGIC;
}

/* A breakpoint is set in, or taken out of, a page that then is the process's own. */
static bool may_have_probes(const struct vm_area_struct *vma)
{
	return !(vma->vm_flags & VM_WRITE) && mm_flags_test(MMF_HAS_UPROBES, vma->vm_mm);
}

/*
 * A guard takes the place of a page of the file, which whoever goes there cannot read then;
 * neither that nor its end tells anybody.
 */
static bool may_have_guards(const struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_MAYBE_GUARD;
}

/* Can it not change any more, since @now, and bear the same stamp? */
static bool is_settled(const struct inode *inode, struct timespec64 changed,
		       struct timespec64 now)
{
	s64 grain = inode->i_sb->s_time_gran + 2 * TICK_NSEC;

	return stamps_all(inode->i_sb) && !inode_is_open_for_write(inode) &&
	       timespec64_compare(&now, &changed) > 0 &&
	       timespec64_to_ns(&now) - timespec64_to_ns(&changed) > grain;
}

/*
 * The order matters. Whoever writes after the time was taken leaves a later stamp
 * than one that has settled by then; and one who has written and is not counted
 * any more has left his. What is read from the file is read later still.
 */
static struct memsync_backing look_at(const struct vm_area_struct *vma)
{
	const struct inode *inode = file_inode(vma->vm_file);
	struct memsync_backing b = {
		.start = vma->vm_start,
		.end = vma->vm_end,
		.pgoff = vma->vm_pgoff,
		.inode = inode,
	};
	struct timespec64 now;

	ktime_get_coarse_real_ts64(&now);
	smp_rmb();	/* pairs with the one of a writer who is counted */
	b.changed = inode_get_ctime(inode);
	b.size = i_size_read(inode);
	smp_rmb();	/* pairs with the barrier of a writer who closes */
	b.settled = is_settled(inode, b.changed, now) && !may_have_probes(vma) &&
		    !may_have_guards(vma);
	return b;
}

static bool is_same(const struct memsync_backing *a, const struct memsync_backing *b)
{
	return a->start == b->start && a->end == b->end && a->pgoff == b->pgoff &&
	       a->inode == b->inode && a->size == b->size &&
	       timespec64_equal(&a->changed, &b->changed);
}

/* The one that holds @addr. */
static const struct memsync_backing *find(const struct memsync_backings *known,
					  unsigned long addr)
{
	unsigned int low = 0, high = known->nr;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;

		if (known->items[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low < known->nr && known->items[low].start <= addr ? &known->items[low] : NULL;
}

static int add(struct memsync_backings *seen, const struct memsync_backing *b)
{
	unsigned int max = seen->max ? seen->max * 2 : 8;
	struct memsync_backing *items;

	if (seen->nr == seen->max) {
		items = kvmalloc_array(max, sizeof(*items), GFP_KERNEL_ACCOUNT);
		if (!items)
			return -ENOMEM;
		if (seen->nr)
			memcpy(items, seen->items, array_size(seen->nr, sizeof(*items)));
		kvfree(seen->items);
		seen->items = items;
		seen->max = max;
	}
	seen->items[seen->nr++] = *b;
	return 0;
}

/**
 * memsync_backing_check - has what is mapped here changed?
 * @track: its pages are marked then
 * @seen: of this walk, so far
 * @vma: the next one; the same one again where several ranges touch it
 *
 * Context: at the beginning of a walk, under the mmap lock; sleeps.
 * Return: 0 or -ENOMEM.
 */
int memsync_backing_check(struct memsync_track *track, struct memsync_backings *seen,
			  const struct vm_area_struct *vma)
{
	const struct memsync_backing *before = find(&track->backings, vma->vm_start);
	struct memsync_backing b;

	if (seen->nr && seen->items[seen->nr - 1].start == vma->vm_start)
		return 0;
	b = look_at(vma);
	if (!before || !before->settled || !b.settled || !is_same(before, &b))
		memsync_track_mark_range(track, vma->vm_start, vma->vm_end);
	return add(seen, &b);
}

/* The walk has been over all of them, and what it saw is what is known. */
void memsync_backing_checked(struct memsync_track *track, struct memsync_backings *seen)
{
	swap(track->backings, *seen);
	kvfree(seen->items);
}

/**
 * memsync_backing_is_unchanged - is the file at @addr as the last walk found it?
 * @track: whose walk; none runs now
 * @addr: in a range of its
 *
 * Context: process; takes the mmap lock. Return: also true where it found no file.
 */
bool memsync_backing_is_unchanged(struct memsync_track *track, unsigned long addr)
{
	const struct memsync_backing *before = find(&track->backings, addr);
	struct mm_struct *mm = track->m->mm;
	struct vm_area_struct *vma;
	struct memsync_backing b;
	bool ret = false;

	if (likely(!before))
		return true;
	if (!before->settled || !mmget_not_zero(mm))
		return false;
	mmap_read_lock(mm);
	vma = find_vma(mm, addr);
	if (vma && vma->vm_start == before->start && !memsync_vma_refusal(vma) &&
	    memsync_vma_has_backing(vma)) {
		b = look_at(vma);
		ret = b.settled && is_same(before, &b);
	}
	mmap_read_unlock(mm);
	mmput_async(mm);
	return ret;
}
