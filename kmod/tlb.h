/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMSYNC_TLB_H
#define _MEMSYNC_TLB_H

struct mm_struct;

int memsync_tlb_init(void);

/* No CPU writes through an older translation of [start, end) once it has returned. */
void memsync_tlb_flush(struct mm_struct *mm, unsigned long start, unsigned long end);

#endif /* _MEMSYNC_TLB_H */
