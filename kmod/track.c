// SPDX-License-Identifier: GPL-2.0
/* One consumer's view of a watched process's memory: which pages it must ship. */
#include <linux/mm.h>
#include <linux/netlink.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include "delay.h"
#include "hook.h"
#include "object.h"
#include "open.h"
#include "tlb.h"
#include "track_internal.h"

static unsigned long first_block(const struct memsync_range *r)
{
	return r->start >> MEMSYNC_BLOCK_SHIFT;
}

static unsigned long last_block(const struct memsync_range *r)
{
	return (r->end - 1) >> MEMSYNC_BLOCK_SHIFT;
}

/* Ranges are sorted, but two may share a block or be neighbours. */
static unsigned long build_extents(struct memsync_track *track)
{
	struct memsync_extent *e = NULL;
	unsigned long total = 0;
	unsigned int i;

	for (i = 0; i < track->nr_ranges; i++) {
		const struct memsync_range *r = &track->ranges[i];
		unsigned long first = first_block(r), last = last_block(r);

		if (e && first <= e->first + e->nr) {
			first = e->first + e->nr;
			if (first > last)
				continue;
			e->nr += last - first + 1;
		} else {
			e = &track->extents[track->nr_extents++];
			*e = (struct memsync_extent){ first, last - first + 1, total };
		}
		total += last - first + 1;
	}
	return total;
}

static int compare_offsets(const void *a, const void *b)
{
	const struct memsync_range *const *ra = a, *const *rb = b;

	return (*ra)->offset < (*rb)->offset ? -1 : (*ra)->offset > (*rb)->offset;
}

static void sort_by_offset(struct memsync_track *track)
{
	unsigned int i;

	for (i = 0; i < track->nr_ranges; i++)
		track->by_offset[i] = &track->ranges[i];
	sort(track->by_offset, track->nr_ranges, sizeof(*track->by_offset), compare_offsets, NULL);
}

static void free_track(struct memsync_track *track)
{
	memsync_dirty_destroy(&track->dirty);
	free_percpu(track->write_faults);
	kvfree(track->backings.items);
	kvfree(track->by_offset);
	kvfree(track->extents);
	kvfree(track->ranges);
	kfree(track);
}

static struct memsync_track *alloc_track(const struct memsync_range *ranges, unsigned int nr)
{
	struct memsync_track *track = kzalloc(sizeof(*track), GFP_KERNEL_ACCOUNT);

	if (!track)
		return NULL;
	track->nr_ranges = nr;
	track->visited = MEMSYNC_NO_BLOCK;
	track->around = MEMSYNC_OPEN_AROUND_FIRST;
	track->ranges = kvmalloc_array(nr, sizeof(*ranges), GFP_KERNEL_ACCOUNT);
	track->extents = kvcalloc(nr, sizeof(*track->extents), GFP_KERNEL_ACCOUNT);
	track->by_offset = kvcalloc(nr, sizeof(*track->by_offset), GFP_KERNEL_ACCOUNT);
	track->write_faults = alloc_percpu(u64);
	if (!track->ranges || !track->extents || !track->by_offset || !track->write_faults)
		goto free;
	memcpy(track->ranges, ranges, array_size(nr, sizeof(*ranges)));
	if (memsync_dirty_init(&track->dirty, build_extents(track)))
		goto free;
	sort_by_offset(track);
	return track;

free:
	free_track(track);
	return NULL;
}

/* Published and drained; what the ranges hold now is the base. */
static int take_base(struct memsync_track *track, bool all_dirty, struct netlink_ext_ack *extack)
{
	int err = 0;

	memsync_track_mark_all(track);
	if (!all_dirty)
		err = memsync_harvest_discard(track);
	if (err)
		NL_SET_ERR_MSG(extack, "the process's memory cannot be walked");
	return err;
}

static int see_shared(struct memsync_track *track, struct netlink_ext_ack *extack)
{
	int err = memsync_view_update(track);

	if (err == -EBUSY || err == -ENODEV)
		NL_SET_ERR_MSG(extack, "changes of the memory that it shares cannot be hooked");
	return err;
}

static int attach(struct memsync_track *track, struct mm_struct *mm,
		  struct netlink_ext_ack *extack)
{
	mutex_lock(&memsync_mm_mutex);
	track->m = memsync_mm_get(mm, extack);
	if (!IS_ERR(track->m)) {
		list_add_rcu(&track->node, &track->m->tracks);
		if (memsync_track_follows(track))
			WRITE_ONCE(track->m->nr_follow, track->m->nr_follow + 1);
	}
	mutex_unlock(&memsync_mm_mutex);
	return PTR_ERR_OR_ZERO(track->m);
}

