// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel does to page tables without a fault: fork, mprotect, reclaim,
 * MADV_DONTNEED, munmap, collapse and the like.
 *
 * Two things are lost in them. A writable page becomes read-only, and with it
 * goes the evidence that it may have been written: so at the start, blocks that
 * were to be looked at become dirty. And content goes away: so at the end, what
 * is gone is dirty. In between a harvest keeps the hints it finds.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/coredump.h>
#include "delay.h"
#include "mm.h"
#include "pgwalk.h"
#include "track_internal.h"

static bool in_one_block(const struct mmu_notifier_range *range)
{
	return range->start >> MEMSYNC_BLOCK_SHIFT == (range->end - 1) >> MEMSYNC_BLOCK_SHIFT;
}

static bool clears_in_one_block(const struct mmu_notifier_range *range)
{
	return range->event == MMU_NOTIFY_CLEAR && in_one_block(range);
}

static bool replace_spared(struct memsync_mm *m, const struct mmu_notifier_range *old,
			   const struct mmu_notifier_range *new)
{
	bool found = false;
	unsigned int i;

	spin_lock(&m->active_lock);
	for (i = 0; i < ARRAY_SIZE(m->spared) && !found; i++) {
		found = m->spared[i] == old;
		if (found)
			m->spared[i] = new;
	}
	spin_unlock(&m->active_lock);
	return found;
}

/*
 * Reclaim unmaps the pages of files, which changes nothing; they are not to be
 * fetched again for that. A page that becomes the process's own from here on is
 * hinted at, and hints stay until the end. Where there is no room to note it, the
 * pages are fetched.
 */
static void spare(struct memsync_mm *m, const struct mmu_notifier_range *range)
{
	if (clears_in_one_block(range) && memsync_track_covers(m, range->start) &&
	    memsync_pgwalk_maps_file(m->mm, range->start, range->end))
		replace_spared(m, NULL, range);
}

/* mprotect() and its kin: entries are writable long before the end, which leaves a look. */
static bool widens(const struct memsync_mm *m, const struct mmu_notifier_range *range)
{
	return range->event == MMU_NOTIFY_PROTECTION_VMA && READ_ONCE(m->scanner) != current;
}

static void delay(const struct mmu_notifier_range *range, enum memsync_delay point)
{
	if (mmu_notifier_range_blockable(range))
		memsync_delay_asleep(point);
	else
		memsync_delay(point);
}

static int invalidate_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct memsync_mm *m = container_of(mn, struct memsync_mm, notifier);
	struct memsync_track *track;

	delay(range, MEMSYNC_DELAY_BEFORE);
	memsync_mm_active_begin(m, range->start, range->end);
	if (widens(m, range))
		memsync_mm_widening_begin(m, range->start, range->end);
	delay(range, MEMSYNC_DELAY_START);
	rcu_read_lock();
	list_for_each_entry_rcu(track, &m->tracks, node)
		memsync_track_promote(track, range->start, range->end);
	spare(m, range);
	rcu_read_unlock();
	delay(range, MEMSYNC_DELAY_STARTED);
	return 0;
}

static bool removes_content(const struct mmu_notifier_range *range)
{
	switch (range->event) {
	case MMU_NOTIFY_UNMAP:
	case MMU_NOTIFY_CLEAR:
	case MMU_NOTIFY_MIGRATE:
	case MMU_NOTIFY_EXCLUSIVE:
		return true;
	case MMU_NOTIFY_PROTECTION_VMA:
	case MMU_NOTIFY_PROTECTION_PAGE:
	case MMU_NOTIFY_SOFT_DIRTY:
		return false;
	default:
		return true;
	}
}

/*
 * Reclaim, migration and the splitting of a huge page clear entries too, but
 * leave others that say where the content is. Only what is missing was lost.
 */
static void mark_missing(struct memsync_mm *m, unsigned long start, unsigned long end)
{
	DECLARE_BITMAP(missing, MEMSYNC_BLOCK_PAGES);
	struct memsync_track *track;

	if (!memsync_track_covers(m, start) ||
	    !memsync_pgwalk_missing(m->mm, start, end, missing))
		return;
	list_for_each_entry_rcu(track, &m->tracks, node)
		memsync_track_mark_bitmap(track, start, missing);
}

