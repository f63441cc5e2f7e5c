// SPDX-License-Identifier: GPL-2.0
/*
 * A page of a shared object changes
 *
 * - by a process that has it mapped, watched or not: by a fault, which maps the
 *   page writable and perhaps its neighbours; or with no fault, where somebody
 *   else makes the entry writable: mprotect(), the end of a migration, the
 *   collapse into a huge page;
 * - by write() and the like, which mark the folio dirty once it is changed and
 *   before they let go of its lock, as does whoever takes a dirty entry away;
 * - through references that somebody holds;
 * - by fallocate(), which makes a hole.
 *
 * Each of them tells before it happens or, where the folio's lock keeps a harvest
 * away from the page, while it does. Faults, mprotect() and fallocate() can be under
 * way for as long as they like without that lock: they are counted, and hints stay
 * while they are.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/ftrace.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/static_call.h>
#include "dirty.h"
#include "hook.h"
#include "mm.h"
#include "object.h"
#include "pgwalk.h"
#include "shared.h"
#include "symbol.h"
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

/* ---- faults ---- */

static pgoff_t index_of(const struct vm_area_struct *vma, unsigned long addr)
{
	return vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT);
}

/* What of the object one page table, or one huge page, maps around @addr. */
static void span_around(struct memsync_span *span, const struct vm_area_struct *vma,
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
	span_around(span, vma, addr);
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

/* ---- those that tell ---- */

static unsigned long dirty_site, migrate_site, pmd_site, unpin_site, unpin_range_site, split_site;

/*
 * The folio's lock, or that of an entry that maps it, keeps it where it is. Whoever
 * takes a huge entry away leaves no mark, so what is large counts as written.
 */
static void notrace folio_hook(struct folio *folio, bool look)
{
	const struct address_space *mapping = READ_ONCE(folio->mapping);

	if (!memsync_view_may_see(mapping))
		return;
	if (look && !folio_test_large(folio))
		memsync_view_look(mapping, folio->index, 1);
	else if (look || !memsync_object_reads(mapping, folio))
		memsync_view_mark(mapping, folio->index, folio_nr_pages(folio), NULL);
}

/* A huge page is mapped, perhaps with no fault; its folio is locked until it is. */
static void notrace pmd_hook(const struct vm_fault *vmf)
{
	struct memsync_span span;

	if (!memsync_view_may_see_vma(vmf->vma))
		return;
	span_around(&span, vmf->vma, clamp(vmf->address, vmf->vma->vm_start,
					   vmf->vma->vm_end - PAGE_SIZE));
	memsync_view_mark(span.mapping, span.first, span.nr, NULL);
}

/*
 * Written through references, which are let go of only now. That marks no folio which is
 * dirty already, and the entry by which it was found may be gone.
 */
static void notrace unpin_hook(struct page **pages, unsigned long nr)
{
	struct folio *folio, *last = NULL;
	unsigned long i;

	for (i = 0; i < nr; i++) {
		folio = page_folio(pages[i]);
		if (folio != last)
			folio_hook(folio, false);
		last = folio;
	}
}

static void notrace unpin_range_hook(struct page *page, unsigned long nr)
{
	struct folio *folio, *last = NULL;
	unsigned long i;

	for (i = 0; i < nr; i++) {
		folio = page_folio(page + i);
		if (folio != last)
			folio_hook(folio, false);
		last = folio;
	}
}

/**
 * memsync_shared_told - an object's page is changed, or becomes writable
 * @site: which of those that were found
 * @fregs: its registers
 *
 * Context: from ftrace; must not be traced.
 */
void notrace memsync_shared_told(unsigned long site, struct ftrace_regs *fregs)
{
	void *first = (void *)ftrace_regs_get_argument(fregs, 0);
	unsigned long second = ftrace_regs_get_argument(fregs, 1);
	bool third = ftrace_regs_get_argument(fregs, 2) & 0xff;

	if (site == dirty_site)
		folio_hook(first, false);
	else if (site == migrate_site)
		folio_hook(first, true);
	else if (site == split_site)	/* a page or a folio, which is large still */
		folio_hook(page_folio((struct page *)first), true);
	else if (site == pmd_site)
		pmd_hook(first);
	else if (site == unpin_site && third)
		unpin_hook(first, second);
	else if (site == unpin_range_site && third)
		unpin_range_hook(first, second);
}

/* ---- those that are wrapped: marked before and after, and counted in between ---- */

static void change_begin(const struct address_space *mapping, pgoff_t index, unsigned long nr)
{
	atomic_inc(&memsync_hook_passing);
	count(mapping, index, nr, 1);
	memsync_view_mark(mapping, index, nr, NULL);
}

static void change_end(const struct address_space *mapping, pgoff_t index, unsigned long nr)
{
	memsync_view_mark(mapping, index, nr, NULL);
	smp_mb__before_atomic();	/* the hints are there when the count is down */
	count(mapping, index, nr, -1);
	atomic_dec_return_release(&memsync_hook_passing);
}

static int no_fallocate(struct file *file, int mode, loff_t offset, loff_t len)
{
	return -EOPNOTSUPP;
}

DEFINE_STATIC_CALL(memsync_vfs_fallocate, no_fallocate);

static int counted_fallocate(struct file *file, int mode, loff_t offset, loff_t len)
{
	struct address_space *mapping = file->f_mapping;
	pgoff_t index = 0;
	unsigned long nr = 1;
	int ret;

	/* Whatever else it may be is refused by the kernel's own. */
	if (offset >= 0 && len > 0 && len <= MAX_LFS_FILESIZE - offset) {
		index = offset >> PAGE_SHIFT;
		nr = ((u64)(offset + len - 1) >> PAGE_SHIFT) - index + 1;
	}
	change_begin(mapping, index, nr);
	ret = static_call(memsync_vfs_fallocate)(file, mode, offset, len);
	change_end(mapping, index, nr);
	return ret;
}

static long no_change(struct mmu_gather *tlb, struct vm_area_struct *vma, unsigned long start,
		      unsigned long end, unsigned long arg4, unsigned long arg5)
{
	return 0;
}

DEFINE_STATIC_CALL(memsync_change_protection, no_change);

/*
 * An entry of shared memory that may be written becomes writable at once. How many
 * arguments there are depends on the kernel; they are handed on as they are.
 */
static long counted_protection(struct mmu_gather *tlb, struct vm_area_struct *vma,
			       unsigned long start, unsigned long end, unsigned long arg4,
			       unsigned long arg5)
{
	const struct address_space *mapping = vma->vm_file->f_mapping;
	pgoff_t index = index_of(vma, start);
	unsigned long nr = (end - start) >> PAGE_SHIFT;
	long ret;

	change_begin(mapping, index, nr);
	ret = static_call(memsync_change_protection)(tlb, vma, start, end, arg4, arg5);
	change_end(mapping, index, nr);
	return ret;
}

static long no_pin(struct file *file, loff_t start, loff_t end, struct folio **folios,
		   unsigned int nr, pgoff_t *offset)
{
	return -EOPNOTSUPP;
}

DEFINE_STATIC_CALL(memsync_memfd_pin_folios, no_pin);

/* For devices, which write by these references: they are seen as long as they are there. */
static long counted_pin(struct file *file, loff_t start, loff_t end, struct folio **folios,
			unsigned int nr, pgoff_t *offset)
{
	struct address_space *mapping = file->f_mapping;
	pgoff_t first = 0, last = 0;
	long ret;

	if (start >= 0 && start <= end) {
		first = start >> PAGE_SHIFT;
		last = end >> PAGE_SHIFT;
	}
	change_begin(mapping, first, last - first + 1);
	ret = static_call(memsync_memfd_pin_folios)(file, start, end, folios, nr, offset);
	change_end(mapping, first, last - first + 1);
	return ret;
}

static unsigned long fallocate_site, protection_site, pin_site;

/* A scan for NUMA makes nothing writable: the faults that undo it do. */
static void notrace protection_hook(struct ftrace_regs *fregs)
{
	const struct vm_area_struct *vma = (void *)ftrace_regs_get_argument(fregs, 1);
	unsigned long start = ftrace_regs_get_argument(fregs, 2);

	if (vma->vm_flags & VM_WRITE && memsync_view_may_see_vma(vma) &&
	    start < ftrace_regs_get_argument(fregs, 3) &&
	    !(ftrace_regs_get_argument(fregs, CHANGE_PROTECTION_FLAGS_ARG) & MM_CP_PROT_NUMA))
		ftrace_regs_set_instruction_pointer(fregs, (unsigned long)counted_protection);
}

/**
 * memsync_shared_wrap - an object is about to be changed
 * @site: by which of those that were found
 * @fregs: its registers
 *
 * Context: from ftrace; must not be traced.
 */
void notrace memsync_shared_wrap(unsigned long site, struct ftrace_regs *fregs)
{
	const struct file *file;

	if (site == protection_site) {
		protection_hook(fregs);
		return;
	}
	file = (void *)ftrace_regs_get_argument(fregs, 0);
	if (!file || !memsync_view_may_see(file->f_mapping))
		return;
	ftrace_regs_set_instruction_pointer(fregs, site == pin_site ?
					    (unsigned long)counted_pin :
					    (unsigned long)counted_fallocate);
}

static unsigned long find(const char *name)
{
	unsigned long site = memsync_symbol_site(name);

	if (!site)
		pr_info("%s() of this kernel cannot be hooked: shared memory is refused\n", name);
	return site;
}

/* The first of these names that this kernel has, if any. */
static unsigned long find_optional(const char *const *names, unsigned int nr)
{
	unsigned long site = 0;

	while (nr-- && !site)
		site = memsync_symbol_site(*names++);
	return site;
}

static bool find_all(unsigned long *sites, const char *const *names, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		sites[i] = find(names[i]);
		if (!sites[i])
			return false;
	}
	return true;
}

