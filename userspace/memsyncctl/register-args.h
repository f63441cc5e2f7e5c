/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CTL_REGISTER_ARGS_H
#define _CTL_REGISTER_ARGS_H

#include "addr.h"
#include "ctl.h"
#include "range.h"

/* Who may be a sink's source. */
struct from_args {
	struct memsync_addr items[MEMSYNC_MAX_FROM];
	size_t nr;
};

/* 0, or -1 with a problem. */
int from_args_add(struct from_args *from, const char *text, struct problem *p);

#define MAX_PEER_ARGS	64

struct register_args {
	pid_t pid;
	const char *name;
	bool sink;
	bool plaintext;
	bool follow;
	bool compare;
	bool wait;
	int timeout_ms;		/* negative: for ever */
	uint64_t interval_ns;
	struct range_args ranges;
	struct memsync_addr peers[MAX_PEER_ARGS];
	char peer_names[MAX_PEER_ARGS][MEMSYNC_NAME_MAX + 1];
	size_t nr_peers;
	struct from_args from;
};

/* 0; or -1 with ctl->status set. */
int register_args_parse(struct ctl *ctl, int argc, char **argv, struct register_args *args);

#endif /* _CTL_REGISTER_ARGS_H */
