// SPDX-License-Identifier: GPL-2.0
/*
 * The harvest: take hints, protect under the PTE lock, flush, and only then
 * read content and reference counts. The mmap lock is held for reading until
 * after the flush, so that fork and KSM find no stale translation.
 */
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/coredump.h>
#include <linux/sched/mm.h>
#include "delay.h"
#include "object.h"
#include "open.h"
#include "tlb.h"
#include "walk.h"

/*
 * What is visited under one hold of the mmap lock, in entries that are merely
 * looked at, some 15 instructions each. A block as such costs as much as a few
 * of them, and so does a page that is found; one of zeros, or that was not
 * written, costs less. The block that goes beyond it is visited to its end.
 */
#define HOLD		6144
#define HOLD_BLOCK	32
#define HOLD_PAGE	12
#define HOLD_BARE	4

static void wake_others(struct memsync_walk *w)
{
	struct memsync_track *other;

	if (!w->told)
		return;
	w->told = false;
	rcu_read_lock();
	list_for_each_entry_rcu(other, &w->track->m->tracks, node)
		if (other != w->track)
			memsync_track_wake(other);
	rcu_read_unlock();
}

/* What was taken of this block stays for the next walk, too. */
void memsync_walk_keep(struct memsync_walk *w)
{
	if (w->taken.words)
		memsync_dirty_bitmap(&w->track->dirty, w->index, w->taken.dirty);
	if (w->taken.look)
		memsync_dirty_look(&w->track->dirty, w->index);
}

/* Hints that a fault or a notifier range under way may still turn into a change stay. */
static void keep_unsettled(struct memsync_walk *w)
{
	if (memsync_mm_unsettled(w->track->m, w->addr))
		memsync_walk_keep(w);
}

static bool take_block(struct memsync_walk *w, unsigned long index)
{
	w->index = index;
	if (index - w->extent->index >= w->extent->nr)
		w->extent = memsync_track_extent(w->track, index);
	w->addr = (w->extent->first + index - w->extent->index) << MEMSYNC_BLOCK_SHIFT;
	w->active = memsync_mm_active(w->track->m, w->addr, &w->started);
	WRITE_ONCE(w->track->visited, index);	/* the taking is a full barrier */
	if (!memsync_dirty_take(&w->track->dirty, index, &w->taken))
		return false;
	memsync_delay(MEMSYNC_DELAY_TAKEN);
	keep_unsettled(w);
	return true;
}

/* What the pages that were visited so far cost, of HOLD. */
static unsigned long pages_cost(const struct memsync_walk *w)
{
	return w->bare * HOLD_BARE + w->h->nr * HOLD_PAGE;
}

/* Visits a marked block. Returns what that cost but for its pages. */
static unsigned int visit_block(struct memsync_walk *w, unsigned long index)
{
	unsigned int cost = HOLD_BLOCK;

	if (take_block(w, index)) {
		memsync_walk_block(w);
		if (unlikely(w->taken.look))
			cost += MEMSYNC_BLOCK_PAGES;
		if (unlikely(w->compared))	/* each page of it may take a disk's time */
			cost += HOLD;
	}
	smp_store_release(&w->track->visited, MEMSYNC_NO_BLOCK);	/* after the visit */
	return cost;
}

/* Visits marked blocks from @next on while there is room. Returns where to go on. */
static unsigned long visit_blocks(struct memsync_walk *w, unsigned long next)
{
	struct memsync_dirty *d = &w->track->dirty;
	unsigned long most = pages_cost(w) + HOLD, cost = 0;

	for (next = memsync_dirty_next(d, next); next < d->nr_blocks;
	     next = memsync_dirty_next(d, next + 1)) {
		if (cost + pages_cost(w) >= most ||
		    w->h->nr + MEMSYNC_BLOCK_PAGES > MEMSYNC_HARVEST_PIECES)
			break;
		cost += visit_block(w, next);
		if (unlikely(w->err || w->full))
			break;
	}
	return next;
}

/* Returns what speaks against it now, or NULL. */
static const char *recheck_object(struct memsync_walk *w, const struct vm_area_struct *vma)
{
	const struct vm_area_struct *last = w->last_object;

	if (last == vma)	/* two ranges in one mapping */
		return NULL;
	w->last_object = vma;
	w->object_size += vma->vm_end - vma->vm_start;
	if (!memsync_view_covers(w->track, vma, vma->vm_start, vma->vm_end))
		w->stale = true;
	if (last && last->vm_file->f_mapping == vma->vm_file->f_mapping)
		return NULL;
	return memsync_object_recheck(vma);
}

/* All of it is to be found by this walk, if that is to be. Returns as recheck_vma(). */
static int find_compared(struct memsync_walk *w, const struct memsync_range *r,
			 const struct vm_area_struct *vma)
{
	const char *why = memsync_compare_refusal(vma);

	if (why) {
		memsync_walk_refuse(w, vma, why);
		return w->err;
	}
	set_bit(MEMSYNC_TRACK_HAS_COMPARED, &w->track->flags);
	if (w->h->compare)
		memsync_track_mark_range(w->track, max(r->start, vma->vm_start),
					 min(r->end, vma->vm_end));
	return 1;
}