/**
 * memsync_shared_find - can shared objects be watched on this kernel?
 * @tellers: set to where ftrace enters those functions, %MEMSYNC_SHARED_TELLERS at most
 * @nr_tellers: set to how many there are
 * @wrapped: set to where it enters those, %MEMSYNC_SHARED_WRAPPED at most
 * @nr_wrapped: set to how many there are
 *
 * Return: 0 or -ENOENT.
 */
int memsync_shared_find(unsigned long *tellers, unsigned int *nr_tellers,
			unsigned long *wrapped, unsigned int *nr_wrapped)
{
	static const char *const telling[] = {
		"folio_mark_dirty", "try_to_migrate", "do_set_pmd",
		"unpin_user_pages_dirty_lock", "unpin_user_page_range_dirty_lock",
	};
	static const char *const splitting[] = {
		"__split_huge_page_to_list_to_order", "split_huge_page_to_list_to_order",
		"split_huge_page_to_list",
	};
	static const char *const changing[] = { "vfs_fallocate", "change_protection" };
	static const char *const pinning[] = { "memfd_pin_folios" };	/* since 6.11 */

	if (!find_all(tellers, telling, ARRAY_SIZE(telling)) ||
	    !find_all(wrapped, changing, ARRAY_SIZE(changing)))
		return -ENOENT;
	dirty_site = tellers[0];
	migrate_site = tellers[1];
	pmd_site = tellers[2];
	unpin_site = tellers[3];
	unpin_range_site = tellers[4];
	*nr_tellers = ARRAY_SIZE(telling);
	split_site = find_optional(splitting, ARRAY_SIZE(splitting));
	if (split_site) {
		tellers[(*nr_tellers)++] = split_site;
	} else if (IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE)) {
		pr_info("the splitting of huge pages cannot be hooked: shared memory is refused\n");
		return -ENOENT;
	}
	fallocate_site = wrapped[0];
	protection_site = wrapped[1];
	*nr_wrapped = ARRAY_SIZE(changing);
	static_call_update(memsync_vfs_fallocate,
			   (typeof(&no_fallocate))(fallocate_site + MCOUNT_INSN_SIZE));
	static_call_update(memsync_change_protection,
			   (typeof(&no_change))(protection_site + MCOUNT_INSN_SIZE));
	pin_site = find_optional(pinning, ARRAY_SIZE(pinning));
	if (pin_site) {
		wrapped[(*nr_wrapped)++] = pin_site;
		static_call_update(memsync_memfd_pin_folios,
				   (typeof(&no_pin))(pin_site + MCOUNT_INSN_SIZE));
	}
	return 0;
}