struct memsync_track *
memsync_track_start(struct mm_struct *mm, const struct memsync_range *ranges, unsigned int nr,
		    unsigned int how, const struct memsync_track_ops *ops, void *owner,
		    struct netlink_ext_ack *extack)
{
	struct memsync_track *track;
	int err;

	if (!mmget_not_zero(mm)) {
		NL_SET_ERR_MSG(extack, "the process is exiting");
		return ERR_PTR(-ESRCH);
	}
	track = alloc_track(ranges, nr);
	err = track ? 0 : -ENOMEM;
	if (err)
		goto put_mm;
	track->ops = ops;
	track->owner = owner;
	if (how & MEMSYNC_TRACK_FOLLOW)
		__set_bit(MEMSYNC_TRACK_FOLLOWS, &track->flags);
	if (how & MEMSYNC_TRACK_FOLLOW_FILES)
		__set_bit(MEMSYNC_TRACK_FOLLOWS_FILES, &track->flags);
	if (how & MEMSYNC_TRACK_PASSES)
		__set_bit(MEMSYNC_TRACK_OPENS, &track->flags);
	if (how & MEMSYNC_TRACK_COMPARE)
		__set_bit(MEMSYNC_TRACK_COMPARES, &track->flags);
	err = attach(track, mm, extack);
	if (err) {
		free_track(track);
		goto put_mm;
	}
	err = see_shared(track, extack) ?:
	      take_base(track, how & MEMSYNC_TRACK_ALL_DIRTY, extack);
	if (err)
		memsync_track_stop(track);
put_mm:
	mmput_async(mm);
	return err ? ERR_PTR(err) : track;
}

void memsync_track_stop(struct memsync_track *track)
{
	mutex_lock(&memsync_mm_mutex);
	list_del_rcu(&track->node);
	if (memsync_track_follows(track))
		WRITE_ONCE(track->m->nr_follow, track->m->nr_follow - 1);
	memsync_view_drop(track);
	/* No fault or notifier uses the track any more after this. Somebody waits. */
	synchronize_rcu_expedited();
	memsync_unprotect(track);
	if (test_bit(MEMSYNC_TRACK_SHARES, &track->flags))
		memsync_hook_put_shared();
	memsync_mm_put(track->m);
	mutex_unlock(&memsync_mm_mutex);
	free_track(track);
}

/* The marks of @old, to which nobody adds any more. */
static void take_marks(struct memsync_track *track, const struct memsync_track *old)
{
	const struct memsync_dirty *d = &old->dirty;
	unsigned long block, to;

	for (block = memsync_dirty_next(d, 0); block < d->nr_blocks;
	     block = memsync_dirty_next(d, block + 1)) {
		to = memsync_track_block(track, memsync_track_block_addr(old, block));
		memsync_dirty_bitmap(&track->dirty, to, d->blocks[block].dirty);
		if (test_bit(block, d->opened))
			memsync_dirty_bitmap(&track->dirty, to, d->blocks[block].open);
		if (test_bit(block, d->look))
			memsync_dirty_look(&track->dirty, to);
		cond_resched();
	}
}

/* What was to be looked at in @old may tell no longer. */
static void promote_marks(struct memsync_track *track, const struct memsync_track *old)
{
	const struct memsync_dirty *d = &old->dirty;
	unsigned long block;

	for_each_set_bit(block, d->look, d->nr_blocks) {
		unsigned long addr = memsync_track_block_addr(old, block);

		memsync_track_mark_range(track, addr, addr + MEMSYNC_BLOCK_SIZE);
		cond_resched();
	}
}

static void mark_new(struct memsync_track *track, u64 old_size)
{
	const struct memsync_range *r = track->ranges, *end = r + track->nr_ranges;
	unsigned long addr, next;

	set_bit(MEMSYNC_TRACK_ALL_MARKED, &track->flags);
	for (; r < end; r++) {
		if (r->offset < old_size)
			continue;
		for (addr = r->start; addr < r->end; addr = next) {
			next = min(r->end, addr + SZ_1G);
			memsync_track_mark_range(track, addr, next);
			cond_resched();
		}
	}
}

/*
 * The new one is hinted at from the moment it is on the list. A fault under way
 * then may have missed it at its entry; its count keeps the hints until its exit.
 * A notifier range may have found nothing to promote until the marks were taken
 * over.
 */
