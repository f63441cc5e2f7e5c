// SPDX-License-Identifier: GPL-2.0
/*
 * The harvest: take hints, protect under the PTE lock, flush, and only then
 * read content and reference counts. The mmap lock is held for reading until
 * after the flush, so that fork and KSM find no stale translation.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/coredump.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/swapops.h>
#include "pgwalk.h"
#include "tlb.h"
#include "trace.h"
#include "track_internal.h"

/* A piece whose page is swapped out or migrating: to be faulted in. */
#define PAGE_ELSEWHERE	((struct page *)1UL)

/* Blocks visited under one hold of the mmap lock. */
#define MAX_BLOCKS	256

/* One call of memsync_harvest(): state of the walk. */
struct walk {
	struct memsync_track *track;
	struct mm_struct *mm;
	struct memsync_harvest *h;
	struct vm_area_struct *vma;	/* last one used; valid under the mmap lock */
	bool alone;			/* no other track of this memory */
	bool elsewhere;			/* a piece is to be faulted in */
	bool told;			/* other tracks were marked */
	int err;
	unsigned long flush_start;
	unsigned long flush_end;

	/* the block */
	unsigned long index;
	unsigned long addr;
	unsigned long started;		/* notifier ranges before its hints were taken, */
	bool active;			/* and whether one was under way */
	struct memsync_taken taken;
};

/* A stretch of one block, one range and one VMA. */
struct segment {
	unsigned long start;
	unsigned int first;		/* page in the block */
	unsigned int nr;
	u64 offset;
};

/* The first set bit from @i on, or @end; the next one is mostly near. */
static __always_inline unsigned int next_set(const unsigned long *bits, unsigned int i,
					     unsigned int end)
{
	unsigned long word;

	while (i < end) {
		word = bits[i / BITS_PER_LONG] >> (i % BITS_PER_LONG);
		if (word)
			return min(i + (unsigned int)__ffs(word), end);
		i = round_down(i, BITS_PER_LONG) + BITS_PER_LONG;
	}
	return end;
}

#define for_each_wanted(i, w, s)								\
	for (i = next_set((w)->taken.dirty, (s)->first, (s)->first + (s)->nr);			\
	     i < (s)->first + (s)->nr;								\
	     i = next_set((w)->taken.dirty, i + 1, (s)->first + (s)->nr))

static u64 offset_of(const struct segment *s, unsigned int i)
{
	return s->offset + ((u64)(i - s->first) << PAGE_SHIFT);
}

static struct memsync_piece *next_piece(struct walk *w)
{
	return &w->h->pieces[w->h->nr++];
}

static __always_inline void found_page(struct walk *w, const struct segment *s, unsigned int i,
				       struct page *page)
{
	get_page(page);
	*next_piece(w) = (struct memsync_piece){ offset_of(s, i), 1, page };
}

static void found_elsewhere(struct walk *w, const struct segment *s, unsigned int i)
{
	w->elsewhere = true;
	*next_piece(w) = (struct memsync_piece){ offset_of(s, i), 1, PAGE_ELSEWHERE };
}

static void found_zeros(struct walk *w, const struct segment *s, unsigned int i)
{
	struct memsync_piece *last;
	u64 offset = offset_of(s, i);

	last = w->h->nr ? &w->h->pieces[w->h->nr - 1] : NULL;
	if (last && !last->page && last->offset + ((u64)last->nr << PAGE_SHIFT) == offset)
		last->nr++;
	else
		*next_piece(w) = (struct memsync_piece){ offset, 1, NULL };
}

/* Another track may have been waiting to see this entry writable. */
static void tell_others(struct walk *w, unsigned long addr)
{
	struct memsync_track *other;

	list_for_each_entry_rcu(other, &w->track->m->tracks, node) {
		unsigned long block = memsync_track_block(other, addr);

		if (other == w->track || block == MEMSYNC_NO_BLOCK)
			continue;
		memsync_dirty_page(&other->dirty, block, memsync_page_in_block(addr));
		w->told = true;
	}
}

static void wake_others(struct walk *w)
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

/*
 * A notifier that was under way, or started, when the hints were taken found
 * nothing to promote, and the entry it then changed no longer tells. Asked
 * under the lock that such a change needs, so the answer holds for as long as
 * that is held.
 */