/* Returns 1 for a mapping that can still be tracked, 0 for one that is left out. */
static int recheck_vma(struct memsync_walk *w, const struct memsync_range *r,
		       const struct vm_area_struct *vma, struct memsync_backings *seen)
{
	const char *why = memsync_vma_refusal(vma);
	int err = 0;

	if (why && memsync_track_compares(w->track, vma))
		return find_compared(w, r, vma);
	if (!why && memsync_vma_is_object(vma))
		why = recheck_object(w, vma);
	if (why && memsync_track_leaves_out(w->track, vma))
		return 0;
	if (why) {
		memsync_walk_refuse(w, vma, why);
		return w->err;
	}
	if (memsync_vma_has_backing(vma))
		err = memsync_backing_check(w->track, seen, vma);
	return err ?: 1;
}

/* Returns how many of them count, or -errno. */
static int recheck_range(struct memsync_walk *w, const struct memsync_range *r,
			 struct memsync_backings *seen)
{
	VMA_ITERATOR(vmi, w->mm, r->start);
	struct vm_area_struct *vma;
	int ret, nr = 0;

	for_each_vma_range(vmi, vma, r->end) {
		ret = recheck_vma(w, r, vma, seen);
		if (ret < 0)
			return ret;
		nr += ret;
	}
	return nr;
}

/* Is all that is mapped in the ranges still of a kind that can be tracked? */
static int recheck_vmas(struct memsync_walk *w)
{
	const struct memsync_range *r = w->track->ranges, *end = r + w->track->nr_ranges;
	struct memsync_backings seen = { };
	bool any = false;
	int ret;

	w->last_object = NULL;
	w->object_size = 0;
	clear_bit(MEMSYNC_TRACK_HAS_COMPARED, &w->track->flags);
	for (; r < end; r++) {
		ret = recheck_range(w, r, &seen);
		if (ret < 0) {
			kvfree(seen.items);
			return ret;
		}
		any |= ret;
	}
	memsync_backing_checked(w->track, &seen);
	/* All that is mapped is in a view. Is all that is in one mapped? */
	if (w->object_size != memsync_view_size(w->track))
		w->stale = true;
	if (w->updated)		/* what has changed since then came after the beginning */
		w->stale = false;
	if (any)
		return 0;
	memsync_track_ended(w->track, "all of its memory was unmapped");
	return -ESRCH;
}

static int begin_walk(struct memsync_walk *w)
{
	if (test_and_clear_bit(MEMSYNC_TRACK_ALL_MARKED, &w->track->flags))
		w->h->of_all = true;
	return recheck_vmas(w);
}

/*
 * Nobody subscribes while the mmap lock is held. Who is there between two holds only has
 * written what is hinted at still.
 */
static int check_alone(struct memsync_walk *w)
{
	if (likely(!memsync_mm_has_others(w->track->m)))
		return 0;
	memsync_track_ended(w->track,
			    "KVM or another device has begun to write its memory, unseen");
	return -EOPNOTSUPP;
}

/* One hold of the mmap lock. */
static int walk_locked(struct memsync_walk *w, unsigned long *next)
{
	int err = check_alone(w);

	if (!err && !*next)
		err = begin_walk(w);
	if (err || w->stale)
		return err;
	w->pmds = NULL;
	w->alone = list_is_singular(&w->track->m->tracks);
	w->may_open = w->alone && test_bit(MEMSYNC_TRACK_OPENS, &w->track->flags) &&
		      READ_ONCE(w->track->m->references_seen);
	w->plain = w->may_open && !w->h->of_all;
	w->extent = w->track->extents;
	w->range = w->track->nr_ranges;
	w->flush_end = 0;
	inc_tlb_flush_pending(w->mm);
	rcu_read_lock();
	*next = visit_blocks(w, *next);
	rcu_read_unlock();
	memsync_delay_asleep(MEMSYNC_DELAY_PROTECTED);
	if (w->flush_end)
		memsync_tlb_flush(w->mm, w->flush_start, w->flush_end);
	dec_tlb_flush_pending(w->mm);
	return w->err;
}

static int do_walk(struct memsync_walk *w, unsigned long *next)
{
	int err;

	mutex_lock(&w->track->m->walk_mutex);
	mmap_read_lock(w->mm);
	err = walk_locked(w, next);
	mmap_read_unlock(w->mm);
	mutex_unlock(&w->track->m->walk_mutex);
	wake_others(w);
	return err;
}

/* A file that is rewritten may be too short, and then long enough when it is asked. */
#define READ_TRIES	5

/* So many jiffies a call waits for what is on its way, before its caller may look about. */
#define READ_WAITS	HZ

/*
 * Content that is swapped out, under migration or in a file. It is private:
 * reading is enough. Unmapped or removed in between is zeros, and will have been
 * marked.
 */
