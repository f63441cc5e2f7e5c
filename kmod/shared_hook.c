// SPDX-License-Identifier: GPL-2.0
/*
 * What changes a page of a shared object, or makes it writable, and is no fault: where
 * ftrace enters those functions. Most of them only tell, with the folio locked or held;
 * what is under way for longer, without that lock, is wrapped.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/fs.h>
#include <linux/ftrace.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/static_call.h>
#include <linux/userfaultfd_k.h>
#include "hook.h"
#include "object.h"
#include "shared.h"
#include "symbol.h"
#include "view.h"

/**
 * struct site - a function that is hooked
 * @names: it has one of these, the first that the kernel has
 * @hook: what is done there; from ftrace, must not be traced
 * @optional: a kernel may be without it
 * @addr: where ftrace enters it; 0 where it is missing
 */
struct site {
	const char *names[3];
	void (*hook)(struct ftrace_regs *fregs);
	bool optional;
	unsigned long addr;
};

static __always_inline void *pointer_at(struct ftrace_regs *fregs, unsigned int n)
{
	return (void *)ftrace_regs_get_argument(fregs, n);
}

/* ---- those that tell ---- */

/*
 * The folio's lock, or that of an entry that maps it, keeps it where it is. Whoever
 * takes a huge entry away leaves no mark, so what is large counts as written.
 */
static void notrace tell(struct folio *folio, bool look)
{
	const struct address_space *mapping = READ_ONCE(folio->mapping);

	if (!memsync_view_may_see(mapping))
		return;
	if (look && !folio_test_large(folio))
		memsync_view_look(mapping, folio->index, 1);
	else if (look || !memsync_object_reads(mapping, folio))
		memsync_view_mark(mapping, folio->index, folio_nr_pages(folio), NULL);
}

static void notrace dirty_hook(struct ftrace_regs *fregs)
{
	tell(pointer_at(fregs, 0), false);
}

/* Entries go, and come back as they were. */
static void notrace migrate_hook(struct ftrace_regs *fregs)
{
	tell(pointer_at(fregs, 0), true);
}

/*
 * They come back, writable wherever the mapping may be written, even where a device's
 * memory was to take the page and somebody else than try_to_migrate() took them.
 */
static void notrace restore_hook(struct ftrace_regs *fregs)
{
	tell(pointer_at(fregs, 1), true);
}

/* A page or a folio, which is large still. */
static void notrace split_hook(struct ftrace_regs *fregs)
{
	tell(page_folio((struct page *)pointer_at(fregs, 0)), true);
}

/* A huge page is mapped, perhaps with no fault; its folio is locked until it is. */
static void notrace pmd_hook(struct ftrace_regs *fregs)
{
	const struct vm_fault *vmf = pointer_at(fregs, 0);
	struct memsync_span span;

	if (!memsync_view_may_see_vma(vmf->vma))
		return;
	memsync_shared_span_around(&span, vmf->vma, clamp(vmf->address, vmf->vma->vm_start,
							  vmf->vma->vm_end - PAGE_SIZE));
	memsync_view_mark(span.mapping, span.first, span.nr, NULL);
}

/*
 * Written through references, which are let go of only now. That marks no folio which is
 * dirty already, and many who let go mark none; and the entry by which it was found may be
 * gone. Who has only read cannot be told from them. @nr pages of one folio; any context.
 */
static void notrace tell_written(struct page *page, unsigned long nr)
{
	struct folio *folio = page_folio(page);
	const struct address_space *mapping = READ_ONCE(folio->mapping);

	if (memsync_view_may_see(mapping))
		memsync_view_mark(mapping, folio->index + folio_page_idx(folio, page), nr, NULL);
}

static void notrace unpin_one_hook(struct ftrace_regs *fregs)
{
	tell_written(pointer_at(fregs, 0), 1);
}

static void notrace unpin_hook(struct ftrace_regs *fregs)
{
	unsigned long i, nr = ftrace_regs_get_argument(fregs, 1);
	struct page **pages = pointer_at(fregs, 0);

	if (IS_ERR_VALUE(nr))
		return;
	for (i = 0; i < nr; i++)
		if (pages[i])
			tell_written(pages[i], 1);
}

