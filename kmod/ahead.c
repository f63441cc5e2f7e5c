// SPDX-License-Identifier: GPL-2.0
/*
 * memsync: while a first pass is applied, a replica that is not there yet is made
 * ahead of it. To clear a huge page takes as long as to fill it, and another CPU
 * may do it meanwhile. A replica with holes must not grow by that: only what
 * follows on a long run of contents is made, so at most one part in eight is made
 * in vain.
 *
 * Only memory that nothing stands behind but the page allocator, so that a worker
 * never waits for somebody's file system or userfaultfd.
 */
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/userfaultfd_k.h>
#include "conn.h"
#include "pgwalk.h"

#define RUN	(8 * PMD_SIZE)

static struct workqueue_struct *wq;

/* Never touched, and of a kind that a fault can fill by itself? mmap lock held. */
static bool is_to_be_made(struct mm_struct *mm, unsigned long addr)
{
	struct vm_area_struct *vma = vma_lookup(mm, addr);
	pmd_t *pmd;

	if (!vma || !vma_is_anonymous(vma) || userfaultfd_armed(vma) ||
	    vma->vm_end - addr < PMD_SIZE)
		return false;
	pmd = memsync_pgwalk_pmd(mm, addr);
	return !pmd || pmd_none(pmdp_get_lockless(pmd));
}

/*
 * The mm is in use, so that its memory control group may hold us up, too. Where
 * there are no huge pages, this makes one page, and does no harm.
 */
static void make(struct work_struct *work)
{
	struct memsync_ahead *ahead = container_of(work, struct memsync_ahead, work);
	struct mm_struct *mm = ahead->mm;
	unsigned long addr = READ_ONCE(ahead->block);

	if (!mmget_not_zero(mm))
		return;
	kthread_use_mm(mm);
	if (mmap_read_trylock(mm)) {
		if (is_to_be_made(mm, addr))
			get_user_pages_remote(mm, addr, 1, FOLL_WRITE, NULL, NULL);
		mmap_read_unlock(mm);
	}
	kthread_unuse_mm(mm);
	mmput_async(mm);
}

/* The process whose memory is the replica; held by the caller until memsync_ahead_stop(). */
void memsync_ahead_start(struct memsync_ahead *ahead, struct mm_struct *mm)
{
	INIT_WORK(&ahead->work, make);
	ahead->mm = mm;
	ahead->applied = 0;
	ahead->run = 0;
	ahead->block = 0;
}

void memsync_ahead_stop(struct memsync_ahead *ahead)
{
	if (ahead->mm)
		cancel_work_sync(&ahead->work);
	ahead->mm = NULL;
}

/**
 * memsync_ahead_applied - contents were written
 * @ahead: its state
 * @region: the sink
 * @offset: where, bytes
 * @length: bytes
 *
 * Context: process.
 */
void memsync_ahead_applied(struct memsync_ahead *ahead, const struct memsync_region *region,
			   u64 offset, u64 length)
{
	u64 end = offset + length;
	const struct memsync_range *r = memsync_region_find(region, end - 1);
	unsigned long block = round_down(r->start + (end - 1 - r->offset), PMD_SIZE) + PMD_SIZE;

	ahead->run = offset == ahead->applied ? ahead->run + length : length;
	ahead->applied = end;
	if (ahead->run < RUN || block == ahead->block || block >= r->end ||
	    r->end - block < PMD_SIZE)
		return;
	WRITE_ONCE(ahead->block, block);
	queue_work(wq, &ahead->work);
}

int memsync_ahead_init(void)
{
	wq = alloc_workqueue("memsync_ahead", WQ_UNBOUND, 0);
	return wq ? 0 : -ENOMEM;
}

void memsync_ahead_exit(void)
{
	destroy_workqueue(wq);
}
