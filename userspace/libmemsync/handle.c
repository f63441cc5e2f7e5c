// SPDX-License-Identifier: LGPL-2.1-or-later
/* A handle: a netlink socket and the last error. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#include "internal.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK	270
#endif

int ms_fail(struct memsync *ms, int err, const char *fmt, ...)
{
	va_list args;

	ms->error_attr = NULL;
	va_start(args, fmt);
	vsnprintf(ms->error, sizeof(ms->error), fmt, args);
	va_end(args);
	return err;
}

/* A connected generic netlink socket that asks for extended ACKs. */
int ms_socket(struct nl_sock **sk)
{
	int err, on = 1;

	*sk = nl_socket_alloc();
	if (!*sk)
		return -ENOMEM;
	err = genl_connect(*sk);
	if (err) {
		nl_socket_free(*sk);
		*sk = NULL;
		return ms_from_nl(err);
	}
	/* Both only make errors clearer. */
	setsockopt(nl_socket_get_fd(*sk), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(nl_socket_get_fd(*sk), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	return 0;
}

int memsync_open(struct memsync **out)
{
	struct memsync *ms = calloc(1, sizeof(*ms));
	int err;

	*out = NULL;
	if (!ms)
		return -ENOMEM;
	err = ms_socket(&ms->sk);
	if (err) {
		free(ms);
		return err;
	}
	ms->family = genl_ctrl_resolve(ms->sk, MEMSYNC_GENL_NAME);
	if (ms->family < 0) {
		err = ms_from_nl(ms->family);
		memsync_close(ms);
		return err;
	}
	*out = ms;
	return 0;
}

void memsync_close(struct memsync *ms)
{
	if (!ms)
		return;
	nl_socket_free(ms->sk);
	free(ms);
}

const char *memsync_error(const struct memsync *ms)
{
	return ms->error;
}

const char *memsync_error_attr(const struct memsync *ms)
{
	return ms->error_attr;
}