static void notrace unpin_range_hook(struct ftrace_regs *fregs)
{
	unsigned long nr = ftrace_regs_get_argument(fregs, 1), step;
	struct page *page = pointer_at(fregs, 0);

	for (; nr; nr -= step, page += step) {
		struct folio *folio = page_folio(page);

		step = min_t(unsigned long, nr,
			     folio_nr_pages(folio) - folio_page_idx(folio, page));
		tell_written(page, step);
	}
}

static void notrace unpin_folio_hook(struct ftrace_regs *fregs)
{
	struct folio *folio = pointer_at(fregs, 0);

	tell_written(&folio->page, folio_nr_pages(folio));
}

static void notrace unpin_folios_hook(struct ftrace_regs *fregs)
{
	unsigned long i, nr = ftrace_regs_get_argument(fregs, 1);
	struct folio **folios = pointer_at(fregs, 0);

	if (IS_ERR_VALUE(nr))
		return;
	for (i = 0; i < nr; i++)
		tell_written(&folios[i]->page, folio_nr_pages(folios[i]));
}

/* The first is on the way of every write() to any file. */
static struct site tellers[] __ro_after_init = {
	{ { "folio_mark_dirty" }, dirty_hook },
	{ { "try_to_migrate" }, migrate_hook },
	{ { "remove_migration_ptes" }, restore_hook },
	{ { "do_set_pmd" }, pmd_hook },
	{ { "unpin_user_page" }, unpin_one_hook },
	{ { "unpin_user_pages" }, unpin_hook },
	{ { "unpin_user_pages_dirty_lock" }, unpin_hook },
	{ { "unpin_user_page_range_dirty_lock" }, unpin_range_hook },
	{ { "unpin_user_folio" }, unpin_folio_hook, .optional = true },	/* since 6.11, */
	{ { "unpin_folio" }, unpin_folio_hook, .optional = true },	/* as are these */
	{ { "unpin_folios" }, unpin_folios_hook, .optional = true },
	{ { "__split_huge_page_to_list_to_order", "split_huge_page_to_list_to_order",
	    "split_huge_page_to_list" }, split_hook,
	  .optional = !IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) },
};

/* ---- those that are wrapped: marked before and after, and counted in between ---- */

static void change_begin(const struct address_space *mapping, pgoff_t index, unsigned long nr)
{
	atomic_inc(&memsync_hook_passing);
	memsync_shared_change_begin(mapping, index, nr);
}

static void change_end(const struct address_space *mapping, pgoff_t index, unsigned long nr)
{
	memsync_shared_change_end(mapping, index, nr);
	atomic_dec_return_release(&memsync_hook_passing);
}

static long no_fallocate(struct file *file, int mode, loff_t offset, loff_t len)
{
	return -EOPNOTSUPP;
}

DEFINE_STATIC_CALL(memsync_shmem_fallocate, no_fallocate);

static long counted_fallocate(struct file *file, int mode, loff_t offset, loff_t len)
{
	struct address_space *mapping = file->f_mapping;
	pgoff_t index = 0;
	unsigned long nr = 1;
	long ret;

	/* Whatever else it may be is refused by the kernel's own. */
	if (offset >= 0 && len > 0 && len <= MAX_LFS_FILESIZE - offset) {
		index = offset >> PAGE_SHIFT;
		nr = ((u64)(offset + len - 1) >> PAGE_SHIFT) - index + 1;
	}
	change_begin(mapping, index, nr);
	ret = static_call(memsync_shmem_fallocate)(file, mode, offset, len);
	change_end(mapping, index, nr);
	return ret;
}

/* Not vfs_fallocate(): loop devices, for one, do without it. */
static void notrace fallocate_hook(struct ftrace_regs *fregs)
{
	const struct file *file = pointer_at(fregs, 0);

	if (memsync_view_may_see(file->f_mapping))
		ftrace_regs_set_instruction_pointer(fregs, (unsigned long)counted_fallocate);
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
	pgoff_t index = linear_page_index(vma, start);
	unsigned long nr = (end - start) >> PAGE_SHIFT;
	long ret;

	change_begin(mapping, index, nr);
	ret = static_call(memsync_change_protection)(tlb, vma, start, end, arg4, arg5);
	change_end(mapping, index, nr);
	return ret;
}

