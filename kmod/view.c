// SPDX-License-Identifier: GPL-2.0
/*
 * The table of views: found by the fault path of any process, and by whoever else
 * changes a shared object. A track's own list is changed by its walks only.
 */
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include "hook.h"
#include "mm.h"
#include "object.h"
#include "track_internal.h"
#include "view.h"

struct hlist_head memsync_view_table[1 << MEMSYNC_VIEW_HASH_BITS];
unsigned int memsync_view_count;

static DEFINE_MUTEX(lock);	/* protects the table and its count; inside memsync_mm_mutex */

/* The part of pages [index, index + nr) of an object that a view shows; false: none. */
static bool shows(const struct memsync_view *v, const struct address_space *mapping,
		  pgoff_t index, unsigned long nr, unsigned long *start, unsigned long *end)
{
	pgoff_t first = max(index, v->index);
	pgoff_t last = min(index + nr, v->index + ((v->end - v->start) >> PAGE_SHIFT));

	if (v->mapping != mapping || first >= last)
		return false;
	*start = v->start + ((first - v->index) << PAGE_SHIFT);
	*end = v->start + ((last - v->index) << PAGE_SHIFT);
	return true;
}

/**
 * memsync_view_mark - pages of an object were, or are about to be, changed
 * @mapping: the object
 * @index: first page
 * @nr: how many
 * @but: a view whose track knows already, or NULL
 */
void memsync_view_mark(const struct address_space *mapping, pgoff_t index, unsigned long nr,
		       const struct memsync_view *but)
{
	const struct memsync_view *v;
	unsigned long start, end;

	rcu_read_lock();
	hlist_for_each_entry_rcu(v, memsync_view_bucket(mapping), node)
		if (v != but && shows(v, mapping, index, nr, &start, &end))
			memsync_track_mark_range(READ_ONCE(v->track), start, end);
	rcu_read_unlock();
}

/* Some of these pages became, or are about to become, writable somewhere. */
void memsync_view_look(const struct address_space *mapping, pgoff_t index, unsigned long nr)
{
	const struct memsync_view *v;
	unsigned long start, end;

	rcu_read_lock();
	hlist_for_each_entry_rcu(v, memsync_view_bucket(mapping), node)
		if (shows(v, mapping, index, nr, &start, &end))
			memsync_track_look_range(READ_ONCE(v->track), start, end);
	rcu_read_unlock();
}

/* A process writes this page: as memsync_view_mark(), and counted. Is it in any view? */
bool memsync_view_written(const struct address_space *mapping, pgoff_t index)
{
	const struct memsync_view *v;
	unsigned long start, end;
	bool any = false;

	rcu_read_lock();
	hlist_for_each_entry_rcu(v, memsync_view_bucket(mapping), node) {
		struct memsync_track *track = READ_ONCE(v->track);

		if (!shows(v, mapping, index, 1, &start, &end))
			continue;
		memsync_track_mark_range(track, start, end);
		this_cpu_inc(*track->write_faults);
		any = true;
	}
	rcu_read_unlock();
	return any;
}

/* ---- a track's own ---- */

/* The view that holds @addr, or NULL. The owner runs no other walk. */
const struct memsync_view *memsync_view_find(const struct memsync_track *track,
					     unsigned long addr)
{
	const struct memsync_views *views = &track->views;
	unsigned int low = 0, high = views->nr;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;

		if (views->items[mid]->end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low < views->nr && views->items[low]->start <= addr ? views->items[low] : NULL;
}

static bool is_part_of(const struct memsync_view *v, const struct address_space *mapping,
		       pgoff_t index, unsigned long start, unsigned long end)
{
	return v && v->mapping == mapping && v->end >= end &&
	       v->index + ((start - v->start) >> PAGE_SHIFT) == index;
}

/* Is [start, end), which lies in @vma, in a view as it is mapped now? Under the mmap lock. */
bool memsync_view_covers(const struct memsync_track *track, const struct vm_area_struct *vma,
			 unsigned long start, unsigned long end)
{
	return is_part_of(memsync_view_find(track, start), vma->vm_file->f_mapping,
			  linear_page_index((struct vm_area_struct *)vma, start), start, end);
}

/* Bytes of all of them. */
u64 memsync_view_size(const struct memsync_track *track)
{
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < track->views.nr; i++)
		sum += track->views.items[i]->end - track->views.items[i]->start;
	return sum;
}

