/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the rig's processes say to each other: the host and the agent over a virtio
 * port, the agent and its clients (on) over a unix socket. rig/guest.py has the same.
 *
 * A frame is a header and len bytes. Commands are known by an id that the side that
 * asks for them chose.
 */
#ifndef RIG_FRAME_H
#define RIG_FRAME_H

#include <stdint.h>

struct frame {
	uint32_t type;
	uint32_t id;
	uint32_t len;
};

#define FRAME_MAX	(1 << 20)	/* of len */

enum frame_type {
	/* agent to host: it listens */
	FRAME_READY = 1,
	/* to who runs it: directory, environment, "", arguments; each ends in a NUL */
	FRAME_RUN,
	/* to who runs it: a signal's number, as text */
	FRAME_KILL,
	/* to who asked: what the command wrote, and its exit status as text */
	FRAME_STDOUT,
	FRAME_STDERR,
	FRAME_EXIT,
	/* agent to host, for a client: a host's name, arguments; each ends in a NUL */
	FRAME_ON,
	FRAME_ON_KILL,
	/* host to agent, for a client */
	FRAME_ON_STDOUT,
	FRAME_ON_STDERR,
	FRAME_ON_EXIT,
};

#define AGENT_SOCKET	"/run/memsync/agent.sock"

#endif