/* A scan for NUMA makes nothing writable: the faults that undo it do. */
static void notrace protection_hook(struct ftrace_regs *fregs)
{
	const struct vm_area_struct *vma = pointer_at(fregs, 1);
	unsigned long start = ftrace_regs_get_argument(fregs, 2);

	if (vma->vm_flags & VM_WRITE && memsync_view_may_see_vma(vma) &&
	    start < ftrace_regs_get_argument(fregs, 3) &&
	    !(ftrace_regs_get_argument(fregs, CHANGE_PROTECTION_FLAGS_ARG) & MM_CP_PROT_NUMA))
		ftrace_regs_set_instruction_pointer(fregs, (unsigned long)counted_protection);
}

static int no_copy(struct vm_area_struct *to, struct vm_area_struct *from)
{
	return -ENOMEM;
}

DEFINE_STATIC_CALL(memsync_copy_page_range, no_copy);

/*
 * A child finds its entries of shared memory by faults, but where there are guards or the
 * protection of a userfaultfd: those it gets from its parent, and those of a large folio are
 * all writable if one of them is.
 */
static int counted_copy(struct vm_area_struct *to, struct vm_area_struct *from)
{
	const struct address_space *mapping = from->vm_file->f_mapping;
	unsigned long nr = vma_pages(from);
	int ret;

	atomic_inc(&memsync_hook_passing);
	memsync_shared_open_begin(mapping, from->vm_pgoff, nr);
	ret = static_call(memsync_copy_page_range)(to, from);
	memsync_shared_open_end(mapping, from->vm_pgoff, nr);
	atomic_dec_return_release(&memsync_hook_passing);
	return ret;
}

/* As vma_needs_copy() asks; from 6.15 to 6.18 a guard gives the mapping an anon_vma. */
static __always_inline bool is_copied(const struct vm_area_struct *vma)
{
	return vma->anon_vma || vma->vm_flags & (VM_MAYBE_GUARD | VM_UFFD_WP | VM_UFFD_RWP);
}

static void notrace copy_hook(struct ftrace_regs *fregs)
{
	const struct vm_area_struct *vma = pointer_at(fregs, 1);

	if (is_copied(vma) && memsync_view_may_see_vma(vma))
		ftrace_regs_set_instruction_pointer(fregs, (unsigned long)counted_copy);
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

static void notrace pin_hook(struct ftrace_regs *fregs)
{
	const struct file *file = pointer_at(fregs, 0);

	if (file && memsync_view_may_see(file->f_mapping))
		ftrace_regs_set_instruction_pointer(fregs, (unsigned long)counted_pin);
}

static int no_collapse(struct mm_struct *mm, unsigned long addr, bool install)
{
	return 0;
}

DEFINE_STATIC_CALL(memsync_collapse_mapped, no_collapse);

/*
 * A table of entries of one huge page goes, to be one entry when somebody needs it. What was
 * written by way of them is nowhere else: all of the huge page is dirty to the kernel anyway.
 * The mmap lock is held.
 */
static int counted_collapse(struct mm_struct *mm, unsigned long addr, bool install)
{
	const struct vm_area_struct *vma;
	struct memsync_span span;
	bool seen;
	int ret;

	atomic_inc(&memsync_hook_passing);
	addr &= PMD_MASK;
	vma = vma_lookup(mm, addr);
	seen = vma && memsync_view_may_see_vma(vma);
	if (seen) {
		memsync_shared_span_around(&span, vma, addr);
		memsync_shared_change_begin(span.mapping, span.first, span.nr);
	}
	ret = static_call(memsync_collapse_mapped)(mm, addr, install);
	if (seen)
		memsync_shared_change_end(span.mapping, span.first, span.nr);
	atomic_dec_return_release(&memsync_hook_passing);
	return ret;
}

static void notrace collapse_hook(struct ftrace_regs *fregs)
{
	ftrace_regs_set_instruction_pointer(fregs, (unsigned long)counted_collapse);
}

enum { FALLOCATE, PROTECTION, COPY, COLLAPSE, PIN };

static struct site wrapped[] __ro_after_init = {
	[FALLOCATE] = { { "shmem_fallocate" }, fallocate_hook },
	[PROTECTION] = { { "change_protection" }, protection_hook },
	[COPY] = { { "copy_page_range" }, copy_hook },
	[COLLAPSE] = { { "try_collapse_pte_mapped_thp", "collapse_pte_mapped_thp" }, collapse_hook,
		       .optional = !IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) },
	[PIN] = { { "memfd_pin_folios" }, pin_hook, .optional = true },	/* since 6.11 */
};

