/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CTL_RECEIVE_H
#define _CTL_RECEIVE_H

#include "ctl.h"
#include "progress.h"
#include "register-args.h"
#include "replica.h"

struct receive_args {
	const char *name;
	const char *file;
	bool resume;
	bool plaintext;
	uint64_t max_size;
	struct from_args from;
};

/* A `memsyncctl receive` under way. */
struct receiving {
	struct ctl *ctl;
	const struct receive_args *args;
	struct memsync_sink *sink;
	struct replica replica;
	int signals;		/* signalfd */
	struct progress progress;
	struct memsync_region last;	/* as its last event told; id 0: none yet */
	enum memsync_region_state told;	/* the last state that was printed */
	bool ended;
};

/* receive-print.c */
void receive_print_ready(struct receiving *rx);
void receive_print_source(struct receiving *rx);
/* Where the state is another than was printed last. */
void receive_print_state(struct receiving *rx, const struct memsync_region *region);
/* From rx->last. True: the replica is a consistent image. */
bool receive_print_end(struct receiving *rx, const char *why);

#endif /* _CTL_RECEIVE_H */