struct memsync_track *memsync_track_grow(struct memsync_track *old,
					 const struct memsync_range *ranges, unsigned int nr)
{
	struct memsync_track *track = alloc_track(ranges, nr);
	unsigned long started, since;
	bool active;

	if (!track)
		return ERR_PTR(-ENOMEM);
	active = memsync_mm_any_active(old->m, &started);
	track->ops = old->ops;
	track->owner = old->owner;
	track->m = old->m;
	track->flags = READ_ONCE(old->flags) &
		       (BIT(MEMSYNC_TRACK_FOLLOWS) | BIT(MEMSYNC_TRACK_FOLLOWS_FILES) |
			BIT(MEMSYNC_TRACK_OPENS) | BIT(MEMSYNC_TRACK_COMPARES));
	mutex_lock(&memsync_mm_mutex);
	list_replace_rcu(&old->node, &track->node);
	memsync_view_hand_on(old, track);
	synchronize_rcu_expedited();
	mutex_unlock(&memsync_mm_mutex);
	memsync_delay_asleep(MEMSYNC_DELAY_GROW);
	take_marks(track, old);
	smp_mb();	/* pairs with the one of memsync_mm_active_begin() */
	if (memsync_mm_any_active(old->m, &since) || active || since != started)
		promote_marks(track, old);
	mark_new(track, memsync_track_size(old));
	swap(track->backings, old->backings);
	track->past_write_faults = memsync_track_write_faults(old);
	if (test_bit(MEMSYNC_TRACK_STRAYED, &old->flags))
		set_bit(MEMSYNC_TRACK_STRAYED, &track->flags);
	free_track(old);
	return track;
}

unsigned int memsync_track_nr_ranges(const struct memsync_track *track)
{
	return track->nr_ranges;
}

u64 memsync_track_length(const struct memsync_track *track, unsigned int place)
{
	return track->by_offset[place]->end - track->by_offset[place]->start;
}

u64 memsync_track_size(const struct memsync_track *track)
{
	unsigned int last = track->nr_ranges - 1;

	return track->by_offset[last]->offset + memsync_track_length(track, last);
}

void memsync_track_looked(struct memsync_track *track)
{
	clear_bit(MEMSYNC_TRACK_STRAYED, &track->flags);
	smp_mb__after_atomic();		/* whatever strays unseen by the look sets it again */
}

/* The one that holds a block of the dirty set. */
const struct memsync_extent *memsync_track_extent(const struct memsync_track *track,
						  unsigned long block)
{
	unsigned int low = 0, high = track->nr_extents - 1;

	while (low < high) {
		unsigned int mid = (low + high + 1) / 2;

		if (track->extents[mid].index <= block)
			low = mid;
		else
			high = mid - 1;
	}
	return &track->extents[low];
}

/* The first address of a block of the dirty set. */
unsigned long memsync_track_block_addr(const struct memsync_track *track, unsigned long block)
{
	const struct memsync_extent *e = memsync_track_extent(track, block);

	return (e->first + block - e->index) << MEMSYNC_BLOCK_SHIFT;
}

/* Index of the first range that ends above @addr, or nr_ranges. */
unsigned int memsync_track_range_at(const struct memsync_track *track, unsigned long addr)
{
	return memsync_range_above(track->ranges, track->nr_ranges, addr);
}

/* Where @offset bytes into the replica lies in the process, or 0 past its end. */
unsigned long memsync_track_offset_addr(const struct memsync_track *track, u64 offset)
{
	unsigned int low = 0, high = track->nr_ranges - 1;
	const struct memsync_range *r;

	while (low < high) {
		unsigned int mid = (low + high + 1) / 2;

		if (track->by_offset[mid]->offset <= offset)
			low = mid;
		else
			high = mid - 1;
	}
	r = track->by_offset[low];
	return offset - r->offset < r->end - r->start ? r->start + (offset - r->offset) : 0;
}

/* Which pages of a block belong to the ranges. */
void memsync_track_members(const struct memsync_track *track, unsigned long block_addr,
			   unsigned long *members)
{
	unsigned long block_end = block_addr + MEMSYNC_BLOCK_SIZE;
	unsigned int i = memsync_track_range_at(track, block_addr);

	bitmap_zero(members, MEMSYNC_BLOCK_PAGES);
	for (; i < track->nr_ranges && track->ranges[i].start < block_end; i++) {
		unsigned long start = max(track->ranges[i].start, block_addr);
		unsigned long end = min(track->ranges[i].end, block_end);

		bitmap_set(members, memsync_page_in_block(start), (end - start) >> PAGE_SHIFT);
	}
}

void memsync_track_mark_all(struct memsync_track *track)
{
	DECLARE_BITMAP(members, MEMSYNC_BLOCK_PAGES);
	unsigned long block;

	set_bit(MEMSYNC_TRACK_ALL_MARKED, &track->flags);
	for (block = 0; block < track->dirty.nr_blocks; block++) {
		memsync_track_members(track, memsync_track_block_addr(track, block), members);
		memsync_dirty_bitmap(&track->dirty, block, members);
		cond_resched();
	}
	memsync_track_wake(track);
}

