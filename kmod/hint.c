// SPDX-License-Identifier: GPL-2.0
/*
 * What the fault path and the notifier leave in the tracks: page by page where
 * it is known which page is written, else a look at the block.
 */
#include <linux/mm.h>
#include <linux/vmstat.h>
#include "backing.h"
#include "open.h"
#include "pgwalk.h"
#include "trace.h"
#include "track_internal.h"

static unsigned long extent_start(const struct memsync_extent *e)
{
	return e->first << MEMSYNC_BLOCK_SHIFT;
}

static unsigned long extent_end(const struct memsync_extent *e)
{
	return (e->first + e->nr) << MEMSYNC_BLOCK_SHIFT;
}

/* Index of the first extent that ends above @addr. */
static unsigned int extent_at(const struct memsync_track *track, unsigned long addr)
{
	unsigned int low = 0, high = track->nr_extents;

	while (low < high) {
		unsigned int mid = (low + high) / 2;

		if (extent_end(&track->extents[mid]) <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* A walk over the blocks that [start, end) touches. */
struct block_walk {
	unsigned int extent;
	unsigned long addr;	/* of the block */
	unsigned long block;	/* its index */
};

static bool block_at(const struct memsync_track *track, struct block_walk *w, unsigned long end)
{
	const struct memsync_extent *e;

	if (w->extent >= track->nr_extents)
		return false;
	e = &track->extents[w->extent];
	w->addr = max(w->addr, extent_start(e));
	w->block = e->index + (w->addr >> MEMSYNC_BLOCK_SHIFT) - e->first;
	return w->addr < end;
}

static bool first_touched(const struct memsync_track *track, struct block_walk *w,
			  unsigned long start, unsigned long end)
{
	w->extent = extent_at(track, start);
	w->addr = start & ~(MEMSYNC_BLOCK_SIZE - 1);
	return block_at(track, w, end);
}

static bool next_touched(const struct memsync_track *track, struct block_walk *w,
			 unsigned long end)
{
	w->addr += MEMSYNC_BLOCK_SIZE;
	if (w->addr >= extent_end(&track->extents[w->extent]))
		w->extent++;
	return block_at(track, w, end);
}

#define for_each_touched(t, w, start, end)					\
	for (bool __more = first_touched(t, w, start, end); __more;		\
	     __more = next_touched(t, w, end))

/* The part of [start, end) in one block: its first page and how many. */
static unsigned int clip(unsigned long block_addr, unsigned long start, unsigned long end,
			 unsigned int *nr)
{
	unsigned long from = max(start, block_addr);
	unsigned long to = min(end, block_addr + MEMSYNC_BLOCK_SIZE);

	*nr = (PAGE_ALIGN(to) - (from & PAGE_MASK)) >> PAGE_SHIFT;
	return memsync_page_in_block(from);
}

/* The evidence in [start, end) is about to vanish: what was to be looked at is dirty. */
void memsync_track_promote(struct memsync_track *track, unsigned long start, unsigned long end)
{
	struct block_walk w;
	unsigned int first, nr;
	bool any = false;

	for_each_touched(track, &w, start, end) {
		first = clip(w.addr, start, end, &nr);
		any |= memsync_dirty_promote(&track->dirty, w.block, first, nr);
	}
	if (any)
		memsync_track_wake(track);
}

/* Content of [start, end) was removed. */
void memsync_track_mark_range(struct memsync_track *track, unsigned long start, unsigned long end)
{
	struct block_walk w;
	unsigned int first, nr;
	bool any = false;

	for_each_touched(track, &w, start, end) {
		first = clip(w.addr, start, end, &nr);
		memsync_dirty_pages(&track->dirty, w.block, first, nr);
		any = true;
	}
	if (any)
		memsync_track_wake(track);
}

/* Pages of the block that holds @addr were removed. */
void memsync_track_mark_bitmap(struct memsync_track *track, unsigned long addr,
			       const unsigned long *pages)
{
	unsigned long block = memsync_track_block(track, addr);

	if (block == MEMSYNC_NO_BLOCK)
		return;
	memsync_dirty_bitmap(&track->dirty, block, pages);
	memsync_track_wake(track);
}

/* Entries of [start, end) may have become writable. */
void memsync_track_look_range(struct memsync_track *track, unsigned long start, unsigned long end)
{
	struct block_walk w;
	bool any = false;

	for_each_touched(track, &w, start, end) {
		memsync_dirty_look(&track->dirty, w.block);
		any = true;
	}
	if (any)
		memsync_track_wake(track);
}

/**
 * memsync_track_hint - a fault is about to change the page table, or has
 * @m: the process
 * @addr: where
 * @flags: of the fault
 * @entry: before the handler
 *
 * The handler may make neighbours writable (fault-around, large folios, huge
 * pages), also neighbours inside a range of an address outside it: hence the
 * look at the block. The same for every outcome, since a retry may follow a
 * change.
 */
void memsync_track_hint(struct memsync_mm *m, unsigned long addr, unsigned int flags, bool entry)
{
	struct memsync_track *track;
	unsigned long block;

	list_for_each_entry_rcu(track, &m->tracks, node) {
		block = memsync_track_block(track, addr);
		if (block == MEMSYNC_NO_BLOCK)
			continue;
		memsync_dirty_look(&track->dirty, block);
		if (flags & FAULT_FLAG_WRITE) {
			memsync_dirty_page(&track->dirty, block, memsync_page_in_block(addr));
			if (entry) {
				this_cpu_inc(*track->write_faults);
				trace_memsync_tracked_write(m->mm, addr, false);
			}
		}
		memsync_track_wake(track);
	}
}

static bool in_one_range(const struct memsync_track *track, unsigned long start,
			 unsigned long end)
{
	unsigned int i = memsync_track_range_at(track, start);

	return i < track->nr_ranges && track->ranges[i].start <= start &&
	       track->ranges[i].end >= end;
}

/*
 * [start, end), which may lie in a private mapping of a file, may have content that
 * those who follow the process do not know of. Under RCU.
 */
void memsync_track_stray(struct memsync_mm *m, unsigned long start, unsigned long end,
			 bool in_file)
{
	unsigned int flag = in_file ? MEMSYNC_TRACK_FOLLOWS_FILES : MEMSYNC_TRACK_FOLLOWS;
	struct memsync_track *track;

	list_for_each_entry_rcu(track, &m->tracks, node) {
		if (!test_bit(flag, &track->flags) || in_one_range(track, start, end))
			continue;
		set_bit(MEMSYNC_TRACK_STRAYED, &track->flags);
		memsync_track_wake(track);
	}
}

/* The process, if it is watched, has [start, end) changed, or will. */
void memsync_track_mark_in(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct memsync_track *track;
	struct memsync_mm *m;

	rcu_read_lock();
	m = memsync_mm_find(mm);
	if (m)
		list_for_each_entry_rcu(track, &m->tracks, node)
			memsync_track_mark_range(track, start, end);
	if (m && READ_ONCE(m->nr_follow))
		memsync_track_stray(m, start, end, false);
	rcu_read_unlock();
}

/* Does any track watch the block that holds @addr? Under RCU. */
bool memsync_track_covers(struct memsync_mm *m, unsigned long addr)
{
	struct memsync_track *track;

	list_for_each_entry_rcu(track, &m->tracks, node)
		if (memsync_track_block(track, addr) != MEMSYNC_NO_BLOCK)
			return true;
	return false;
}

/* Is a huge page about to be written that ought to be tracked at 4 KiB? */
bool memsync_track_wants_split(struct memsync_mm *m, struct vm_area_struct *vma,
			       unsigned long addr, unsigned int flags)
{
	pmd_t *pmd, pmdval;
	bool ret;

	if (!(flags & FAULT_FLAG_WRITE) || !vma_is_anonymous(vma))
		return false;
	pmd = memsync_pgwalk_pmd(vma->vm_mm, addr);
	if (!pmd)
		return false;
	pmdval = pmdp_get_lockless(pmd);
	if (!pmd_present(pmdval) || !pmd_trans_huge(pmdval) || pmd_write(pmdval))
		return false;
	rcu_read_lock();
	ret = memsync_track_covers(m, addr);
	rcu_read_unlock();
	return ret;
}

/* What do_wp_page() asks before it takes a page back into use as it is. */
static bool may_reuse(pte_t pte)
{
	struct page *page;

	if (!memsync_pte_is_protected(pte))
		return false;
	page = pfn_to_page(pte_pfn(pte));
	return PageAnon(page) && PageAnonExclusive(page);
}

static void mark_page(struct memsync_track *track, unsigned long block, unsigned long addr)
{
	memsync_dirty_page(&track->dirty, block, memsync_page_in_block(addr));
	this_cpu_inc(*track->write_faults);
}

/* Returns whether any track watches it. */
static bool mark_written(struct memsync_mm *m, unsigned long addr)
{
	struct memsync_track *track;
	unsigned long block;
	bool any = false;

	list_for_each_entry_rcu(track, &m->tracks, node) {
		block = memsync_track_block(track, addr);
		if (block == MEMSYNC_NO_BLOCK)
			continue;
		mark_page(track, block, addr);
		any = true;
	}
	return any;
}

static void wake_all(struct memsync_mm *m)
{
	struct memsync_track *track;

	list_for_each_entry_rcu(track, &m->tracks, node)
		memsync_track_wake(track);
}

/*
 * Another track may have come since the look without the lock: then its harvest may
 * have seen the entry already, and @only becomes NULL.
 */
static bool let_write(struct memsync_mm *m, struct vm_area_struct *vma,
		      struct memsync_track **only, unsigned long block, unsigned long addr,
		      pte_t *ptep)
{
	pte_t pte = ptep_get(ptep);

	if (unlikely(!may_reuse(pte)))
		return false;
	if (likely(*only && memsync_track_only(m) == *only)) {
		if (memsync_open_may_run(*only, block, memsync_page_in_block(addr)) &&
		    test_bit(MEMSYNC_TRACK_OPENS, &(*only)->flags) &&
		    READ_ONCE(m->references_seen))
			memsync_open_neighbours(*only, vma, block, addr, ptep);
		mark_page(*only, block, addr);
	} else {
		*only = NULL;
		if (!mark_written(m, addr))
			return false;
	}
	set_pte(ptep, pte_mkdirty(pte_mkwrite_novma(pte_mkyoung(pte))));
	return true;
}

/* As mm_account_fault() would; the memcg's and perf's counts are out of a module's reach. */
void memsync_track_account_fault(void)
{
	__set_current_state(TASK_RUNNING);
	count_vm_event(PGFAULT);
	current->min_flt++;
}

/*
 * A fault of the CPU (not get_user_pages, which has no registers) that wants to
 * write ordinary memory; permissions were checked by the architecture's code.
 */
static bool is_plain_write(const struct vm_area_struct *vma, unsigned int flags,
			   const struct pt_regs *regs)
{
	return (flags & FAULT_FLAG_WRITE) && !(flags & (FAULT_FLAG_REMOTE | FAULT_FLAG_UNSHARE)) &&
	       regs && (vma->vm_flags & (VM_WRITE | VM_SHARED | VM_SHADOW_STACK)) == VM_WRITE;
}

/**
 * memsync_track_write_fast - let a write through without the kernel's handler
 * @m: the process
 * @vma: held by the fault
 * @addr: where
 * @flags: of the fault
 * @regs: of the fault
 *
 * Where a page of the process's own was merely protected, making it writable
 * and hinting happen together under the PTE lock, which the harvest takes too:
 * no count of faults in flight is needed.
 *
 * Context: under RCU. Return: whether the fault is done.
 */
bool memsync_track_write_fast(struct memsync_mm *m, struct vm_area_struct *vma,
			      unsigned long addr, unsigned int flags, struct pt_regs *regs)
{
	struct memsync_track *only = memsync_track_only(m);
	unsigned long block = MEMSYNC_NO_BLOCK;
	struct memsync_ptes ptes;
	pmd_t *pmd;
	bool done;

	if (!is_plain_write(vma, flags, regs))
		return false;
	if (likely(only)) {
		block = memsync_track_block(only, addr);
		if (block == MEMSYNC_NO_BLOCK)
			return false;
	}
	pmd = memsync_pgwalk_pmd(vma->vm_mm, addr);
	if (!pmd || !memsync_pgwalk_lock(vma->vm_mm, pmd, addr, &ptes))
		return false;
	done = let_write(m, vma, &only, block, addr, ptes.first);
	memsync_pgwalk_unlock(&ptes);
	if (!done)
		return false;
	memsync_track_account_fault();
	if (likely(only))
		memsync_track_wake(only);
	else
		wake_all(m);
	if (unlikely(READ_ONCE(m->nr_follow)))
		memsync_track_stray(m, addr, addr + 1, memsync_vma_is_of_file(vma));
	trace_memsync_tracked_write(m->mm, addr, true);
	return true;
}
