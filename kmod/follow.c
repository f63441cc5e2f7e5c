// SPDX-License-Identifier: GPL-2.0
/*
 * A source that follows its process: mappings that came after it was registered
 * become ranges of it. What goes away stays a range: it reads as zeros, and
 * offsets into the replica never change.
 */
#include <linux/mm.h>
#include <linux/netlink.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>
#include "backing.h"
#include "dirty.h"
#include "region.h"

/*
 * A heap grows by a few pages at a time. So that not each of them becomes a
 * range, some of the room behind a mapping is taken with it.
 */
#define SLACK_SHIFT	4
#define SLACK_MAX	SZ_256M

/* Of files, what may be written or was: no program text. */
static bool is_adoptable(const struct memsync_region *region, const struct vm_area_struct *vma)
{
	if (memsync_vma_refusal(vma))
		return false;
	if (!memsync_vma_is_of_file(vma))
		return true;
	return region->flags & MEMSYNC_REGION_F_FOLLOW_FILES &&
	       (vma->anon_vma || vma->vm_flags & VM_WRITE);
}

/* From @addr up to @want, as far as nothing is in the way: a range, or memory of another kind. */
static unsigned long room_above(const struct memsync_region *region, unsigned int index,
				struct mm_struct *mm, unsigned long addr, unsigned long want)
{
	VMA_ITERATOR(vmi, mm, addr);
	struct vm_area_struct *vma;

	if (index < region->nr_ranges)
		want = min(want, region->ranges[index].start);
	for_each_vma_range(vmi, vma, want)
		if (!is_adoptable(region, vma))
			return vma->vm_start;
	return want;
}

/* The same downwards. */
static unsigned long room_below(const struct memsync_region *region, unsigned int index,
				struct mm_struct *mm, unsigned long addr, unsigned long want)
{
	struct vm_area_struct *vma;

	if (index)
		want = max(want, region->ranges[index - 1].end);
	VMA_ITERATOR(vmi, mm, want);
	for_each_vma_range(vmi, vma, addr)
		if (!is_adoptable(region, vma))
			want = vma->vm_end;
	return want;
}

/* Takes up [start, end) of @vma, which no range has; @index is that of the first one above. */
static int adopt(struct memsync_region *region, unsigned int index,
		 const struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	unsigned long slack = min((vma->vm_end - vma->vm_start) >> SLACK_SHIFT, SLACK_MAX);
	unsigned long low = start, high = end;

	if (start == vma->vm_start)
		low = room_below(region, index, vma->vm_mm, start,
				 round_down(start, MEMSYNC_BLOCK_SIZE));
	if (end == vma->vm_end)
		high = room_above(region, index, vma->vm_mm, end,
				  min(round_up(end + slack, MEMSYNC_BLOCK_SIZE), TASK_SIZE));
	return memsync_region_append(region, low, high, NULL);
}

/* Takes up what of a mapping is in no range. */
static int follow_vma(struct memsync_region *region, const struct vm_area_struct *vma)
{
	unsigned long addr = vma->vm_start;
	int err = 0;

	while (!err && addr < vma->vm_end) {
		unsigned int index = memsync_range_above(region->ranges, region->nr_ranges,
							 addr);
		const struct memsync_range *r = region->ranges + index;
		unsigned long end = vma->vm_end;

		if (index < region->nr_ranges && r->start <= addr) {
			addr = r->end;
			continue;
		}
		if (index < region->nr_ranges)
			end = min(end, r->start);
		err = adopt(region, index, vma, addr, end);
	}
	return err;
}

/*
 * One that nobody has written yet has no anon_vma, and reads as zeros or as its
 * file. One that was written need not be writable any more.
 */
static bool has_content(const struct vm_area_struct *vma)
{
	return vma->anon_vma || memsync_vma_is_of_file(vma);
}

static int follow_all(struct memsync_region *region, struct mm_struct *mm)
{
	VMA_ITERATOR(vmi, mm, 0);
	struct vm_area_struct *vma;
	int err = 0;

	for_each_vma(vmi, vma) {
		if (has_content(vma) && is_adoptable(region, vma))
			err = follow_vma(region, vma);
		if (err)
			break;
		cond_resched();
	}
	return err;
}

/* Others who need the region do not wait for a lock that the process may hold for long. */
static void lock_both(struct memsync_region *region, struct mm_struct *mm)
{
	for (;;) {
		mutex_lock(&region->lock);
		if (mmap_read_trylock(mm))
			return;
		mutex_unlock(&region->lock);
		mmap_read_lock(mm);
		mmap_read_unlock(mm);
	}
}

int memsync_region_follow(struct memsync_region *region)
{
	struct mm_struct *mm = region->mm;
	unsigned int before;
	int err, ret = 0;

	if (!mmget_not_zero(mm))
		return -ESRCH;
	lock_both(region, mm);
	before = region->nr_ranges;
	err = region->state == MEMSYNC_REGION_GONE ? -ESRCH : follow_all(region, mm);
	mmap_read_unlock(mm);
	if (region->nr_ranges != before)
		ret = memsync_region_reorder(region);
	mutex_unlock(&region->lock);
	mmput_async(mm);
	return err ?: ret;
}
