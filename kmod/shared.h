/* SPDX-License-Identifier: GPL-2.0 */
/* Whatever changes shared objects, or may be about to: it tells their views. */
#ifndef _MEMSYNC_SHARED_H
#define _MEMSYNC_SHARED_H

#include <linux/mm.h>

struct ftrace_regs;
struct memsync_mm;
struct pt_regs;

/**
 * struct memsync_span - the part of an object that a fault may map
 * @mapping: the object; compared, never looked into
 * @first: page of it
 * @nr: how many, those of one page table at most
 * @index: the page that the fault is about
 * @write: that is to be written
 * @whole: all of it counts as written
 */
struct memsync_span {
	const struct address_space *mapping;
	pgoff_t first;
	unsigned long nr;
	pgoff_t index;
	bool write;
	bool whole;
};

void memsync_shared_span_around(struct memsync_span *span, const struct vm_area_struct *vma,
				unsigned long addr);
void memsync_shared_change_begin(const struct address_space *mapping, pgoff_t index,
				 unsigned long nr);
void memsync_shared_change_end(const struct address_space *mapping, pgoff_t index,
			       unsigned long nr);
void memsync_shared_open_begin(const struct address_space *mapping, pgoff_t index,
			       unsigned long nr);
void memsync_shared_open_end(const struct address_space *mapping, pgoff_t index,
			     unsigned long nr);
bool memsync_shared_write_fast(struct memsync_mm *m, struct vm_area_struct *vma,
			       unsigned long addr, unsigned int flags, struct pt_regs *regs);
void memsync_shared_begin(struct memsync_span *span, const struct vm_area_struct *vma,
			  unsigned long addr, unsigned int flags);
void memsync_shared_end(const struct memsync_span *span);
bool memsync_shared_unsettled(const struct address_space *mapping, pgoff_t index,
			      unsigned long nr);

/* For hook.c: where ftrace enters what only tells, and what is wrapped. */
#define MEMSYNC_SHARED_TELLERS	12
#define MEMSYNC_SHARED_WRAPPED	5
int memsync_shared_find(unsigned long *tellers, unsigned int *nr_tellers,
			unsigned long *wrapped, unsigned int *nr_wrapped);
void memsync_shared_told(unsigned long site, struct ftrace_regs *fregs);
void memsync_shared_wrap(unsigned long site, struct ftrace_regs *fregs);

#endif /* _MEMSYNC_SHARED_H */
