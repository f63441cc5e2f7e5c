/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CTL_PROGRESS_H
#define _CTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include <memsync.h>

#include "ctl.h"

/* One line that is written over and over, on terminals only. */
struct progress {
	bool on;
	bool shown;
	uint64_t begin_ns;	/* when the first pass was first seen, and with */
	uint64_t begin_pages;	/* how many pages done */
};

void progress_init(struct progress *pr, const struct ctl *ctl);
/* How long to wait for an event before the line is due again; milliseconds. */
int progress_interval(const struct progress *pr);
/* @lag: pages that the slowest peer has not got; of sources. */
void progress_show(struct progress *pr, const struct memsync_region *region, uint64_t lag);
/* Before anything else is printed. */
void progress_clear(struct progress *pr);

#endif /* _CTL_PROGRESS_H */
