/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CTL_ADDR_H
#define _CTL_ADDR_H

#include <memsync.h>

#include "problem.h"

#define ADDR_TEXT	80

/* HOST[:PORT][/NAME]; @name is empty where it is not given. */
struct peer_arg {
	struct memsync_addr addr;
	char name[MEMSYNC_NAME_MAX + 1];
};

/* All return 0, or -1 with a problem. */
int addr_read_peer(const char *text, struct peer_arg *peer, struct problem *p);
/* ADDR[/LEN]; bits beyond LEN are cleared. */
int addr_read_from(const char *text, struct memsync_addr *addr, struct problem *p);
/* [HOST][:PORT]: without HOST both loopback addresses; *@nr is 1 or 2. */
int addr_read_listen(const char *text, struct memsync_addr addrs[2], unsigned int *nr,
		     struct problem *p);

/* "10.0.0.1:7420", "[fe80::1%eth0]:7420"; returns @text. */
const char *addr_text(char text[ADDR_TEXT], const struct memsync_addr *addr);
/* "10.0.0.0/8", without a port. */
const char *addr_prefix_text(char text[ADDR_TEXT], const struct memsync_addr *addr);

/* Splits "HOST:PORT", "[ADDR]:PORT", "ADDR6"; exported for its test. */
struct host_port {
	char host[256];		/* empty where it is not given */
	uint16_t port;		/* 7420 likewise */
};

int addr_split(const char *text, struct host_port *to, struct problem *p);

#endif /* _CTL_ADDR_H */