static void distrust_entries(struct walk *w)
{
	if (w->taken.look &&
	    (w->active || READ_ONCE(w->track->m->started) != w->started))
		bitmap_fill(w->taken.dirty, MEMSYNC_BLOCK_PAGES);
}

/* What migrates from a writable entry comes back writable, and nobody tells. */
static void expect_writable(struct walk *w)
{
	memsync_dirty_look(&w->track->dirty, w->index);
}

static void visit_not_present(struct walk *w, const struct segment *s, unsigned int i, pte_t pte,
			      bool wanted)
{
	if (!pte_none(pte) && is_writable_migration_entry(pte_to_swp_entry(pte)))
		expect_writable(w);
	if (!wanted)
		return;
	if (pte_none(pte))
		found_zeros(w, s, i);
	else
		found_elsewhere(w, s, i);
}

/* @wanted: a hint says that it was written; else it is looked at. */
static __always_inline void visit_pte(struct walk *w, const struct segment *s, unsigned int i,
				      pte_t *ptep, bool wanted)
{
	unsigned long addr = w->addr + ((unsigned long)i << PAGE_SHIFT);
	pte_t pte = ptep_get(ptep);

	if (unlikely(!pte_present(pte))) {
		visit_not_present(w, s, i, pte, wanted);
		return;
	}
	if (pte_write(pte)) {
		ptep_set_wrprotect(w->mm, addr, ptep);
		if (unlikely(!w->alone))
			tell_others(w, addr);
	} else if (!wanted) {
		return;
	}
	if (unlikely(pte_special(pte)))		/* the zero page */
		found_zeros(w, s, i);
	else
		found_page(w, s, i, pte_page(pte));
}

/* By words, since this is where a harvest spends its time. */
static void visit_hinted(struct walk *w, const struct segment *s, struct memsync_ptes *ptes)
{
	unsigned int word, first = s->first, last = s->first + s->nr - 1;

	for (word = first / BITS_PER_LONG; word <= last / BITS_PER_LONG; word++) {
		unsigned long bits = w->taken.dirty[word];

		if (word == first / BITS_PER_LONG)
			bits &= BITMAP_FIRST_WORD_MASK(first);
		if (word == last / BITS_PER_LONG)
			bits &= BITMAP_LAST_WORD_MASK(last + 1);
		for (; bits; bits &= bits - 1) {
			unsigned int i = word * BITS_PER_LONG + __ffs(bits);

			visit_pte(w, s, i, ptes->first + (i - first), true);
		}
	}
}

static void visit_ptes(struct walk *w, const struct segment *s, struct memsync_ptes *ptes)
{
	unsigned int i;

	distrust_entries(w);
	if (!w->taken.look) {
		visit_hinted(w, s, ptes);
		return;
	}
	for (i = s->first; i < s->first + s->nr; i++)
		visit_pte(w, s, i, ptes->first + (i - s->first),
			  test_bit(i, w->taken.dirty));
}

static void visit_missing(struct walk *w, const struct segment *s)
{
	unsigned int i;

	distrust_entries(w);
	for_each_wanted(i, w, s)
		found_zeros(w, s, i);
}

/* A writable huge page may have been written anywhere, in this segment or another. */
static void protect_huge(struct walk *w, pmd_t *pmd)
{
	struct memsync_track *other;

	pmdp_set_wrprotect(w->mm, w->addr, pmd);
	bitmap_fill(w->taken.dirty, MEMSYNC_BLOCK_PAGES);
	list_for_each_entry_rcu(other, &w->track->m->tracks, node) {
		unsigned long block = memsync_track_block(other, w->addr);

		if (other == w->track || block == MEMSYNC_NO_BLOCK)
			continue;
		memsync_dirty_pages(&other->dirty, block, 0, MEMSYNC_BLOCK_PAGES);
		w->told = true;
	}
}

/* Under the PMD lock; false if it is not a huge page any more. */
static bool visit_huge(struct walk *w, const struct segment *s, pmd_t *pmd)
{
	pmd_t pmdval = pmdp_get_lockless(pmd);
	bool present = pmd_present(pmdval);
	unsigned int i;

	if (!memsync_pmd_is_huge(pmdval))
		return false;
	distrust_entries(w);
	if (present && pmd_write(pmdval))
		protect_huge(w, pmd);
	else if (!present && is_writable_migration_entry(pmd_to_swp_entry(pmdval)))
		expect_writable(w);
	for_each_wanted(i, w, s) {
		if (present)
			found_page(w, s, i, pmd_page(pmdval) + i);
		else
			found_elsewhere(w, s, i);
	}
	return true;
}