static_assert(ARRAY_SIZE(tellers) <= MEMSYNC_SHARED_TELLERS);
static_assert(ARRAY_SIZE(wrapped) <= MEMSYNC_SHARED_WRAPPED);

/* ---- where they are ---- */

/**
 * memsync_shared_told - an object's page is changed, or becomes writable
 * @addr: which of those that were found
 * @fregs: its registers
 *
 * Context: from ftrace; must not be traced.
 */
void notrace memsync_shared_told(unsigned long addr, struct ftrace_regs *fregs)
{
	const struct site *s;

	for (s = tellers; s < tellers + ARRAY_SIZE(tellers); s++) {
		if (s->addr == addr) {
			s->hook(fregs);
			return;
		}
	}
}

/**
 * memsync_shared_wrap - an object is about to be changed
 * @addr: by which of those that were found
 * @fregs: its registers
 *
 * Context: from ftrace; must not be traced.
 */
void notrace memsync_shared_wrap(unsigned long addr, struct ftrace_regs *fregs)
{
	const struct site *s;

	for (s = wrapped; s < wrapped + ARRAY_SIZE(wrapped); s++) {
		if (s->addr == addr) {
			s->hook(fregs);
			return;
		}
	}
}

/* Returns how many of them there are, or -ENOENT. */
static int find_all(struct site *sites, unsigned int nr, unsigned long *addrs)
{
	unsigned int i, n, found = 0;

	for (i = 0; i < nr; i++) {
		struct site *s = &sites[i];

		for (n = 0; n < ARRAY_SIZE(s->names) && s->names[n] && !s->addr; n++)
			s->addr = memsync_symbol_site(s->names[n]);
		if (s->addr) {
			addrs[found++] = s->addr;
		} else if (!s->optional) {
			pr_info("%s() of this kernel cannot be hooked: shared memory is refused\n",
				s->names[0]);
			return -ENOENT;
		}
	}
	return found;
}

static unsigned long body_of(const struct site *s)
{
	return s->addr + MCOUNT_INSN_SIZE;
}

/**
 * memsync_shared_find - can shared objects be watched on this kernel?
 * @told: set to where ftrace enters those that tell, %MEMSYNC_SHARED_TELLERS at most
 * @nr_told: set to how many there are
 * @wraps: set to where it enters those that are wrapped, %MEMSYNC_SHARED_WRAPPED at most
 * @nr_wraps: set to how many there are
 *
 * Return: 0, or -ENOENT with the reason in the log.
 */
int memsync_shared_find(unsigned long *told, unsigned int *nr_told, unsigned long *wraps,
			unsigned int *nr_wraps)
{
	int found;

	found = find_all(tellers, ARRAY_SIZE(tellers), told);
	if (found < 0)
		return found;
	*nr_told = found;
	found = find_all(wrapped, ARRAY_SIZE(wrapped), wraps);
	if (found < 0)
		return found;
	*nr_wraps = found;
	static_call_update(memsync_shmem_fallocate,
			   (typeof(&no_fallocate))body_of(&wrapped[FALLOCATE]));
	static_call_update(memsync_change_protection,
			   (typeof(&no_change))body_of(&wrapped[PROTECTION]));
	static_call_update(memsync_copy_page_range,
			   (typeof(&no_copy))body_of(&wrapped[COPY]));
	if (wrapped[COLLAPSE].addr)
		static_call_update(memsync_collapse_mapped,
				   (typeof(&no_collapse))body_of(&wrapped[COLLAPSE]));
	if (wrapped[PIN].addr)
		static_call_update(memsync_memfd_pin_folios,
				   (typeof(&no_pin))body_of(&wrapped[PIN]));
	return 0;
}
