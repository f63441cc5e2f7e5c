// SPDX-License-Identifier: LGPL-2.1-or-later
/* Peers and listeners: added and removed. */
#include "internal.h"

static int change_peer(struct memsync *ms, int cmd, uint32_t id, const struct memsync_addr *addr,
		       const char *name)
{
	struct nl_msg *msg = ms_region_msg(ms, cmd, 0, id);

	if (!msg)
		return ms_do(ms, NULL);
	if (ms_put_addr(msg, MEMSYNC_A_ADDR, addr, false) ||
	    (name && nla_put_string(msg, MEMSYNC_A_PEER_NAME, name)))
		return ms_full(ms, msg);
	return ms_do(ms, msg);
}

int memsync_peer_add(struct memsync *ms, uint32_t id, const struct memsync_addr *addr,
		     const char *name)
{
	return change_peer(ms, MEMSYNC_CMD_PEER_ADD, id, addr, name);
}

int memsync_peer_del(struct memsync *ms, uint32_t id, const struct memsync_addr *addr,
		     const char *name)
{
	return change_peer(ms, MEMSYNC_CMD_PEER_DEL, id, addr, name);
}

int memsync_listen(struct memsync *ms, const struct memsync_addr *addr, bool plaintext)
{
	struct nl_msg *msg = ms_msg(ms, MEMSYNC_CMD_LISTENER_NEW, 0);

	if (!msg)
		return ms_do(ms, NULL);
	if (ms_put_addr(msg, MEMSYNC_A_ADDR, addr, false) ||
	    nla_put_u8(msg, MEMSYNC_A_PLAINTEXT, plaintext))
		return ms_full(ms, msg);
	return ms_do(ms, msg);
}

int memsync_unlisten(struct memsync *ms, const struct memsync_addr *addr)
{
	struct nl_msg *msg = ms_msg(ms, MEMSYNC_CMD_LISTENER_DEL, 0);

	if (!msg)
		return ms_do(ms, NULL);
	if (ms_put_addr(msg, MEMSYNC_A_ADDR, addr, false))
		return ms_full(ms, msg);
	return ms_do(ms, msg);
}