/* What a look at the process found: views to be, each with a reference to its file. */
struct found {
	struct memsync_views views;
	struct file **files;
};

static int grow(struct found *f)
{
	unsigned int max = f->views.max ? f->views.max * 2 : 4;
	struct memsync_view **items = kvcalloc(max, sizeof(*items), GFP_KERNEL_ACCOUNT);
	struct file **files = kvcalloc(max, sizeof(*files), GFP_KERNEL);

	if (!items || !files) {
		kvfree(items);
		kvfree(files);
		return -ENOMEM;
	}
	if (f->views.nr) {
		memcpy(items, f->views.items, array_size(f->views.nr, sizeof(*items)));
		memcpy(files, f->files, array_size(f->views.nr, sizeof(*files)));
	}
	kvfree(f->views.items);
	kvfree(f->files);
	f->views.items = items;
	f->views.max = max;
	f->files = files;
	return 0;
}

/* A mapping that was split, by mprotect() for one, is one view still. */
static int add(struct found *f, struct memsync_track *track, const struct vm_area_struct *vma)
{
	struct address_space *mapping = vma->vm_file->f_mapping;
	struct memsync_view *v = f->views.nr ? f->views.items[f->views.nr - 1] : NULL;
	int err;

	if (v && v->end > vma->vm_start)	/* two ranges in one mapping */
		return 0;
	if (v && v->end == vma->vm_start && v->mapping == mapping &&
	    v->index + ((v->end - v->start) >> PAGE_SHIFT) == vma->vm_pgoff) {
		v->end = vma->vm_end;
		return 0;
	}
	err = f->views.nr < f->views.max ? 0 : grow(f);
	v = err ? NULL : kmalloc(sizeof(*v), GFP_KERNEL_ACCOUNT);
	if (!v)
		return -ENOMEM;
	*v = (struct memsync_view) {
		.mapping = mapping,
		.track = track,
		.start = vma->vm_start,
		.end = vma->vm_end,
		.index = vma->vm_pgoff,
	};
	f->files[f->views.nr] = get_file(vma->vm_file);
	f->views.items[f->views.nr++] = v;
	return 0;
}

static int find_all(struct found *f, struct memsync_track *track)
{
	const struct memsync_range *r = track->ranges, *end = r + track->nr_ranges;
	struct mm_struct *mm = track->m->mm;
	struct vm_area_struct *vma;
	int err = 0;

	mmap_read_lock(mm);
	for (; r < end && !err; r++) {
		VMA_ITERATOR(vmi, mm, r->start);

		for_each_vma_range(vmi, vma, r->end) {
			if (memsync_vma_is_object(vma) && !memsync_vma_refusal(vma))
				err = add(f, track, vma);
			if (err)
				break;
		}
	}
	mmap_read_unlock(mm);
	return err;
}

static void forget(struct found *f, bool views, bool files)
{
	unsigned int i;

	for (i = 0; i < f->views.nr; i++) {
		if (files)
			fput(f->files[i]);
		if (views)
			kfree(f->views.items[i]);
	}
	kvfree(f->files);
	if (views)
		kvfree(f->views.items);
}

static void unlink_all(const struct memsync_views *views)
{
	unsigned int i;

	for (i = 0; i < views->nr; i++) {
		hlist_del_rcu(&views->items[i]->node);
		kfree_rcu(views->items[i], rcu);
	}
	WRITE_ONCE(memsync_view_count, memsync_view_count - views->nr);
	kvfree(views->items);
}

/* The new ones are in the table before the old ones leave it. */
static void replace(struct memsync_track *track, const struct memsync_views *views)
{
	unsigned int i;

	mutex_lock(&lock);
	for (i = 0; i < views->nr; i++)
		hlist_add_head_rcu(&views->items[i]->node,
				   memsync_view_bucket(views->items[i]->mapping));
	WRITE_ONCE(memsync_view_count, memsync_view_count + views->nr);
	unlink_all(&track->views);
	track->views = *views;
	mutex_unlock(&lock);
}

static int hook(struct memsync_track *track)
{
	int err = 0;

	if (test_bit(MEMSYNC_TRACK_SHARES, &track->flags))
		return 0;
	mutex_lock(&memsync_mm_mutex);
	err = memsync_hook_get_shared();
	if (!err)
		set_bit(MEMSYNC_TRACK_SHARES, &track->flags);
	mutex_unlock(&memsync_mm_mutex);
	return err;
}

