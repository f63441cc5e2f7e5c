/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMSYNC_RANGE_H
#define _MEMSYNC_RANGE_H

#include <linux/types.h>

/* Ranges of one region; enough for a process with many heaps. */
#define MEMSYNC_MAX_RANGES	65536
/* Bytes of all of them: tracking takes a 7500th of that in the kernel. */
#define MEMSYNC_MAX_SIZE	(16ULL << 40)

/**
 * struct memsync_range - one stretch of a region
 * @start: first address, page-aligned
 * @end: first address after it, page-aligned
 * @offset: bytes into the replica
 */
struct memsync_range {
	unsigned long start;
	unsigned long end;
	u64 offset;
};

struct mm_struct;
struct netlink_ext_ack;
struct vm_area_struct;

/* Index of the first of these sorted ranges that ends above @addr, or @nr. */
static inline unsigned int memsync_range_above(const struct memsync_range *ranges,
					       unsigned int nr, unsigned long addr)
{
	unsigned int low = 0, high = nr;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;

		if (ranges[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Why memory of this kind cannot be tracked, or NULL where it can. */
const char *memsync_vma_refusal(const struct vm_area_struct *vma);
/* Is it something else altogether, not the process's own memory in a special state? */
bool memsync_vma_is_foreign(const struct vm_area_struct *vma);

enum memsync_range_use {
	MEMSYNC_RANGE_TRACKED,
	MEMSYNC_RANGE_COMPARED,	/* or that, where its changes cannot be seen */
	MEMSYNC_RANGE_WRITTEN,	/* by the module */
};

/**
 * memsync_ranges_check - may these ranges be used so?
 * @mm: whose memory
 * @ranges: sorted by address, page-aligned, not overlapping
 * @nr: how many
 * @use: what for
 * @extack: told which mapping is refused and why
 *
 * Context: process; takes and drops the mmap lock.
 * Return: 0, -EFAULT for unmapped parts, -EOPNOTSUPP for memory of another
 * kind, -EACCES for memory the process itself may not write, -ESRCH, -EINTR.
 */
int memsync_ranges_check(struct mm_struct *mm, const struct memsync_range *ranges,
			 unsigned int nr, enum memsync_range_use use,
			 struct netlink_ext_ack *extack);

#endif /* _MEMSYNC_RANGE_H */
