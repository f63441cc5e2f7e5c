/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _TRACKER_H
#define _TRACKER_H

#include "bench.h"

/**
 * struct tracker - a way to learn which pages were written
 * @start: from now on the first write to each page is noticed
 * @harvest: which pages were written since, and notices writes to them again;
 *	returns how long it took, ns, and how many there were
 */
struct tracker {
	const char *name;
	void (*start)(const struct area *area);
	uint64_t (*harvest)(size_t *pages);
};

extern const struct tracker softdirty, wpasync, memsync;

#endif /* _TRACKER_H */
