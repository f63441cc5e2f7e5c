/* SPDX-License-Identifier: GPL-2.0 */
/* Shared objects: which they are, and their pages, whoever has them mapped. */
#ifndef _MEMSYNC_OBJECT_H
#define _MEMSYNC_OBJECT_H

#include <linux/mm.h>

struct file;
struct memsync_track;

/* Memory that others may have mapped, too, and write; it may be refused. */
static inline bool memsync_vma_is_object(const struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_SHARED && vma->vm_file;
}

const char *memsync_object_refusal(const struct vm_area_struct *vma);
int memsync_object_drain(struct file *file);
bool memsync_object_has_secondary(struct mm_struct *mm);
bool memsync_object_flush(struct address_space *mapping);
int memsync_object_read(struct address_space *mapping, pgoff_t index, struct page **page);
int memsync_object_peek(const struct memsync_track *track, unsigned long addr,
			struct page **page);
bool memsync_object_reads(const struct address_space *mapping, struct folio *folio);
bool memsync_object_is_unchanged(const struct memsync_track *track, unsigned long addr);
const char *memsync_object_recheck(const struct vm_area_struct *vma);

#endif /* _MEMSYNC_OBJECT_H */
