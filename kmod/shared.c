// SPDX-License-Identifier: GPL-2.0
/*
 * A page of a shared object changes
 *
 * - by a process that has it mapped, watched or not: by a fault, which maps the
 *   page writable and perhaps its neighbours; or with no fault, where somebody
 *   else makes the entry writable: mprotect(), fork(), the end of a migration, the
 *   collapse into a huge page, a userfaultfd;
 * - by write() and the like, which mark the folio dirty once it is changed and
 *   before they let go of its lock, as does whoever takes a dirty entry away, but
 *   for khugepaged;
 * - through references that somebody holds;
 * - by fallocate(), which makes a hole.
 *
 * Each of them tells before it happens or, where the folio's lock keeps a harvest
 * away from the page, while it does. Faults, mprotect(), fork() and fallocate() can be
 * under way for as long as they like without that lock: they are counted, and hints stay
 * while they are. All but the faults are in shared_hook.c, and userfault.c.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include "dirty.h"
#include "hook.h"
#include "mm.h"
#include "object.h"
#include "pgwalk.h"
#include "shared.h"
#include "trace.h"
#include "track_internal.h"
#include "view.h"

/* Changes under way, by object and stretch of it; those of others count as well. */
#define UNDER_WAY_BITS	8
static atomic_t under_way[1 << UNDER_WAY_BITS];

static atomic_t *counter(const struct address_space *mapping, pgoff_t stretch)
{
	return &under_way[(hash_ptr(mapping, UNDER_WAY_BITS) + stretch) %
			  ARRAY_SIZE(under_way)];
}

static pgoff_t stretch_of(pgoff_t index)
{
	return index / MEMSYNC_BLOCK_PAGES;
}

/* As many counters as there are hold a stretch of each kind, whatever lies behind. */
static pgoff_t last_stretch(pgoff_t index, unsigned long nr)
{
	return min(stretch_of(index + nr - 1),
		   stretch_of(index) + (1 << UNDER_WAY_BITS) - 1);
}

/* Hints for pages [index, index + nr) that are taken from now on stay, until it is undone. */
static void count(const struct address_space *mapping, pgoff_t index, unsigned long nr, int by)
{
	pgoff_t stretch, last = last_stretch(index, nr);

	for (stretch = stretch_of(index); stretch <= last; stretch++)
		atomic_add(by, counter(mapping, stretch));
	smp_mb__after_atomic();		/* pairs with the taking, see memsync_shared_unsettled() */
}

/**
 * memsync_shared_unsettled - may one of these pages change hands right now?
 * @mapping: the object
 * @index: its first page
 * @nr: how many
 *
 * To be asked after hints were taken, which was a full barrier, and pairs with the
 * raising of the counts before the first hint.
 */
bool memsync_shared_unsettled(const struct address_space *mapping, pgoff_t index,
			      unsigned long nr)
{
	pgoff_t stretch, last = last_stretch(index, nr);

	for (stretch = stretch_of(index); stretch <= last; stretch++)
		if (atomic_read(counter(mapping, stretch)))
			return true;
	return false;
}

/**
 * memsync_shared_change_begin - pages of an object change, and for how long is not known
 * @mapping: the object
 * @index: first page
 * @nr: how many
 */
void memsync_shared_change_begin(const struct address_space *mapping, pgoff_t index,
				 unsigned long nr)
{
	count(mapping, index, nr, 1);
	memsync_view_mark(mapping, index, nr, NULL);
}

void memsync_shared_change_end(const struct address_space *mapping, pgoff_t index,
			       unsigned long nr)
{
	memsync_view_mark(mapping, index, nr, NULL);
	smp_mb__before_atomic();	/* the hints are there when the count is down */
	count(mapping, index, nr, -1);
}

/* As above, where what changes is only which entries are writable. */
void memsync_shared_open_begin(const struct address_space *mapping, pgoff_t index,
			       unsigned long nr)
{
	count(mapping, index, nr, 1);
	memsync_view_look(mapping, index, nr);
}

void memsync_shared_open_end(const struct address_space *mapping, pgoff_t index,
			     unsigned long nr)
{
	memsync_view_look(mapping, index, nr);
	smp_mb__before_atomic();	/* the hints are there when the count is down */
	count(mapping, index, nr, -1);
}

/* ---- faults ---- */

static pgoff_t index_of(const struct vm_area_struct *vma, unsigned long addr)
{
	return vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT);
}

