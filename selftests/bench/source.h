/* SPDX-License-Identifier: GPL-2.0 */
/* An area of this process as a memsync region with one peer; any failure ends the program. */
#ifndef _SOURCE_H
#define _SOURCE_H

#include <memsync.h>

#include "bench.h"

struct source {
	struct memsync *ms;
	uint32_t id;
	uint32_t flags;
};

/* @peer: IPv4 address of a listener on the default port; both sides call the region @name. */
void source_open(struct source *source, const char *name, const char *peer,
		 const struct area *area);
void source_close(struct source *source);

void source_pause(struct source *source);
void source_resume(struct source *source);
/* Until all that was written is applied at the peer. */
void source_barrier(struct source *source);
struct memsync_stats source_stats(struct source *source);

#endif /* _SOURCE_H */
