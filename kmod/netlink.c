// SPDX-License-Identifier: GPL-2.0
/* From a netlink request to its handler: finds the region, checks who asks, answers. */
#include <linux/capability.h>
#include <linux/netlink.h>
#include <net/sock.h>
#include "netlink.h"

/* Whose request it is, and how its handler is called. */
enum subject {
	NOBODY,
	REGION,		/* of either role, also GONE */
	SOURCE,		/* alive, region->lock held */
	SINK,		/* alive, region->lock held */
};

static const struct request {
	memsync_nl_handler *run;
	enum subject subject;
} requests[] = {
	[MEMSYNC_CMD_INFO]		= { memsync_nl_info, NOBODY },
	[MEMSYNC_CMD_REGION_NEW]	= { memsync_nl_region_new, NOBODY },
	[MEMSYNC_CMD_REGION_DEL]	= { memsync_nl_region_del, REGION },
	[MEMSYNC_CMD_REGION_SET]	= { memsync_nl_region_set, REGION },
	[MEMSYNC_CMD_REGION_START]	= { memsync_nl_region_start, REGION },
	[MEMSYNC_CMD_REGION_GET]	= { memsync_nl_region_get, REGION },
	[MEMSYNC_CMD_RANGE_ADD]		= { memsync_nl_range_add, REGION },
	[MEMSYNC_CMD_PEER_ADD]		= { memsync_nl_peer_add, SOURCE },
	[MEMSYNC_CMD_PEER_DEL]		= { memsync_nl_peer_del, SOURCE },
	[MEMSYNC_CMD_LISTENER_NEW]	= { memsync_nl_listener_new, NOBODY },
	[MEMSYNC_CMD_LISTENER_DEL]	= { memsync_nl_listener_del, NOBODY },
	[MEMSYNC_CMD_BARRIER_START]	= { memsync_nl_barrier_start, SOURCE },
	[MEMSYNC_CMD_VERIFY_START]	= { memsync_nl_verify_start, SOURCE },
	[MEMSYNC_CMD_HOLD]		= { memsync_nl_hold, SINK },
	[MEMSYNC_CMD_RELEASE]		= { memsync_nl_release, SINK },
	[MEMSYNC_CMD_REFUSE]		= { memsync_nl_refuse, SINK },
};

bool memsync_nl_missing(struct genl_info *info, int attr)
{
	if (!GENL_REQ_ATTR_CHECK(info, attr))
		return false;
	GENL_SET_ERR_MSG(info, "a required attribute is missing");
	return true;
}

/* ---- the region ---- */

/*
 * CAP_NET_ADMIN, which the core has checked, is about the network. This is about
 * memory: who may ptrace the process may have it shipped or written. The root of
 * a user namespace of its own can do so to processes of that namespace only.
 */
bool memsync_nl_may_access(const struct sk_buff *skb, struct user_namespace *user_ns)
{
	return netlink_ns_capable(skb, user_ns, CAP_SYS_PTRACE);
}

static struct memsync_region *get_by_id(struct net *net, const struct nlattr *id,
					struct netlink_ext_ack *extack)
{
	struct memsync_region *region = memsync_region_get_id(net, nla_get_u32(id));

	if (!region)
		NL_SET_ERR_MSG_ATTR_FMT(extack, id, "no region has id %u", nla_get_u32(id));
	return region;
}

static struct memsync_region *get_by_name(struct net *net, const struct nlattr *name,
					  enum memsync_role role, struct netlink_ext_ack *extack)
{
	static const char * const what[] = {
		"region",
		[MEMSYNC_ROLE_SOURCE] = "source",
		[MEMSYNC_ROLE_SINK] = "sink",
	};
	struct memsync_region *region = memsync_region_get_name(net, nla_data(name), role);

	if (!region)
		NL_SET_ERR_MSG_ATTR_FMT(extack, name, "no %s named %s", what[role],
					(const char *)nla_data(name));
	return region;
}

static struct memsync_region *get_named(struct net *net, struct nlattr **attrs,
					enum memsync_role role, struct netlink_ext_ack *extack)
{
	struct memsync_region *region;

	if (!attrs[MEMSYNC_A_ID] == !attrs[MEMSYNC_A_NAME]) {
		NL_SET_ERR_MSG(extack, "a region is named by either its id or its name");
		if (!attrs[MEMSYNC_A_ID])
			NL_SET_ERR_ATTR_MISS(extack, NULL, MEMSYNC_A_NAME);
		return ERR_PTR(-EINVAL);
	}
	if (attrs[MEMSYNC_A_ROLE])
		role = nla_get_u32(attrs[MEMSYNC_A_ROLE]);
	if (attrs[MEMSYNC_A_ID])
		region = get_by_id(net, attrs[MEMSYNC_A_ID], extack);
	else
		region = get_by_name(net, attrs[MEMSYNC_A_NAME], role, extack);
	return region ?: ERR_PTR(-ENOENT);
}

