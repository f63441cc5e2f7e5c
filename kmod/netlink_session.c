// SPDX-License-Identifier: GPL-2.0
/* Requests to the sessions of a region; most are answered by an event later. */
#include <linux/netlink.h>
#include "netlink.h"
#include "session.h"

static int put_barrier_id(struct sk_buff *msg, const void *arg)
{
	return nla_put_u64_64bit(msg, MEMSYNC_A_BARRIER_ID, *(const u64 *)arg, MEMSYNC_A_PAD);
}

int memsync_nl_barrier_start(struct sk_buff *skb, struct genl_info *info,
			     struct memsync_region *region)
{
	u64 id;
	int err = memsync_barrier_start(region, &id, info->extack);

	return err ?: memsync_nl_reply(info, put_barrier_id, &id);
}

int memsync_nl_verify_start(struct sk_buff *skb, struct genl_info *info,
			    struct memsync_region *region)
{
	return memsync_verify_start(region, info->extack);
}

int memsync_nl_hold(struct sk_buff *skb, struct genl_info *info, struct memsync_region *region)
{
	if (memsync_nl_missing(info, MEMSYNC_A_TIMEOUT_MS))
		return -EINVAL;
	return memsync_sink_hold(region, nla_get_u32(info->attrs[MEMSYNC_A_TIMEOUT_MS]),
				 info->extack);
}

int memsync_nl_release(struct sk_buff *skb, struct genl_info *info, struct memsync_region *region)
{
	return memsync_sink_release(region, info->extack);
}

int memsync_nl_refuse(struct sk_buff *skb, struct genl_info *info, struct memsync_region *region)
{
	if (memsync_nl_missing(info, MEMSYNC_A_REASON))
		return -EINVAL;
	return memsync_sink_refuse(region, nla_data(info->attrs[MEMSYNC_A_REASON]), info->extack);
}
