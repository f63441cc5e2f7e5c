// SPDX-License-Identifier: GPL-2.0
/* The visit of one block: what is mapped there, piece by piece. */
#include <linux/file.h>
#include <linux/leafops.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/swap.h>
#include "delay.h"
#include "hugetlb.h"
#include "object.h"
#include "pgwalk.h"
#include "shared.h"
#include "visit.h"

static void visit_missing(struct memsync_walk *w, const struct segment *s)
{
	unsigned int i;

	distrust_entries(w);
	distrust_open(w);
	for_each_wanted(i, w, s) {
		if (w->backed)
			found_elsewhere(w, s, i);
		else
			found_zeros(w, s, i);
	}
}

/*
 * A writable huge page may have been written anywhere, in this segment or another. It may
 * have become so behind those that were visited before: they wait for the next walk.
 */
static void protect_huge(struct memsync_walk *w, const struct segment *s, pmd_t *pmd)
{
	struct memsync_track *other;

	pmdp_set_wrprotect(w->mm, w->addr, pmd);
	memsync_taken_fill(&w->taken);
	if (s->first)
		memsync_dirty_pages(&w->track->dirty, w->index, 0, s->first);
	list_for_each_entry_rcu(other, &w->track->m->tracks, node) {
		unsigned long block = memsync_track_block(other, w->addr);

		if (other == w->track || block == MEMSYNC_NO_BLOCK)
			continue;
		memsync_dirty_pages(&other->dirty, block, 0, MEMSYNC_BLOCK_PAGES);
		w->told = true;
	}
}

/* Under the PMD lock; false if it is not a huge page any more. */
static bool visit_huge(struct memsync_walk *w, const struct segment *s, pmd_t *pmd)
{
	pmd_t pmdval = pmdp_get_lockless(pmd);
	bool present = pmd_present(pmdval);
	unsigned int i;

	if (!memsync_pmd_is_huge(pmdval))
		return false;
	distrust_entries(w);
	distrust_open(w);
	if (present && pmd_write(pmdval))
		protect_huge(w, s, pmd);
	else if (!present && softleaf_is_migration_write(softleaf_from_pmd(pmdval)))
		expect_writable(w);
	if (w->hugetlb && memsync_hugetlb_may_change(pmdval))
		memsync_walk_keep(w);
	for_each_wanted(i, w, s) {
		if (present && !w->hugetlb)
			found_page(w, s, i, pmd_page(pmdval) + i);
		else
			found_elsewhere(w, s, i);
	}
	return true;
}

static bool visit_huge_locked(struct memsync_walk *w, const struct segment *s, pmd_t *pmd)
{
	spinlock_t *ptl = pmd_lockptr(w->mm, pmd);
	bool ret;

	spin_lock(ptl);
	ret = visit_huge(w, s, pmd);
	spin_unlock(ptl);
	return ret;
}

/* As memsync_pgwalk_pmd(). The tables below a VMA that is in the tree stay. */
static pmd_t *find_pmd(struct memsync_walk *w, unsigned long addr)
{
	pmd_t *pmd;

	if (likely(w->pmds && !((addr ^ w->pmds_addr) >> PUD_SHIFT)))
		return w->pmds + pmd_index(addr);
	pmd = memsync_pgwalk_pmd(w->mm, addr);
	w->pmds = pmd ? pmd - pmd_index(addr) : NULL;
	w->pmds_addr = addr;
	return pmd;
}

/* The PMD may change between a look and its lock, but every change ends in one of these. */
static noinline void visit_segment(struct memsync_walk *w, const struct segment *s)
{
	pmd_t *pmd = find_pmd(w, s->start);
	struct memsync_ptes ptes;

	for (;;) {
		pmd_t pmdval;

		if (likely(pmd && memsync_pgwalk_lock_rcu(w->mm, pmd, s->start, &ptes))) {
			memsync_visit_entries(w, s, ptes.first - s->first);
			spin_unlock(ptes.ptl);
			return;
		}
		pmdval = pmd ? pmdp_get_lockless(pmd) : __pmd(0);
		if (pmd_none(pmdval)) {
			visit_missing(w, s);
			return;
		}
		if (memsync_pmd_is_huge(pmdval)) {
			if (visit_huge_locked(w, s, pmd))
				return;
		} else if (unlikely(pmd_bad(pmdval))) {
			w->err = -EFAULT;
			memsync_track_ended(w->track, "its page tables are damaged");
			return;
		}
		cpu_relax();
	}
}

