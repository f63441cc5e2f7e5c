// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that several mappings share: files of tmpfs, memfds, shared anonymous
 * memory. All of it is shmem's, whose pages lie in one place, the page cache or
 * swap, from where they can be read without regard to who has them mapped.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/pagemap.h>
#include <linux/mmu_notifier.h>
#include <linux/rbtree.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/shmem_fs.h>
#include <linux/userfaultfd_k.h>
#include <linux/xarray.h>
#include "hook.h"
#include "mm.h"
#include "object.h"
#include "shared.h"
#include "tlb.h"
#include "track_internal.h"
#include "view.h"

/**
 * memsync_object_refusal - why can this shared memory not be tracked?
 * @vma: the mapping, under its mmap lock
 *
 * Return: a few words, or NULL where it can.
 */
const char *memsync_object_refusal(const struct vm_area_struct *vma)
{
	if (!vma->vm_file)
		return "shared memory of a kind of its own";
	if (!shmem_mapping(vma->vm_file->f_mapping))
		return "a shared file whose changes cannot be seen";
	if (vma->vm_ops && (vma->vm_ops->page_mkwrite || vma->vm_ops->pfn_mkwrite))
		return "a shared mapping of a device";
	if (!memsync_hook_has_shared())
		return "shared memory this kernel tells too little of";
	return NULL;
}

/* ---- all who have an object mapped ---- */

#define for_each_sharer(vma, node, mapping)						\
	for (node = rb_first_cached(&(mapping)->i_mmap);				\
	     node && (vma = rb_entry(node, struct vm_area_struct, shared.rb), true);	\
	     node = rb_next(node))

/*
 * Somebody who fills the object by a userfaultfd does so with no fault. Asked again
 * at the beginning of each walk, under the mmap lock.
 */
const char *memsync_object_recheck(const struct vm_area_struct *vma)
{
	struct address_space *mapping = vma->vm_file->f_mapping;
	struct vm_area_struct *other;
	struct rb_node *node;
	bool armed = false;

	i_mmap_lock_read(mapping);
	for_each_sharer(other, node, mapping)
		armed |= other->vm_flags & VM_SHARED && userfaultfd_armed(other);
	i_mmap_unlock_read(mapping);
	return armed ? "shared memory under a userfaultfd" : NULL;
}

/* The next one in @seen that was not there; the caller puts it. */
static struct mm_struct *next_sharer(struct address_space *mapping, struct xarray *seen,
				     int *err)
{
	struct vm_area_struct *vma;
	struct mm_struct *mm = NULL;
	struct rb_node *node;

	i_mmap_lock_read(mapping);
	for_each_sharer(vma, node, mapping) {
		if (xa_load(seen, (unsigned long)vma->vm_mm / sizeof(long)))
			continue;
		if (!mmget_not_zero(vma->vm_mm))	/* is dying: no thread is left to fault */
			continue;
		mm = vma->vm_mm;
		break;
	}
	i_mmap_unlock_read(mapping);
	if (mm)
		*err = xa_err(xa_store(seen, (unsigned long)mm / sizeof(long), mm, GFP_KERNEL));
	return mm;
}

/* Faults that began before this hold the mmap lock, or that of the VMA. */
static int drain_faults(struct mm_struct *mm, const struct address_space *mapping)
{
	VMA_ITERATOR(vmi, mm, 0);
	struct vm_area_struct *vma;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	for_each_vma(vmi, vma)
		if (memsync_vma_is_object(vma) && vma->vm_file->f_mapping == mapping)
			vma_start_write(vma);
	mmap_write_unlock(mm);
	return 0;
}

/* The lock may be had before those who have waited for it longer; they are many at times. */
#define DRAIN_TRIES	64

static int drain_inode(struct inode *inode)
{
	unsigned int tries = DRAIN_TRIES;

	do {
		if (down_write_killable(&inode->i_rwsem))
			return -EINTR;
		inode_unlock(inode);
		cond_resched();
	} while (rwsem_is_contended(&inode->i_rwsem) && --tries);
	return 0;
}

