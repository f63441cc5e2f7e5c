/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where tracks look at memory that several mappings share. Who writes such memory
 * need not be the process that is watched, so what becomes of a page of the object
 * (a file of tmpfs, a memfd, shared anonymous memory) is told to every view of it.
 */
#ifndef _MEMSYNC_VIEW_H
#define _MEMSYNC_VIEW_H

#include <linux/fs.h>
#include <linux/hash.h>
#include <linux/mm.h>
#include <linux/rculist.h>

#define MEMSYNC_VIEW_HASH_BITS	8

struct memsync_track;

/**
 * struct memsync_view - what a track sees of a shared object
 * @node: in the table, by @mapping; RCU, changed under a lock of view.c's
 * @rcu: for freeing it
 * @mapping: the object; compared, never looked into
 * @track: whose; a track that is replaced hands it on
 * @start: address of the mapping
 * @end: of the mapping
 * @index: page of the object at @start
 */
struct memsync_view {
	struct hlist_node node;
	struct rcu_head rcu;
	const struct address_space *mapping;
	struct memsync_track *track;
	unsigned long start;
	unsigned long end;
	pgoff_t index;
};

/**
 * struct memsync_views - those of one track
 * @items: sorted by address
 * @nr: how many
 * @max: for how many there is room
 */
struct memsync_views {
	struct memsync_view **items;
	unsigned int nr;
	unsigned int max;
};

extern struct hlist_head memsync_view_table[1 << MEMSYNC_VIEW_HASH_BITS];
extern unsigned int memsync_view_count;

static inline struct hlist_head *memsync_view_bucket(const struct address_space *mapping)
{
	return &memsync_view_table[hash_ptr(mapping, MEMSYNC_VIEW_HASH_BITS)];
}

/* May the object be in a view? Any context; no need of RCU. */
static __always_inline bool memsync_view_may_see(const struct address_space *mapping)
{
	return READ_ONCE(memsync_view_count) && READ_ONCE(memsync_view_bucket(mapping)->first);
}

/* The same for what a mapping shows. The VMA is held by a fault. */
static __always_inline bool memsync_view_may_see_vma(const struct vm_area_struct *vma)
{
	return unlikely(READ_ONCE(memsync_view_count)) && vma->vm_flags & VM_SHARED &&
	       vma->vm_file && memsync_view_may_see(vma->vm_file->f_mapping);
}

/* Pages [index, index + nr) of an object; any context, takes RCU itself. */
void memsync_view_mark(const struct address_space *mapping, pgoff_t index, unsigned long nr,
		       const struct memsync_view *but);
void memsync_view_look(const struct address_space *mapping, pgoff_t index, unsigned long nr);
bool memsync_view_written(const struct address_space *mapping, pgoff_t index);

const struct memsync_view *memsync_view_find(const struct memsync_track *track,
					     unsigned long addr);
bool memsync_view_covers(const struct memsync_track *track, const struct vm_area_struct *vma,
			 unsigned long start, unsigned long end);
u64 memsync_view_size(const struct memsync_track *track);
int memsync_view_update(struct memsync_track *track);
void memsync_view_hand_on(struct memsync_track *old, struct memsync_track *track);
void memsync_view_drop(struct memsync_track *track);

#endif /* _MEMSYNC_VIEW_H */