static bool visit_huge_locked(struct walk *w, const struct segment *s, pmd_t *pmd)
{
	spinlock_t *ptl = pmd_lockptr(w->mm, pmd);
	bool ret;

	rcu_read_lock();
	spin_lock(ptl);
	ret = visit_huge(w, s, pmd);
	spin_unlock(ptl);
	rcu_read_unlock();
	return ret;
}

/* The PMD may change between a look and its lock, but every change ends in one of these. */
static void visit_segment(struct walk *w, const struct segment *s)
{
	pmd_t *pmd = memsync_pgwalk_pmd(w->mm, s->start);
	struct memsync_ptes ptes;

	for (;;) {
		pmd_t pmdval = pmd ? pmdp_get_lockless(pmd) : __pmd(0);

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
		} else if (memsync_pgwalk_lock(w->mm, pmd, s->start, &ptes)) {
			visit_ptes(w, s, &ptes);
			memsync_pgwalk_unlock(&ptes);
			return;
		}
		cpu_relax();
	}
}

static struct memsync_hole *get_hole(struct walk *w)
{
	struct memsync_hole *hole = xa_load(&w->track->holes, w->index);

	if (hole)
		return hole;
	hole = kzalloc(sizeof(*hole), GFP_KERNEL_ACCOUNT);
	if (hole && xa_err(xa_store(&w->track->holes, w->index, hole, GFP_KERNEL_ACCOUNT))) {
		kfree(hole);
		hole = NULL;
	}
	return hole;
}

/*
 * Nothing is mapped: it reads as zeros. What is mapped here later may come with
 * content (mremap), so the pages are remembered until something is.
 */
static void visit_hole(struct walk *w, const struct segment *s)
{
	struct memsync_hole *hole = NULL;
	unsigned int i;

	for_each_wanted(i, w, s) {
		found_zeros(w, s, i);
		hole = hole ?: get_hole(w);
		if (hole)
			__set_bit(i, hole->pages);
		else
			memsync_dirty_page(&w->track->dirty, w->index, i);
	}
}

static void refuse(struct walk *w, const struct vm_area_struct *vma, const char *why)
{
	char reason[160];

	snprintf(reason, sizeof(reason), "0x%lx-0x%lx is now %s, which cannot be tracked",
		 vma->vm_start, vma->vm_end, why);
	memsync_track_ended(w->track, reason);
	w->err = -EOPNOTSUPP;
}

/* The mapping that ends above @addr, if any. */
static struct vm_area_struct *vma_from(struct walk *w, unsigned long addr)
{
	if (!w->vma || addr < w->vma->vm_start || addr >= w->vma->vm_end)
		w->vma = find_vma(w->mm, addr);
	return w->vma;
}

/* The part of [addr, end), which lies in one range, up to the next change of VMA. */
static unsigned long visit_part(struct walk *w, const struct memsync_range *r, unsigned long addr,
				unsigned long end)
{
	struct vm_area_struct *vma = vma_from(w, addr);
	bool mapped = vma && vma->vm_start <= addr;
	const char *why = mapped ? memsync_vma_refusal(vma) : NULL;
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
	if (unlikely(why))
		refuse(w, vma, why);
	else if (mapped)
		visit_segment(w, &s);
	else
		visit_hole(w, &s);
	return end;
}

static void visit_block(struct walk *w)
{
	unsigned long block_end = w->addr + MEMSYNC_BLOCK_SIZE;
	struct memsync_track *track = w->track;
	unsigned int i = memsync_track_range_at(track, w->addr);

	for (; i < track->nr_ranges && track->ranges[i].start < block_end; i++) {
		const struct memsync_range *r = &track->ranges[i];
		unsigned long addr = max(r->start, w->addr);
		unsigned long end = min(r->end, block_end);

		while (addr < end)
			addr = visit_part(w, r, addr, end);
	}
	w->flush_start = min(w->flush_start, w->addr);
	w->flush_end = max(w->flush_end, block_end);
}

/* Hints that a fault or a notifier range under way may still turn into a change stay. */
static void keep_unsettled(struct walk *w)
{
	if (!memsync_mm_unsettled(w->track->m, w->addr))
		return;
	if (w->taken.any)
		memsync_dirty_bitmap(&w->track->dirty, w->index, w->taken.dirty);
	if (w->taken.look)
		memsync_dirty_look(&w->track->dirty, w->index);
}