/* What of the object one page table, or one huge page, maps around @addr. */
void memsync_shared_span_around(struct memsync_span *span, const struct vm_area_struct *vma,
				unsigned long addr)
{
	unsigned long block = addr & ~(MEMSYNC_BLOCK_SIZE - 1);
	unsigned long start = max(vma->vm_start, block);
	unsigned long end = min(vma->vm_end, block + MEMSYNC_BLOCK_SIZE);

	span->mapping = vma->vm_file->f_mapping;
	span->first = index_of(vma, start);
	span->nr = (end - start) >> PAGE_SHIFT;
	span->index = index_of(vma, addr);
}

static void hint(const struct memsync_span *span)
{
	if (span->whole)
		memsync_view_mark(span->mapping, span->first, span->nr, NULL);
	else
		memsync_view_look(span->mapping, span->first, span->nr);
	if (span->write)
		memsync_view_mark(span->mapping, span->index, 1, NULL);
}

/*
 * Where a huge page is mapped, or page tables of another sort show the same, no entry may
 * be left to tell what was written.
 */
static bool leaves_no_trace(const struct vm_area_struct *vma, unsigned long addr)
{
	pmd_t *pmd = memsync_pgwalk_pmd(vma->vm_mm, addr);

	return (pmd && memsync_pmd_is_huge(pmdp_get_lockless(pmd))) ||
	       memsync_object_has_secondary(vma->vm_mm);
}

/**
 * memsync_shared_begin - a fault on an object is about to be handled
 * @span: filled in; to be handed to memsync_shared_end()
 * @vma: held by the fault; may be gone once that has been handled
 * @addr: where
 * @flags: of the fault
 *
 * Even one that only reads maps writable pages: entries of shared memory begin so.
 */
void memsync_shared_begin(struct memsync_span *span, const struct vm_area_struct *vma,
			  unsigned long addr, unsigned int flags)
{
	memsync_shared_span_around(span, vma, addr);
	span->write = flags & FAULT_FLAG_WRITE;
	span->whole = leaves_no_trace(vma, addr);
	count(span->mapping, span->first, span->nr, 1);
	hint(span);
}

void memsync_shared_end(const struct memsync_span *span)
{
	hint(span);
	smp_mb__before_atomic();	/* the hints are there when the count is down */
	count(span->mapping, span->first, span->nr, -1);
}

/* As is_plain_write() of private memory, and nobody else wants to be asked. */
static bool is_plain_write(const struct vm_area_struct *vma, unsigned int flags,
			   const struct pt_regs *regs)
{
	return (flags & FAULT_FLAG_WRITE) && !(flags & (FAULT_FLAG_REMOTE | FAULT_FLAG_UNSHARE)) &&
	       regs && (vma->vm_flags & (VM_WRITE | VM_SHARED | VM_SHADOW_STACK)) ==
	       (VM_WRITE | VM_SHARED) && !memsync_object_refusal(vma);
}

/* Merely protected; the object's own page is below. */
static bool may_reuse(pte_t pte)
{
	return memsync_pte_is_protected(pte) && !PageAnon(pfn_to_page(pte_pfn(pte)));
}

/**
 * memsync_shared_write_fast - let a write to shared memory through
 * @m: the process, if it is watched itself
 * @vma: held by the fault
 * @addr: where
 * @flags: of the fault
 * @regs: of the fault
 *
 * As memsync_track_write_fast(): folio_mkclean(), by which a harvest protects, takes
 * the PTE lock, too. It is the one page only that becomes writable.
 *
 * Context: under RCU. Return: whether the fault is done.
 */
bool memsync_shared_write_fast(struct memsync_mm *m, struct vm_area_struct *vma,
			       unsigned long addr, unsigned int flags, struct pt_regs *regs)
{
	struct memsync_ptes ptes;
	bool done = false;
	pmd_t *pmd;
	pte_t pte;

	if (!is_plain_write(vma, flags, regs))
		return false;
	pmd = memsync_pgwalk_pmd(vma->vm_mm, addr);
	if (!pmd || !memsync_pgwalk_lock(vma->vm_mm, pmd, addr, &ptes))
		return false;
	pte = ptep_get(ptes.first);
	if (may_reuse(pte) &&
	    memsync_view_written(vma->vm_file->f_mapping, index_of(vma, addr))) {
		set_pte(ptes.first, pte_mkdirty(pte_mkwrite_novma(pte_mkyoung(pte))));
		done = true;
	}
	memsync_pgwalk_unlock(&ptes);
	if (!done)
		return false;
	memsync_track_account_fault();
	if (m && READ_ONCE(m->nr_follow))
		memsync_track_stray(m, addr, addr + 1, true);
	trace_memsync_tracked_write(vma->vm_mm, addr, true);
	return true;
}