void memsync_track_mark(struct memsync_track *track, u64 offset, unsigned long nr)
{
	for (; nr; nr--, offset += PAGE_SIZE) {
		unsigned long addr = memsync_track_offset_addr(track, offset);

		if (addr)
			memsync_dirty_page(&track->dirty, memsync_track_block(track, addr),
					   memsync_page_in_block(addr));
	}
	memsync_track_wake(track);
}

u64 memsync_track_dirty_pages(struct memsync_track *track)
{
	DECLARE_BITMAP(written, MEMSYNC_BLOCK_PAGES);
	DECLARE_BITMAP(members, MEMSYNC_BLOCK_PAGES);
	struct memsync_dirty *d = &track->dirty;
	unsigned long block;
	u64 sum = 0;

	for (block = memsync_dirty_next(d, 0); block < d->nr_blocks;
	     block = memsync_dirty_next(d, block + 1)) {
		memsync_track_members(track, memsync_track_block_addr(track, block), members);
		bitmap_zero(written, MEMSYNC_BLOCK_PAGES);
		if (test_bit(block, d->opened))
			memsync_open_written(track, block, written);
		bitmap_or(written, written, d->blocks[block].dirty, MEMSYNC_BLOCK_PAGES);
		bitmap_and(members, members, written, MEMSYNC_BLOCK_PAGES);
		sum += bitmap_weight(members, MEMSYNC_BLOCK_PAGES);
		cond_resched();
	}
	return sum;
}

bool memsync_track_arm(struct memsync_track *track)
{
	set_bit(MEMSYNC_TRACK_ARMED, &track->flags);
	smp_mb__after_atomic();		/* pairs with the set_bit() of a hint */
	if (memsync_dirty_next(&track->dirty, 0) >= track->dirty.nr_blocks &&
	    !test_bit(MEMSYNC_TRACK_STRAYED, &track->flags))
		return true;
	clear_bit(MEMSYNC_TRACK_ARMED, &track->flags);
	return false;
}

bool memsync_track_has_compared(const struct memsync_track *track)
{
	return test_bit(MEMSYNC_TRACK_HAS_COMPARED, &track->flags);
}

void memsync_track_disarm(struct memsync_track *track)
{
	clear_bit(MEMSYNC_TRACK_ARMED, &track->flags);
}

u64 memsync_track_write_faults(struct memsync_track *track)
{
	u64 sum = track->past_write_faults;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(track->write_faults, cpu));
	return sum;
}

size_t memsync_track_bytes(struct memsync_track *track)
{
	return sizeof(*track) + memsync_dirty_bytes(&track->dirty) +
	       track->nr_extents * sizeof(*track->extents) +
	       track->backings.max * sizeof(*track->backings.items) +
	       track->views.nr * (sizeof(**track->views.items) + sizeof(*track->views.items)) +
	       track->nr_ranges * (sizeof(*track->ranges) + sizeof(*track->by_offset));
}

bool memsync_track_unchanged(struct memsync_track *track, u64 offset)
{
	unsigned long addr = memsync_track_offset_addr(track, offset);

	smp_rmb();	/* the content was read before; a hint precedes a change */
	if (!addr || !memsync_object_is_unchanged(track, addr) ||
	    memsync_peek_is_compared(track, addr))
		return false;
	smp_rmb();	/* or comes while the folio is locked */
	return memsync_dirty_is_clean(&track->dirty, memsync_track_block(track, addr),
				      memsync_page_in_block(addr)) &&
	       !memsync_mm_unsettled(track->m, addr) &&
	       memsync_backing_is_unchanged(track, addr);
}

void memsync_track_ended(struct memsync_track *track, const char *reason)
{
	if (!test_and_set_bit(MEMSYNC_TRACK_ENDED, &track->flags))
		track->ops->ended(track->owner, reason);
}

/**
 * memsync_track_init - get ready to watch processes
 *
 * Return: 0, or -errno with the reason in the log.
 */
int memsync_track_init(void)
{
	int err;

	err = memsync_tlb_init();
	if (err)
		return err;
	err = memsync_mm_init();
	if (err)
		return err;
	err = memsync_hook_init();
	if (err)
		memsync_mm_exit();
	return err;
}

/* Every track is stopped. Waits until no fault runs through the module. */
void memsync_track_exit(void)
{
	memsync_mm_exit();
	memsync_hook_exit();
}
