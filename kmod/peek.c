// SPDX-License-Identifier: GPL-2.0
/* Reading pages as they are now, without disturbing what is tracked. */
#include <linux/mm.h>
#include <linux/sched/coredump.h>
#include <linux/sched/mm.h>
#include <linux/userfaultfd_k.h>
#include "hugetlb.h"
#include "object.h"
#include "pgwalk.h"
#include "track_internal.h"

/* Surely: a huge page that is write-protected, by us or else, has content for all we know. */
static bool is_missing(struct mm_struct *mm, unsigned long addr)
{
	DECLARE_BITMAP(missing, MEMSYNC_BLOCK_PAGES);
	pmd_t *pmd = memsync_pgwalk_pmd(mm, addr);

	if (pmd && memsync_pmd_is_huge(pmdp_get_lockless(pmd)))
		return false;
	return memsync_pgwalk_missing(mm, addr, addr + PAGE_SIZE, missing);
}

static struct vm_area_struct *vma_at(struct mm_struct *mm, unsigned long addr)
{
	struct vm_area_struct *vma = find_vma(mm, addr);

	return vma && vma->vm_start <= addr ? vma : NULL;
}

/* Is nothing (that counts) mapped at @addr? Under the mmap lock. */
bool memsync_peek_is_hole(const struct memsync_track *track, unsigned long addr)
{
	struct vm_area_struct *vma = vma_at(track->m->mm, addr);

	return !vma || memsync_track_leaves_out(track, vma);
}

/* Does the process read zeros there, or nothing at all? */
static bool is_void(const struct vm_area_struct *vma, unsigned long addr)
{
	if (memsync_vma_has_backing(vma) && !memsync_backing_is_past_end(vma, addr))
		return memsync_pgwalk_is_guard(vma->vm_mm, addr);
	return is_missing(vma->vm_mm, addr);
}

/* The same, or is no page there? */
bool memsync_peek_is_absent(const struct memsync_track *track, unsigned long addr)
{
	struct vm_area_struct *vma = vma_at(track->m->mm, addr);

	return memsync_peek_is_hole(track, addr) ||
	       (!memsync_track_compares(track, vma) && is_void(vma, addr));
}

/**
 * memsync_peek_is_compared - is there memory at @addr whose changes cannot be seen?
 * @track: whose walk; none runs now
 * @addr: in a range of its
 *
 * Context: process; takes the mmap lock.
 */
bool memsync_peek_is_compared(const struct memsync_track *track, unsigned long addr)
{
	struct mm_struct *mm = track->m->mm;
	struct vm_area_struct *vma;
	bool ret;

	if (likely(!memsync_track_has_compared(track)))
		return false;
	if (!mmget_not_zero(mm))
		return true;
	mmap_read_lock(mm);
	vma = vma_at(mm, addr);
	ret = vma && memsync_track_compares(track, vma);
	mmap_read_unlock(mm);
	mmput_async(mm);
	return ret;
}

/**
 * memsync_peek_get - the page at @addr, faulted in, or a copy of it
 * @track: whose; the mmap lock of its memory is held
 * @addr: page-aligned
 * @page: set to it, with a reference; NULL where hugetlb memory has none
 * @locked: set to 0 if the lock was dropped
 *
 * A fault that would have to wait for a userfaultfd of the process might wait for ever.
 *
 * Return: 1; -EAGAIN: not now, but soon, see memsync_peek_again(); or as
 * get_user_pages_remote().
 */
long memsync_peek_get(const struct memsync_track *track, unsigned long addr, struct page **page,
		      int *locked)
{
	struct mm_struct *mm = track->m->mm;
	struct vm_area_struct *vma = vma_at(mm, addr);
	long got;

	if (vma && memsync_track_compares(track, vma))
		return memsync_compare_get(vma, addr, page, locked);
	if (vma && memsync_vma_is_hugetlb(vma) && !memsync_vma_refusal(vma)) {
		got = memsync_hugetlb_read(vma, addr, page);
		if (got != -EHWPOISON)
			return got;	/* else the kernel may know better */
	}
	if (!vma || !userfaultfd_armed(vma))
		return get_user_pages_remote(mm, addr, 1, FOLL_FORCE, page, locked);
	got = get_user_pages_remote(mm, addr, 1, FOLL_FORCE | FOLL_NOWAIT, page, locked);
	return got ?: -EAGAIN;
}

/**
 * memsync_peek_again - is it worth while to try once more?
 * @got: what memsync_peek_get() returned
 * @waits: counts down from %MEMSYNC_PEEK_WAITS
 *
 * Context: process, the mmap lock not held; sleeps a jiffy if it is.
 */
bool memsync_peek_again(long got, unsigned int *waits)
{
	if (got != -EAGAIN || !*waits)
		return false;
	--*waits;
	schedule_timeout_uninterruptible(1);
	return true;
}

/* Under the mmap lock, which may be dropped. */
static int peek_locked(const struct memsync_track *track, unsigned long addr, struct page **page,
		       int *locked)
{
	long got;

	if (memsync_peek_is_absent(track, addr))
		return 0;
	got = memsync_peek_get(track, addr, page, locked);
	return got == 1 ? 0 : got ? got : -EFAULT;
}

int memsync_track_peek(struct memsync_track *track, u64 offset, struct page **page)
{
	unsigned long addr = memsync_track_offset_addr(track, offset);
	unsigned int waits = MEMSYNC_PEEK_WAITS;
	struct mm_struct *mm = track->m->mm;
	int err;

	if (!mmget_not_zero(mm))
		return -ESRCH;
	*page = NULL;
	err = memsync_object_peek(track, addr, page);
	if (err == -ENXIO) {
		do {
			int locked = 1;

			mmap_read_lock(mm);
			err = peek_locked(track, addr, page, &locked);
			if (locked)
				mmap_read_unlock(mm);
		} while (memsync_peek_again(err, &waits));
		if (err == -EAGAIN)
			err = -EFAULT;
	}
	if (mm_flags_test(MMF_UNSTABLE, mm) && !err)
		err = -ESRCH;	/* the OOM killer may have emptied it */
	if (err && *page) {
		put_page(*page);
		*page = NULL;
	}
	mmput_async(mm);
	return err;
}

/**
 * memsync_page_absent - is there no page at @addr, so that it reads as zeros?
 * @mm: whose; the caller holds a user reference
 * @addr: page-aligned
 *
 * Context: process; takes the mmap lock for reading. Return: false also where
 * it cannot be told (memory that is not private and anonymous, or that a
 * userfaultfd fills).
 */
bool memsync_page_absent(struct mm_struct *mm, unsigned long addr)
{
	struct vm_area_struct *vma;
	bool ret;

	mmap_read_lock(mm);
	vma = vma_at(mm, addr);
	ret = vma && !memsync_vma_refusal(vma) && memsync_vma_is_plain(vma) &&
	      !userfaultfd_armed(vma) && is_missing(mm, addr);
	mmap_read_unlock(mm);
	return ret;
}