static bool take_block(struct walk *w, unsigned long index)
{
	w->index = index;
	w->addr = memsync_track_block_addr(w->track, index);
	w->active = memsync_mm_active(w->track->m, w->addr, &w->started);
	if (!memsync_dirty_take(&w->track->dirty, index, &w->taken))
		return false;
	keep_unsettled(w);
	return true;
}

/* Visits marked blocks from @next on while there is room. Returns where to go on. */
static unsigned long visit_blocks(struct walk *w, unsigned long next)
{
	struct memsync_dirty *d = &w->track->dirty;
	unsigned int visited = 0;

	for (next = memsync_dirty_next(d, next); next < d->nr_blocks;
	     next = memsync_dirty_next(d, next + 1)) {
		if (visited++ == MAX_BLOCKS ||
		    w->h->nr + MEMSYNC_BLOCK_PAGES > MEMSYNC_HARVEST_PIECES)
			break;
		if (take_block(w, next))
			visit_block(w);
		if (unlikely(w->err))
			break;
	}
	return next;
}

/* A folio of one page spares the sum over its pages. */
static int expected_refs(struct folio *folio)
{
	if (likely(!folio_test_large(folio)))
		return folio_mapcount(folio) + folio_test_swapcache(folio);
	return folio_expected_ref_count(folio);
}

/* References beyond mappings and caches, and beyond @own: somebody may write with no fault. */
static bool has_excess_refs(struct folio *folio, unsigned int own)
{
	int before = folio_ref_count(folio), expected, after;

	smp_rmb();	/* a mapping that goes takes its reference along, in this order */
	expected = expected_refs(folio) + own;
	smp_rmb();	/* and one that comes brings it */
	after = folio_ref_count(folio);
	/* Off the LRU lists a folio is in a batch or isolated, which holds one reference. */
	return max(before, after) > expected + !folio_test_lru(folio);
}

static bool same_folio(const struct memsync_piece *piece, const struct folio *folio)
{
	return piece->page && piece->page != PAGE_ELSEWHERE && page_folio(piece->page) == folio;
}

/* What may be written through a reference stays dirty. */
static void keep_excess(struct walk *w)
{
	struct memsync_piece *piece = w->h->pieces, *end = piece + w->h->nr;

	while (piece < end) {
		struct memsync_piece *first = piece++;
		struct folio *folio;

		if (!first->page || first->page == PAGE_ELSEWHERE)
			continue;
		folio = page_folio(first->page);
		/* Ours and one more: that of the mapping, if the page is the process's still. */
		if (likely(folio_ref_count(folio) <= 2))
			continue;
		while (folio_test_large(folio) && piece < end && same_folio(piece, folio))
			piece++;
		if (!folio_test_anon(folio) || !has_excess_refs(folio, piece - first))
			continue;
		for (; first < piece; first++)
			memsync_track_mark(w->track, first->offset, 1);
	}
}

/* Pages of the block that were a hole and are mapped now are dirty. */
static void revisit_hole(struct walk *w, struct memsync_hole *hole, unsigned long index)
{
	unsigned long block_addr = memsync_track_block_addr(w->track, index);
	unsigned int i;

	for_each_set_bit(i, hole->pages, MEMSYNC_BLOCK_PAGES) {
		unsigned long addr = block_addr + ((unsigned long)i << PAGE_SHIFT);
		struct vm_area_struct *vma = vma_from(w, addr);

		if (!vma || vma->vm_start > addr)
			continue;
		__clear_bit(i, hole->pages);
		memsync_dirty_page(&w->track->dirty, index, i);
	}
	if (!bitmap_empty(hole->pages, MEMSYNC_BLOCK_PAGES))
		return;
	xa_erase(&w->track->holes, index);
	kfree(hole);
}

/* Is all that is mapped in the ranges still of a kind that can be tracked? */
static int recheck_vmas(struct walk *w)
{
	const struct memsync_range *r = w->track->ranges, *end = r + w->track->nr_ranges;
	bool any = false;

	for (; r < end; r++) {
		VMA_ITERATOR(vmi, w->mm, r->start);
		struct vm_area_struct *vma;

		for_each_vma_range(vmi, vma, r->end) {
			const char *why = memsync_vma_refusal(vma);

			if (why) {
				refuse(w, vma, why);
				return w->err;
			}
			any = true;
		}
	}
	if (any)
		return 0;
	memsync_track_ended(w->track, "all of its memory was unmapped");
	return -ESRCH;
}