/*
 * A breakpoint is taken out of a page that is the process's own: another takes its place, or
 * it is changed where it is. That a mapping may be written is no obstacle. What reclaim and
 * its like leave maps no page.
 */
static bool may_lose_probe(struct memsync_mm *m, const struct mmu_notifier_range *range)
{
	return mm_flags_test(MMF_HAS_UPROBES, m->mm) &&
	       range->end - range->start == PAGE_SIZE &&
	       memsync_pgwalk_is_mapped(m->mm, range->start);
}

static void mark_removed(struct memsync_mm *m, const struct mmu_notifier_range *range)
{
	bool in_block = clears_in_one_block(range);
	bool spared = in_block && replace_spared(m, range, NULL);
	struct memsync_track *track;

	if (in_block && likely(!may_lose_probe(m, range))) {
		if (!spared)
			mark_missing(m, range->start, range->end);
		return;
	}
	list_for_each_entry_rcu(track, &m->tracks, node)
		memsync_track_mark_range(track, range->start, range->end);
}

/*
 * Fork, folio_mkclean() and clear_refs only ever take the right to write. So do
 * those who clear entries and leave the page table (reclaim, migration, KSM, the
 * splitting of a huge page), or they are faults, which hint. Collapse takes the
 * table away, and makes a huge page writable after the end. To look where there
 * is no need would make dirty what reclaim, or the next scan for NUMA balancing, takes.
 */
static bool may_add_writable(const struct memsync_mm *m, const struct mmu_notifier_range *range)
{
	switch (range->event) {
	case MMU_NOTIFY_PROTECTION_PAGE:
	case MMU_NOTIFY_SOFT_DIRTY:
		return false;
	case MMU_NOTIFY_PROTECTION_VMA:
		return widens(m, range);
	case MMU_NOTIFY_CLEAR:
		return !in_one_block(range) || !memsync_pgwalk_has_table(m->mm, range->start);
	default:
		return true;
	}
}

/*
 * What was written since it was made writable, and is taken away (by reclaim, say) before
 * there is a look, tells no more. Asked before that look is.
 */
static void mark_widened(struct memsync_mm *m, const struct mmu_notifier_range *range)
{
	struct memsync_track *track;

	if (widens(m, range) || !memsync_mm_widening_in(m, range->start, range->end))
		return;
	list_for_each_entry_rcu(track, &m->tracks, node)
		memsync_track_mark_range(track, range->start, range->end);
}

static void invalidate_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct memsync_mm *m = container_of(mn, struct memsync_mm, notifier);
	struct memsync_track *track;

	delay(range, MEMSYNC_DELAY_CHANGED);
	rcu_read_lock();
	mark_widened(m, range);
	/* What a fault made writable since the start may be read-only again by now. */
	list_for_each_entry_rcu(track, &m->tracks, node)
		memsync_track_promote(track, range->start, range->end);
	memsync_delay(MEMSYNC_DELAY_END);
	if (removes_content(range))
		mark_removed(m, range);
	if (may_add_writable(m, range))
		list_for_each_entry_rcu(track, &m->tracks, node)
			memsync_track_look_range(track, range->start, range->end);
	rcu_read_unlock();
	if (widens(m, range))
		memsync_mm_widening_end(m);
	memsync_mm_active_end(m);
}

/* The last user of the memory is gone. */
static void release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct memsync_mm *m = container_of(mn, struct memsync_mm, notifier);
	struct memsync_track *track;

	rcu_read_lock();
	list_for_each_entry_rcu(track, &m->tracks, node)
		memsync_track_ended(track, "the process has exited or called exec");
	rcu_read_unlock();
}

static void free_notifier(struct mmu_notifier *mn)
{
	memsync_mm_free_deferred(container_of(mn, struct memsync_mm, notifier));
}

const struct mmu_notifier_ops memsync_notifier_ops = {
	.invalidate_range_start	= invalidate_start,
	.invalidate_range_end	= invalidate_end,
	.release		= release,
	.free_notifier		= free_notifier,
};
