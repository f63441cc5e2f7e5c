// SPDX-License-Identifier: GPL-2.0
/* Listeners of a network namespace. */
#include <linux/netlink.h>
#include <net/sock.h>
#include "netlink.h"
#include "session.h"

static int get_listener(struct genl_info *info, struct sockaddr_storage *addr)
{
	if (memsync_nl_missing(info, MEMSYNC_A_ADDR))
		return -EINVAL;
	return memsync_nl_get_addr(info->attrs[MEMSYNC_A_ADDR], addr, info->extack);
}

int memsync_nl_listener_new(struct sk_buff *skb, struct genl_info *info,
			    struct memsync_region *none)
{
	const struct nlattr *attr = info->attrs[MEMSYNC_A_PLAINTEXT];
	bool plaintext = attr && nla_get_u8(attr);
	struct sockaddr_storage addr;
	int err;

	err = get_listener(info, &addr);
	if (err)
		return err;
	err = memsync_listener_add(genl_info_net(info), &addr, plaintext, info->extack);
	if (err)
		NL_SET_BAD_ATTR(info->extack, info->attrs[MEMSYNC_A_ADDR]);
	else
		memsync_nl_event_listener(genl_info_net(info), &addr, plaintext);
	return err;
}

int memsync_nl_listener_del(struct sk_buff *skb, struct genl_info *info,
			    struct memsync_region *none)
{
	struct sockaddr_storage addr;
	int err;

	err = get_listener(info, &addr);
	if (err)
		return err;
	err = memsync_listener_del(genl_info_net(info), &addr, info->extack);
	if (err)
		NL_SET_BAD_ATTR(info->extack, info->attrs[MEMSYNC_A_ADDR]);
	else
		memsync_nl_event_listener(genl_info_net(info), &addr, false);
	return err;
}

static int dump_one(struct sk_buff *skb, struct netlink_callback *cb,
		    const struct memsync_listener_info *info)
{
	void *hdr = memsync_nl_dump_put(skb, cb);

	if (!hdr)
		return -EMSGSIZE;
	if (memsync_nl_put_addr(skb, MEMSYNC_A_ADDR, &info->addr) ||
	    nla_put_u8(skb, MEMSYNC_A_PLAINTEXT, info->plaintext)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

/* cb->args[0] counts them. */
int memsync_nl_listener_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct memsync_listener_info info;

	while (memsync_listener_info(sock_net(cb->skb->sk), cb->args[0], &info)) {
		if (dump_one(skb, cb, &info))
			break;
		cb->args[0]++;
	}
	return skb->len;
}