/* @role: what the request is for; a name without a role means that one. */
static struct memsync_region *get_region(const struct sk_buff *skb, struct nlattr **attrs,
					 enum memsync_role role, struct netlink_ext_ack *extack)
{
	struct memsync_region *region = get_named(sock_net(skb->sk), attrs, role, extack);

	if (IS_ERR(region) || memsync_nl_may_access(skb, region->user_ns))
		return region;
	NL_SET_ERR_MSG(extack, "CAP_SYS_PTRACE in the process's user namespace is needed");
	memsync_region_put(region);
	return ERR_PTR(-EPERM);
}

/* ---- requests ---- */

static int check_role(const struct memsync_region *region, enum memsync_role role,
		      struct netlink_ext_ack *extack)
{
	if (region->role == role)
		return 0;
	if (role == MEMSYNC_ROLE_SOURCE)
		NL_SET_ERR_MSG(extack, "region is a sink: only a source can do this");
	else
		NL_SET_ERR_MSG(extack, "region is a source: only a sink can do this");
	return -EOPNOTSUPP;
}

static int run_locked(const struct request *request, struct sk_buff *skb, struct genl_info *info,
		      struct memsync_region *region, enum memsync_role role)
{
	int err = check_role(region, role, info->extack);

	if (err)
		return err;
	mutex_lock(&region->lock);
	err = memsync_region_check_live(region, info->extack);
	if (!err)
		err = request->run(skb, info, region);
	mutex_unlock(&region->lock);
	return err;
}

static int run_for_region(const struct request *request, struct sk_buff *skb,
			  struct genl_info *info)
{
	enum memsync_role role = request->subject == SOURCE ? MEMSYNC_ROLE_SOURCE :
				 request->subject == SINK ? MEMSYNC_ROLE_SINK : 0;
	struct memsync_region *region = get_region(skb, info->attrs, role, info->extack);
	int err;

	if (IS_ERR(region))
		return PTR_ERR(region);
	if (role)
		err = run_locked(request, skb, info, region, role);
	else
		err = request->run(skb, info, region);
	memsync_region_put(region);
	return err;
}

static int run(const struct request *request, struct sk_buff *skb, struct genl_info *info)
{
	if (request->subject == NOBODY)
		return request->run(skb, info, NULL);
	return run_for_region(request, skb, info);
}

int memsync_nl_do(struct sk_buff *skb, struct genl_info *info)
{
	char text[NETLINK_MAX_FMTMSG_LEN];
	int err;

	nl_extack_lend(info->extack, text);
	err = run(&requests[info->genlhdr->cmd], skb, info);
	if (err == -EINTR) {	/* to netlink's core that means: send no answer */
		GENL_SET_ERR_MSG(info, "interrupted by a signal; try again");
		err = -EAGAIN;
	}
	return nl_extack_reclaim(skb, info->nlhdr, err, info->extack);
}

int memsync_nl_reply(struct genl_info *info, int (*fill)(struct sk_buff *msg, const void *arg),
		     const void *arg)
{
	struct sk_buff *msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	void *hdr;

	if (!msg)
		return -ENOMEM;
	hdr = genlmsg_put_reply(msg, info, &memsync_nl_family, 0, info->genlhdr->cmd);
	if (!hdr || fill(msg, arg)) {
		nlmsg_free(msg);
		return -EMSGSIZE;
	}
	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);
}

/* ---- dumps ---- */

static int dump_start(struct netlink_callback *cb, struct nlattr **attrs,
		      struct netlink_ext_ack *extack)
{
	struct memsync_region *region = get_region(cb->skb, attrs, 0, extack);

	if (IS_ERR(region))
		return PTR_ERR(region);
	*memsync_nl_dump(cb) = (struct memsync_nl_dump){ .region = region };
	return 0;
}

int memsync_nl_dump_start(struct netlink_callback *cb)
{
	const struct genl_info *info = genl_info_dump(cb);
	struct netlink_ext_ack none = {};
	struct netlink_ext_ack *extack = info->extack ?: &none;
	char text[NETLINK_MAX_FMTMSG_LEN];
	int err;

	nl_extack_lend(extack, text);
	err = dump_start(cb, info->attrs, extack);
	return nl_extack_reclaim(cb->skb, cb->nlh, err, extack);
}

int memsync_nl_dump_done(struct netlink_callback *cb)
{
	memsync_region_put(memsync_nl_dump(cb)->region);
	return 0;
}

void *memsync_nl_dump_put(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct genlmsghdr *hdr = nlmsg_data(cb->nlh);

	return genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			   &memsync_nl_family, NLM_F_MULTI, hdr->cmd);
}
