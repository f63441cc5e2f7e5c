// SPDX-License-Identifier: GPL-2.0
/* Peers of a source, and the source of a sink. */
#include <linux/netlink.h>
#include "netlink.h"
#include "session.h"

static int get_peer(struct genl_info *info, struct sockaddr_storage *addr, const char **name)
{
	const struct nlattr *peer_name = info->attrs[MEMSYNC_A_PEER_NAME];

	if (memsync_nl_missing(info, MEMSYNC_A_ADDR))
		return -EINVAL;
	*name = peer_name ? nla_data(peer_name) : NULL;
	return memsync_nl_get_addr(info->attrs[MEMSYNC_A_ADDR], addr, info->extack);
}

static int check_room(const struct memsync_region *region, struct netlink_ext_ack *extack)
{
	if (region->state == MEMSYNC_REGION_NEW) {
		NL_SET_ERR_MSG(extack, "region is not started yet");
		return -EAGAIN;
	}
	if (region->nr_peers >= MEMSYNC_MAX_PEERS) {
		NL_SET_ERR_MSG(extack, "a region has at most "
			       __stringify(MEMSYNC_MAX_PEERS) " peers");
		return -ENOSPC;
	}
	return 0;
}

int memsync_nl_peer_add(struct sk_buff *skb, struct genl_info *info, struct memsync_region *region)
{
	struct sockaddr_storage addr;
	const char *name;
	int err;

	err = get_peer(info, &addr, &name);
	if (err)
		return err;
	err = check_room(region, info->extack);
	if (err)
		return err;
	err = memsync_peer_add(region, &addr, name, info->extack);
	if (err)
		NL_SET_BAD_ATTR(info->extack, info->attrs[MEMSYNC_A_ADDR]);
	return err;
}

int memsync_nl_peer_del(struct sk_buff *skb, struct genl_info *info, struct memsync_region *region)
{
	struct sockaddr_storage addr;
	const char *name;
	int err;

	err = get_peer(info, &addr, &name);
	if (err)
		return err;
	err = memsync_peer_del(region, &addr, name, info->extack);
	if (err)
		NL_SET_BAD_ATTR(info->extack, info->attrs[MEMSYNC_A_ADDR]);
	return err;
}

int memsync_nl_put_peer(struct sk_buff *skb, const struct memsync_peer_info *info)
{
	int err = memsync_nl_put_addr(skb, MEMSYNC_A_ADDR, &info->addr) ?:
		  nla_put_u32(skb, MEMSYNC_A_PEER_STATE, info->state) ?:
		  nla_put_u64_64bit(skb, MEMSYNC_A_LAG_PAGES, info->lag_pages, MEMSYNC_A_PAD) ?:
		  nla_put_u8(skb, MEMSYNC_A_PLAINTEXT, info->plaintext);

	if (!err && *info->name)
		err = nla_put_string(skb, MEMSYNC_A_PEER_NAME, info->name);
	if (!err && *info->reason)
		err = nla_put_string(skb, MEMSYNC_A_REASON, info->reason);
	return err;
}

static bool get_info(struct memsync_region *region, unsigned int index,
		     struct memsync_peer_info *info)
{
	if (region->role == MEMSYNC_ROLE_SOURCE)
		return memsync_peer_info(region, index, info);
	return !index && memsync_sink_source_info(region, info);
}

static int dump_one(struct sk_buff *skb, struct netlink_callback *cb,
		    const struct memsync_region *region, const struct memsync_peer_info *info)
{
	void *hdr = memsync_nl_dump_put(skb, cb);

	if (!hdr)
		return -EMSGSIZE;
	if (memsync_nl_put_region_key(skb, region) || memsync_nl_put_peer(skb, info)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

int memsync_nl_peer_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct memsync_nl_dump *at = memsync_nl_dump(cb);
	struct memsync_peer_info info;

	mutex_lock(&at->region->lock);
	while (get_info(at->region, at->index, &info)) {
		if (dump_one(skb, cb, at->region, &info))
			break;
		at->index++;
	}
	mutex_unlock(&at->region->lock);
	return skb->len;
}