static void mark_from(struct memsync_track *track, const struct memsync_view *v,
		      unsigned long addr)
{
	unsigned long next;

	for (; addr < v->end; addr = next) {
		next = min(v->end, addr + SZ_1G);
		memsync_track_mark_range(track, addr, next);
		cond_resched();
	}
}

/* Is it known up to its end, or the same object as one before that is not? */
static bool is_drained(const struct found *f, const unsigned long *known, unsigned int i)
{
	unsigned int j;

	for (j = 0; j < i; j++)
		if (f->views.items[j]->mapping == f->views.items[i]->mapping &&
		    known[j] < f->views.items[j]->end)
			return true;
	return false;
}

/*
 * Published and drained: whatever was about to change an object when its view was
 * not there yet has done so, and the rest tells. So all of it is dirty now.
 */
static int settle(struct memsync_track *track, const struct found *f, const unsigned long *known)
{
	bool any = false;
	unsigned int i;
	int err = 0;

	for (i = 0; i < f->views.nr && !err; i++) {
		const struct memsync_view *v = f->views.items[i];

		if (known[i] >= v->end)
			continue;
		if (!any)
			synchronize_rcu_tasks();
		any = true;
		if (!is_drained(f, known, i))
			err = memsync_object_drain(f->files[i]);
		mark_from(track, v, known[i]);
	}
	return err;
}

/* As a fault may keep a lock for as long as somebody's file system likes. */
static int settle_killable(struct memsync_track *track, const struct found *f,
			   const unsigned long *known)
{
	bool kthread = current->flags & PF_KTHREAD;
	int err;

	if (kthread)
		allow_kernel_signal(SIGKILL);
	err = settle(track, f, known);
	if (kthread)
		disallow_signal(SIGKILL);
	return err;
}

/* Up to where each is in a view that is there already. */
static void compare(const struct memsync_track *track, const struct found *f,
		    unsigned long *known)
{
	unsigned int i;

	for (i = 0; i < f->views.nr; i++) {
		const struct memsync_view *v = f->views.items[i];
		const struct memsync_view *old = memsync_view_find(track, v->start);

		known[i] = v->start;
		if (is_part_of(old, v->mapping, v->index, v->start, v->start))
			known[i] = min(old->end, v->end);
	}
}

/**
 * memsync_view_update - look anew at what the process shares
 * @track: whose
 *
 * What is seen for the first time counts as dirty.
 *
 * Context: process; at the beginning of a walk of @track, without the mmap lock;
 * sleeps, and takes the mmap locks of all who share. The caller keeps the mm.
 * Return: 0; -ENOMEM, -EINTR; -EBUSY, -ENODEV where the kernel cannot be hooked.
 * What the process shares is not harvested then.
 */
int memsync_view_update(struct memsync_track *track)
{
	struct found f = { };
	unsigned long *known = NULL;
	int err;

	err = find_all(&f, track);
	if (!err && f.views.nr) {
		known = kvcalloc(f.views.nr, sizeof(*known), GFP_KERNEL);
		err = known ? hook(track) : -ENOMEM;
	}
	if (err) {
		forget(&f, true, true);
		kvfree(known);
		return err;
	}
	compare(track, &f, known);
	replace(track, &f.views);
	err = settle_killable(track, &f, known);
	forget(&f, false, true);
	kvfree(known);
	if (err)	/* what was not drained is not known, either */
		memsync_view_drop(track);
	return err;
}

/* @track takes the place of @old, which is not told of anything any more after a grace period. */
void memsync_view_hand_on(struct memsync_track *old, struct memsync_track *track)
{
	unsigned int i;

	mutex_lock(&lock);
	for (i = 0; i < old->views.nr; i++)
		WRITE_ONCE(old->views.items[i]->track, track);
	swap(old->views, track->views);
	mutex_unlock(&lock);
	if (test_and_clear_bit(MEMSYNC_TRACK_SHARES, &old->flags))
		set_bit(MEMSYNC_TRACK_SHARES, &track->flags);
}

/* A track sees nothing any more, after a grace period. */
void memsync_view_drop(struct memsync_track *track)
{
	mutex_lock(&lock);
	unlink_all(&track->views);
	track->views = (struct memsync_views){ };
	mutex_unlock(&lock);
}