/**
 * memsync_object_drain - wait for changes of an object that are under way
 * @file: the object
 *
 * Faults of whoever has it mapped, and what holds the lock of its inode or waits for it:
 * write(), truncate(), fallocate(). Those that begin later find its views. To be called a
 * grace period of RCU tasks after they were made, for whoever is on the way there.
 *
 * Context: process; sleeps; no lock is held. Return: 0, -EINTR or -ENOMEM.
 */
int memsync_object_drain(struct file *file)
{
	struct address_space *mapping = file->f_mapping;
	struct mm_struct *mm;
	struct xarray seen;
	int err = 0;

	xa_init(&seen);
	err = drain_inode(mapping->host);
	while (!err && (mm = next_sharer(mapping, &seen, &err))) {
		if (!err)
			err = drain_faults(mm, mapping);
		mmput_async(mm);
	}
	xa_destroy(&seen);
	return err;
}

static bool has_stale_entries(struct mm_struct *mm)
{
	int batch = 0;

#ifdef CONFIG_ARCH_WANT_BATCHED_UNMAP_TLB_FLUSH
	batch = atomic_read(&mm->tlb_flush_batched);
#endif
	/* Reclaim counts what it still has to flush, and what it has; see there. */
	return mm_tlb_flush_pending(mm) || (batch & 0x7fff) != batch >> 16;
}

/* Is this memory in page tables of another sort, too? KVM's, for one. Any context. */
bool memsync_object_has_secondary(struct mm_struct *mm)
{
	const struct memsync_mm *m;
	bool ret;

	if (likely(!mm_has_notifiers(mm)))
		return false;
	rcu_read_lock();
	m = memsync_mm_find(mm);
	ret = !m || !READ_ONCE(m->head) || memsync_mm_has_others(m);
	rcu_read_unlock();
	return ret;
}

/**
 * memsync_object_flush - nobody writes by what was an entry when hints were taken
 * @mapping: the object; the caller holds its file
 *
 * Reclaim and unmapping clear entries first, and tell, and flush a while later: until
 * then others go on writing.
 *
 * Context: process; sleeps. Return: whether page tables of another sort may tell what
 * those of processes do not.
 */
bool memsync_object_flush(struct address_space *mapping)
{
	struct vm_area_struct *vma;
	struct rb_node *node;
	bool ret = false;

	i_mmap_lock_read(mapping);
	for_each_sharer(vma, node, mapping) {
		if (has_stale_entries(vma->vm_mm))
			memsync_tlb_flush(vma->vm_mm, vma->vm_start, vma->vm_end);
		ret |= memsync_object_has_secondary(vma->vm_mm);
	}
	i_mmap_unlock_read(mapping);
	return ret;
}

/* ---- pages ---- */

/*
 * The page that is being swapped in by us, and by which task: the folio is marked then as
 * if it had changed. One at a time.
 */
static DEFINE_MUTEX(reader_lock);
static struct task_struct *reader;
static const struct address_space *reader_mapping;
static pgoff_t reader_index;

/* Is @folio marked only since we read it? What unmaps it marks it before. Any context. */
bool memsync_object_reads(const struct address_space *mapping, struct folio *folio)
{
	return READ_ONCE(reader) == current && reader_mapping == mapping && !folio_mapped(folio) &&
	       reader_index - folio->index < folio_nr_pages(folio);
}

static struct page *swap_in(struct address_space *mapping, pgoff_t index)
{
	struct page *page;

	mutex_lock(&reader_lock);
	reader_mapping = mapping;
	reader_index = index;
	WRITE_ONCE(reader, current);
	page = shmem_read_mapping_page(mapping, index);
	WRITE_ONCE(reader, NULL);
	mutex_unlock(&reader_lock);
	return page;
}

