// SPDX-License-Identifier: GPL-2.0
/* About the module: info. */
#include <linux/netlink.h>
#include "hook.h"
#include "netlink.h"
#include "wire.h"

static int fill(struct sk_buff *msg, const void *arg)
{
	return nla_put_string(msg, MEMSYNC_A_MODULE_VERSION, THIS_MODULE->version) ?:
	       nla_put_u32(msg, MEMSYNC_A_WIRE_MIN, MEMSYNC_WIRE_MIN) ?:
	       nla_put_u32(msg, MEMSYNC_A_WIRE_MAX, MEMSYNC_WIRE_MAX) ?:
	       nla_put_u64_64bit(msg, MEMSYNC_A_FEATURES, MEMSYNC_WIRE_FEATURES,
				 MEMSYNC_A_PAD) ?:
	       nla_put_u32(msg, MEMSYNC_A_HOOK_STATE, memsync_hook_state()) ?:
	       nla_put_u32(msg, MEMSYNC_A_MAX_REGIONS, MEMSYNC_MAX_REGIONS) ?:
	       nla_put_u32(msg, MEMSYNC_A_MAX_RANGES, MEMSYNC_MAX_RANGES) ?:
	       nla_put_u32(msg, MEMSYNC_A_MAX_PEERS, MEMSYNC_MAX_PEERS);
}

int memsync_nl_info(struct sk_buff *skb, struct genl_info *info, struct memsync_region *none)
{
	return memsync_nl_reply(info, fill, NULL);
}