/*
 * Nothing (that counts) is mapped: it reads as zeros. Content that comes along
 * with a mapping (mremap) is told of by bypass.c.
 */
static void visit_hole(struct memsync_walk *w, const struct segment *s)
{
	unsigned int i;

	distrust_open(w);
	for_each_wanted(i, w, s)
		found_zeros(w, s, i);
}

/* Where the pieces go on in the same mapping, so does the part. */
static struct memsync_part *part_for(struct memsync_walk *w, const struct vm_area_struct *vma,
				     const struct segment *s)
{
	struct memsync_harvest *h = w->h;
	struct memsync_part *last = h->nr_parts ? &h->parts[h->nr_parts - 1] : NULL;
	pgoff_t index = linear_page_index((struct vm_area_struct *)vma, s->start);

	if (last && last->end == h->nr && last->file == vma->vm_file &&
	    s->start - last->start == s->offset - last->offset &&
	    (s->start - last->start) >> PAGE_SHIFT == index - last->index)
		return last;
	if (h->nr_parts == MEMSYNC_HARVEST_PARTS)
		return NULL;
	last = &h->parts[h->nr_parts++];
	*last = (struct memsync_part) {
		.file = get_file(vma->vm_file),
		.start = s->start,
		.offset = s->offset,
		.index = index,
		.first = h->nr,
		.end = h->nr,
	};
	return last;
}

static void note_shared(struct memsync_walk *w, const struct segment *s)
{
	unsigned int i;

	for (i = s->first; i < s->first + s->nr; i++) {
		bool wanted = test_bit(i, w->taken.dirty);

		if (!wanted && !w->taken.look)
			continue;
		*next_piece(w) = (struct memsync_piece) {
			.offset = offset_of(s, i),
			.nr = 1,
			.page = wanted ? MEMSYNC_PAGE_SHARED : MEMSYNC_PAGE_UNSURE,
		};
	}
}

/*
 * Others may have it mapped, so its pages are noted only, and settle.c asks the object.
 * A mapping that is in no view was made after the walk began, and waits for the next.
 */
static void visit_object(struct memsync_walk *w, const struct vm_area_struct *vma,
			 const struct segment *s)
{
	pgoff_t index = linear_page_index((struct vm_area_struct *)vma, s->start);
	struct memsync_part *part;

	distrust_open(w);
	if (!memsync_view_covers(w->track, vma, s->start,
				 s->start + ((unsigned long)s->nr << PAGE_SHIFT))) {
		memsync_walk_keep(w);
		return;
	}
	if (memsync_shared_unsettled(vma->vm_file->f_mapping, index, s->nr))
		memsync_walk_keep(w);
	part = part_for(w, vma, s);
	if (part) {
		note_shared(w, s);
		part->end = w->h->nr;
	} else {
		memsync_walk_keep(w);
		w->full = true;
	}
}

/* Nothing tells what of it has changed; all of it was marked when the walk began. */
static void visit_compared(struct memsync_walk *w, const struct segment *s)
{
	unsigned int i;

	distrust_open(w);
	for_each_wanted(i, w, s)
		found_elsewhere(w, s, i);
}

/* The region ends, since memory of another kind was mapped into it. */
void memsync_walk_refuse(struct memsync_walk *w, const struct vm_area_struct *vma,
			 const char *why)
{
	char reason[160];

	snprintf(reason, sizeof(reason), "0x%lx-0x%lx is now %s, which cannot be tracked",
		 vma->vm_start, vma->vm_end, why);
	memsync_track_ended(w->track, reason);
	w->err = -EOPNOTSUPP;
}

struct vm_area_struct *memsync_walk_find_vma(struct memsync_walk *w, unsigned long addr)
{
	bool tracked;