static int read_page(const struct memsync_track *track, unsigned long addr, struct page **page,
		     unsigned int *waits)
{
	struct mm_struct *mm = track->m->mm;
	unsigned int tries = READ_TRIES;
	long got;
	int locked;

	*page = NULL;
	do {
		mmap_read_lock(mm);
		locked = 1;
		if (memsync_peek_is_hole(track, addr))
			got = 1;
		else
			got = memsync_peek_get(track, addr, page, &locked);
		if (got != 1 && locked && memsync_peek_is_absent(track, addr))
			got = 1;
		if (locked)
			mmap_read_unlock(mm);
	} while ((got == -EFAULT && --tries) || memsync_peek_again(got, waits));
	return got == 1 ? 0 : got ?: -EFAULT;
}

/* Replaces the marks of MEMSYNC_PAGE_ELSEWHERE by pages. */
static int fetch_elsewhere(struct memsync_walk *w)
{
	struct memsync_piece *piece = w->h->pieces, *end = piece + w->h->nr;
	unsigned int waits = READ_WAITS;
	int ret = 0;

	if (!w->elsewhere)
		return 0;
	w->elsewhere = false;
	for (; piece < end; piece++) {
		if (piece->page != MEMSYNC_PAGE_ELSEWHERE)
			continue;
		ret = read_page(w->track, memsync_track_offset_addr(w->track, piece->offset),
				&piece->page, &waits);
		if (ret)
			break;
	}
	if (ret == -EFAULT || ret == -EHWPOISON) {
		memsync_track_ended(w->track,
				    "a page of it cannot be read (memory, swap or file error)");
		return -EOPNOTSUPP;
	}
	return ret;
}

/* Nothing of it reaches the owner, so all of it is dirty still. */
static void give_back(struct memsync_walk *w)
{
	unsigned int i;

	for (i = 0; i < w->h->nr; i++)
		memsync_track_mark(w->track, w->h->pieces[i].offset, w->h->pieces[i].nr);
	memsync_harvest_put(w->h);
}

/*
 * The OOM killer empties a dying process's memory while it still looks alive;
 * the mark comes first. Those zeros are not to be shipped.
 */
static int check_stable(struct memsync_walk *w)
{
	smp_rmb();	/* the entries were read before */
	if (!mm_flags_test(MMF_UNSTABLE, w->mm))
		return 0;
	memsync_track_ended(w->track, "the process is being killed for its memory");
	return -ESRCH;
}

/* What the process shares with others is not what it was: looked at anew, the walk begins. */
static int update_views(struct memsync_walk *w)
{
	int err = memsync_view_update(w->track);

	w->stale = false;
	w->updated = true;
	if (!err || err == -ENOMEM || err == -EINTR)
		return err;
	memsync_track_ended(w->track, "memory that it shares can no longer be watched");
	return -EOPNOTSUPP;
}

static int harvest(struct memsync_walk *w, unsigned long *next, bool fetch)
{
	int err = do_walk(w, next);

	if (!err && w->stale)
		err = update_views(w) ?: do_walk(w, next);
	if (!err)
		err = memsync_settle(w, fetch);
	if (!err && fetch)
		err = fetch_elsewhere(w);
	if (!err)
		err = check_stable(w);
	memsync_settle_end(w);
	w->full = false;
	if (err)
		give_back(w);
	else
		memsync_walk_keep_excess(w);
	memsync_open_adapt(w->track, &w->hot, &w->neighbours);
	memsync_delay_asleep(MEMSYNC_DELAY_FOUND);
	w->vma = NULL;
	w->whole_size = 0;
	return err;
}

int memsync_harvest(struct memsync_track *track, struct memsync_harvest *h)
{
	struct memsync_walk w = { .track = track, .mm = track->m->mm, .h = h };
	unsigned long next = h->next;
	int err;

	h->nr = 0;
	if (!mmget_not_zero(w.mm))
		return -ESRCH;
	err = harvest(&w, &next, true);
	mmput_async(w.mm);
	if (err)
		return err;
	h->next = next;
	return h->next < track->dirty.nr_blocks;
}

/* Protects everything and forgets what was dirty: a base from which to count. */
int memsync_harvest_discard(struct memsync_track *track)
{
	struct memsync_walk w = { .track = track, .mm = track->m->mm };
	unsigned long next = 0;
	int err;

	w.h = kvzalloc(sizeof(*w.h), GFP_KERNEL);
	if (!w.h)
		return -ENOMEM;
	err = mmget_not_zero(w.mm) ? 0 : -ESRCH;
	if (err)
		goto free_h;
	do {
		err = harvest(&w, &next, false);
		memsync_harvest_put(w.h);
	} while (!err && next < track->dirty.nr_blocks);
	mmput_async(w.mm);
free_h:
	kvfree(w.h);
	return err;
}

void memsync_harvest_put(struct memsync_harvest *h)
{
	unsigned int i;

	for (i = 0; i < h->nr; i++)
		if (memsync_piece_has_page(&h->pieces[i]))
			put_page(h->pieces[i].page);
	h->nr = 0;
}