/* What was allocated and is not cleared yet reads as zeros: no page. */
static int page_of(struct folio *folio, pgoff_t index, struct page **page)
{
	struct page *found = folio_file_page(folio, index);

	if (!folio_test_uptodate(folio)) {
		folio_put(folio);
		return 0;
	}
	if (PageHWPoison(found)) {
		folio_put(folio);
		return -EHWPOISON;
	}
	*page = found;
	return 0;
}

/**
 * memsync_object_read - page @index of an object, as it is now
 * @mapping: the object; the caller holds its file
 * @index: which page
 * @page: set to it, with a reference, or NULL for a hole
 *
 * Context: process; sleeps; may swap it in. Return: 0 or -errno.
 */
int memsync_object_read(struct address_space *mapping, pgoff_t index, struct page **page)
{
	struct folio *folio;
	struct page *found;
	void *entry;

	*page = NULL;
	for (;;) {
		folio = filemap_get_folio(mapping, index);
		if (!IS_ERR(folio))
			return page_of(folio, index, page);
		entry = xa_load(&mapping->i_pages, index);
		if (!entry)
			return 0;
		if (!xa_is_value(entry))	/* swapped in meanwhile */
			continue;
		found = swap_in(mapping, index);
		if (!IS_ERR(found))
			return page_of(page_folio(found), index, page);
		/* Cut off: it may not be read any more, and will be gone. */
		if (PTR_ERR(found) == -EINVAL)
			return 0;
		/* Punched meanwhile: it is no entry of swap any more. */
		if (xa_load(&mapping->i_pages, index) == entry)
			return PTR_ERR(found);
	}
}

/* The file that is mapped at @addr, with a reference, or NULL; and which page of it that is. */
static struct file *file_at(struct mm_struct *mm, unsigned long addr, pgoff_t *index)
{
	struct vm_area_struct *vma;
	struct file *file = NULL;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, addr);
	if (vma && memsync_vma_is_object(vma) && !memsync_vma_refusal(vma)) {
		file = get_file(vma->vm_file);
		*index = linear_page_index(vma, addr);
	}
	mmap_read_unlock(mm);
	return file;
}

/*
 * As memsync_object_read() of what the process sees at @addr. -ENXIO where the last walk
 * found no object. The caller keeps the mm.
 */
int memsync_object_peek(const struct memsync_track *track, unsigned long addr,
			struct page **page)
{
	struct file *file;
	pgoff_t index;
	int err;

	if (!memsync_view_find(track, addr))
		return -ENXIO;
	file = file_at(track->m->mm, addr, &index);
	if (!file)
		return -ENXIO;
	err = memsync_object_read(file->f_mapping, index, page);
	fput(file);
	return err;
}

/* Nobody is about to change it: write() holds the folio from before until it has told. */
static bool is_at_rest(const struct memsync_track *track, struct file *file, pgoff_t index,
		       unsigned long addr)
{
	const struct memsync_view *v = memsync_view_find(track, addr);
	struct folio *folio;
	bool ret;

	if (!v || v->mapping != file->f_mapping || memsync_shared_unsettled(v->mapping, index, 1))
		return false;
	folio = filemap_get_folio(file->f_mapping, index);
	if (IS_ERR(folio))
		return true;
	ret = !folio_test_locked(folio);
	folio_put(folio);
	return ret;
}

/**
 * memsync_object_is_unchanged - is nobody just about to change it?
 * @track: whose walk; none runs now
 * @addr: in a range of its
 *
 * To be asked before the hints are. Context: process; takes the mmap lock. Return:
 * also true where no object is seen there.
 */
bool memsync_object_is_unchanged(const struct memsync_track *track, unsigned long addr)
{
	struct mm_struct *mm = track->m->mm;
	struct file *file;
	pgoff_t index;
	bool ret;

	if (likely(!memsync_view_find(track, addr)))
		return true;
	if (!mmget_not_zero(mm))
		return false;
	file = file_at(mm, addr, &index);
	ret = file && is_at_rest(track, file, index, addr);
	if (file)
		fput(file);
	mmput_async(mm);
	return ret;
}