	w->vma = find_vma(w->mm, addr);
	w->refusal = w->vma ? memsync_vma_refusal(w->vma) : NULL;
	w->compared = w->refusal && memsync_track_compares(w->track, w->vma);
	if (unlikely(w->compared))
		w->refusal = memsync_compare_refusal(w->vma);
	w->hole = w->refusal && memsync_track_leaves_out(w->track, w->vma);
	tracked = w->vma && !w->refusal && !w->compared;
	w->backed = tracked && memsync_vma_has_backing(w->vma);
	w->object = tracked && memsync_vma_is_object(w->vma);
	w->hugetlb = tracked && memsync_vma_is_hugetlb(w->vma);
	w->whole_size = 0;
	return w->vma;
}

/* The part of [addr, end), which lies in one range, up to the next change of VMA. */
static unsigned long visit_part(struct memsync_walk *w, const struct memsync_range *r,
				unsigned long addr, unsigned long end)
{
	struct vm_area_struct *vma = memsync_walk_vma(w, addr);
	bool mapped = vma && vma->vm_start <= addr;
	struct segment s = {
		.start = addr,
		.first = memsync_page_in_block(addr),
		.offset = r->offset + (addr - r->start),
	};

	if (mapped)
		end = min(end, vma->vm_end);
	else if (vma)
		end = min(end, vma->vm_start);
	s.nr = (end - addr) >> PAGE_SHIFT;
	if (unlikely(w->track->views.nr) && !(mapped && w->object) &&
	    memsync_view_find(w->track, addr)) {
		distrust_open(w);
		memsync_walk_keep(w);	/* the object may come back, and nobody would tell */
	}
	if (mapped && unlikely(w->refusal) && !w->hole)
		memsync_walk_refuse(w, vma, w->refusal);
	else if (mapped && unlikely(w->compared))
		visit_compared(w, &s);
	else if (mapped && w->object)
		visit_object(w, vma, &s);
	else if (mapped && !w->hole)
		visit_segment(w, &s);
	else
		visit_hole(w, &s);
	return end;
}

/* The first range that ends above this block's address; mostly that of the last block. */
static unsigned int range_at(struct memsync_walk *w)
{
	const struct memsync_track *track = w->track;

	if (w->range >= track->nr_ranges || track->ranges[w->range].end <= w->addr)
		w->range = memsync_track_range_at(track, w->addr);
	return w->range;
}

/* Which blocks lie in the range and the VMA of this one, as most of the next ones do? */
static void note_whole(struct memsync_walk *w, const struct memsync_range *r)
{
	unsigned long start, end;

	if (!w->vma || w->refusal || w->compared || w->object || w->track->views.nr)
		return;
	start = round_up(max(w->vma->vm_start, r->start), MEMSYNC_BLOCK_SIZE);
	end = round_down(min(w->vma->vm_end, r->end), MEMSYNC_BLOCK_SIZE);
	w->whole_start = start;
	w->whole_size = end > start ? end - start : 0;
	w->whole_offset = r->offset - r->start;
}

/* The block range by range, from number @i on, and VMA by VMA. */
static noinline void visit_parts(struct memsync_walk *w, unsigned int i, unsigned long block_end)
{
	struct memsync_track *track = w->track;

	for (; i < track->nr_ranges && track->ranges[i].start < block_end; i++) {
		const struct memsync_range *r = &track->ranges[i];
		unsigned long addr = max(r->start, w->addr);
		unsigned long end = min(r->end, block_end);

		while (addr < end) {
			addr = visit_part(w, r, addr, end);
			memsync_delay(MEMSYNC_DELAY_PART);
		}
		note_whole(w, r);
	}
}

/**
 * memsync_walk_block - protect what was written in one block, and note it
 * @w: the walk; its block's hints were taken
 *
 * Context: the mmap lock is held for reading, and until the flush that follows; RCU.
 */
void memsync_walk_block(struct memsync_walk *w)
{
	unsigned long block_end = w->addr + MEMSYNC_BLOCK_SIZE;

	if (likely(w->addr - w->whole_start < w->whole_size)) {
		struct segment s = {
			.start = w->addr,
			.nr = MEMSYNC_BLOCK_PAGES,
			.offset = w->whole_offset + w->addr,
		};

		visit_segment(w, &s);
	} else {
		visit_parts(w, range_at(w), block_end);
	}
	if (!w->flush_end)
		w->flush_start = w->addr;
	w->flush_end = block_end;
}