static int begin_walk(struct walk *w)
{
	struct memsync_hole *hole;
	unsigned long index;
	int err;

	if (memsync_mm_has_others(w->track->m)) {
		memsync_track_ended(w->track,
				    "another subsystem (KVM, an IOMMU) has begun to write this process's memory, unseen by page faults");
		return -EOPNOTSUPP;
	}
	err = recheck_vmas(w);
	if (err)
		return err;
	xa_for_each(&w->track->holes, index, hole)
		revisit_hole(w, hole, index);
	return 0;
}

/* One hold of the mmap lock. */
static int walk_locked(struct walk *w, unsigned long *next)
{
	int err = *next ? 0 : begin_walk(w);

	if (err)
		return err;
	w->alone = list_is_singular(&w->track->m->tracks);
	w->flush_start = ULONG_MAX;
	w->flush_end = 0;
	inc_tlb_flush_pending(w->mm);
	*next = visit_blocks(w, *next);
	if (w->flush_end)
		memsync_tlb_flush(w->mm, w->flush_start, w->flush_end);
	dec_tlb_flush_pending(w->mm);
	return w->err;
}

static int do_walk(struct walk *w, unsigned long *next)
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

/*
 * Content that is swapped out or under migration. It is private: reading is
 * enough. Unmapped or removed in between is zeros, and will have been marked.
 */
static int read_page(struct mm_struct *mm, unsigned long addr, struct page **page)
{
	int locked = 1;
	long got;

	*page = NULL;
	mmap_read_lock(mm);
	got = get_user_pages_remote(mm, addr, 1, FOLL_FORCE, page, &locked);
	if (got != 1 && locked && memsync_peek_is_absent(mm, addr))
		got = 1;
	if (locked)
		mmap_read_unlock(mm);
	return got == 1 ? 0 : got ? got : -EFAULT;
}

/* Replaces the marks of PAGE_ELSEWHERE by pages. */
static int fetch_elsewhere(struct walk *w)
{
	struct memsync_piece *piece = w->h->pieces, *end = piece + w->h->nr;
	int err, ret = 0;

	if (!w->elsewhere)
		return 0;
	w->elsewhere = false;
	for (; piece < end; piece++) {
		if (piece->page != PAGE_ELSEWHERE)
			continue;
		err = read_page(w->mm, memsync_track_offset_addr(w->track, piece->offset),
				&piece->page);
		if (err)
			ret = err;
	}
	if (ret == -EFAULT || ret == -EHWPOISON) {
		memsync_track_ended(w->track, "a page of it cannot be read (memory or swap error)");
		return -EOPNOTSUPP;
	}
	return ret;
}

/* Nothing of it reaches the owner, so all of it is dirty still. */
static void give_back(struct walk *w)
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
static int check_stable(struct walk *w)
{
	smp_rmb();	/* the entries were read before */
	if (!test_bit(MMF_UNSTABLE, &w->mm->flags))
		return 0;
	memsync_track_ended(w->track, "the process is being killed for its memory");
	return -ESRCH;
}

static int harvest(struct walk *w, unsigned long *next, bool fetch)
{
	int err = do_walk(w, next);

	if (!err && fetch)
		err = fetch_elsewhere(w);
	if (!err)
		err = check_stable(w);
	if (err)
		give_back(w);
	else
		keep_excess(w);
	w->vma = NULL;
	return err;
}

int memsync_harvest(struct memsync_track *track, struct memsync_harvest *h)
{
	struct walk w = { .track = track, .mm = track->m->mm, .h = h };
	int err;

	h->nr = 0;
	if (!mmget_not_zero(w.mm))
		return -ESRCH;
	err = harvest(&w, &h->next, true);
	mmput_async(w.mm);
	if (err)
		return err;
	return h->next < track->dirty.nr_blocks;
}

/* Protects everything and forgets what was dirty: a base from which to count. */
int memsync_harvest_discard(struct memsync_track *track)
{
	struct walk w = { .track = track, .mm = track->m->mm };
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
		if (h->pieces[i].page && h->pieces[i].page != PAGE_ELSEWHERE)
			put_page(h->pieces[i].page);
	h->nr = 0;
}
