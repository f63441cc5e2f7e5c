// SPDX-License-Identifier: GPL-2.0
/* The generic netlink family: what each operation takes, and who may ask. */
#include <linux/ctype.h>
#include <linux/netlink.h>
#include "netlink.h"

#define FLAGS (MEMSYNC_REGION_F_PLAINTEXT | MEMSYNC_REGION_F_OPEN | \
	       MEMSYNC_REGION_F_PAUSED | MEMSYNC_REGION_F_SHIPPED | \
	       MEMSYNC_REGION_F_FOLLOW | MEMSYNC_REGION_F_FOLLOW_FILES | \
	       MEMSYNC_REGION_F_COMPARE)

/* ---- values ---- */

static bool may_be_in_name(char c)
{
	return isascii(c) && (isalnum(c) || strchr("._@-", c));
}

static int check_name(const struct nlattr *attr, struct netlink_ext_ack *extack)
{
	const char *c = nla_data(attr);

	if (!*c) {
		NL_SET_ERR_MSG_ATTR(extack, attr, "name is empty");
		return -EINVAL;
	}
	for (; *c; c++) {
		if (may_be_in_name(*c))
			continue;
		NL_SET_ERR_MSG_ATTR(extack, attr, "name has other characters than A-Za-z0-9._@-");
		return -EINVAL;
	}
	return 0;
}

/* Reasons are printed on terminals and in logs, also at the peer's. */
static int check_text(const struct nlattr *attr, struct netlink_ext_ack *extack)
{
	const char *c;

	for (c = nla_data(attr); *c; c++) {
		if (!iscntrl(*c))
			continue;
		NL_SET_ERR_MSG_ATTR(extack, attr, "text has control characters");
		return -EINVAL;
	}
	return 0;
}

/* Not const, as 6.1's policies do not take it so. */
static struct netlink_range_validation interval_range = { .max = 60 * USEC_PER_SEC };
static struct netlink_range_validation timeout_range = { .min = 1, .max = 3600 * MSEC_PER_SEC };
static struct netlink_range_validation pid_range = { .min = 1, .max = S32_MAX };

#define NAME		NLA_POLICY_VALIDATE_FN(NLA_NUL_STRING, check_name, MEMSYNC_NAME_MAX)
#define TEXT		NLA_POLICY_VALIDATE_FN(NLA_NUL_STRING, check_text, MEMSYNC_REASON_MAX)
#define ROLE		NLA_POLICY_RANGE(NLA_U32, MEMSYNC_ROLE_SOURCE, MEMSYNC_ROLE_SINK)
#define INTERVAL	NLA_POLICY_FULL_RANGE(NLA_U32, &interval_range)

#define WHICH_REGION						\
	[MEMSYNC_A_ID]		= NLA_POLICY_MIN(NLA_U32, 1),	\
	[MEMSYNC_A_NAME]	= NAME,				\
	[MEMSYNC_A_ROLE]	= ROLE

/* ---- attributes of each operation; any other is rejected ---- */

static const struct nla_policy region_policy[] = {
	WHICH_REGION,
};

static const struct nla_policy region_new_policy[] = {
	[MEMSYNC_A_NAME]	= NAME,
	[MEMSYNC_A_ROLE]	= ROLE,
	[MEMSYNC_A_PID]		= NLA_POLICY_FULL_RANGE(NLA_U32, &pid_range),
	[MEMSYNC_A_PID_START]	= { .type = NLA_U64 },
	[MEMSYNC_A_FLAGS]	= NLA_POLICY_MASK(NLA_U32, FLAGS),
	[MEMSYNC_A_INTERVAL_US]	= INTERVAL,
	[MEMSYNC_A_MAX_SIZE]	= { .type = NLA_U64 },
	[MEMSYNC_A_FROM]	= NLA_POLICY_NESTED(memsync_nl_from_policy),
};

static const struct nla_policy region_set_policy[] = {
	WHICH_REGION,
	[MEMSYNC_A_FLAGS]	= NLA_POLICY_MASK(NLA_U32, FLAGS),
	[MEMSYNC_A_INTERVAL_US]	= INTERVAL,
};

static const struct nla_policy range_add_policy[] = {
	WHICH_REGION,
	[MEMSYNC_A_START]	= { .type = NLA_U64 },
	[MEMSYNC_A_END]		= { .type = NLA_U64 },
};

static const struct nla_policy peer_policy[] = {
	WHICH_REGION,
	[MEMSYNC_A_ADDR]	= NLA_POLICY_NESTED(memsync_nl_addr_policy),
	[MEMSYNC_A_PEER_NAME]	= NAME,
};

static const struct nla_policy listener_new_policy[] = {
	[MEMSYNC_A_ADDR]	= NLA_POLICY_NESTED(memsync_nl_addr_policy),
	[MEMSYNC_A_PLAINTEXT]	= NLA_POLICY_MAX(NLA_U8, 1),
};

static const struct nla_policy listener_del_policy[] = {
	[MEMSYNC_A_ADDR]	= NLA_POLICY_NESTED(memsync_nl_addr_policy),
};

static const struct nla_policy hold_policy[] = {
	WHICH_REGION,
	[MEMSYNC_A_TIMEOUT_MS]	= NLA_POLICY_FULL_RANGE(NLA_U32, &timeout_range),
};

static const struct nla_policy refuse_policy[] = {
	WHICH_REGION,
	[MEMSYNC_A_REASON]	= TEXT,
};

/* ---- operations ---- */

#define POLICY(p)	.policy = (p), .maxattr = ARRAY_SIZE(p) - 1
#define DO		.flags = GENL_ADMIN_PERM, .doit = memsync_nl_do
#define DUMP(fn)	.flags = GENL_ADMIN_PERM, .dumpit = (fn)
#define DUMP_PARTS(fn)	DUMP(fn), .start = memsync_nl_dump_start, .done = memsync_nl_dump_done

static const struct genl_ops ops[] = {
	{ .cmd = MEMSYNC_CMD_INFO, DO },
	{ .cmd = MEMSYNC_CMD_REGION_NEW, POLICY(region_new_policy), DO },
	{ .cmd = MEMSYNC_CMD_REGION_DEL, POLICY(region_policy), DO },
	{ .cmd = MEMSYNC_CMD_REGION_SET, POLICY(region_set_policy), DO },
	{ .cmd = MEMSYNC_CMD_REGION_START, POLICY(region_policy), DO },
	{
		.cmd = MEMSYNC_CMD_REGION_GET,
		POLICY(region_policy),
		.doit = memsync_nl_do,
		DUMP(memsync_nl_region_dump),
	},
	{ .cmd = MEMSYNC_CMD_RANGE_ADD, POLICY(range_add_policy), DO },
	{ .cmd = MEMSYNC_CMD_RANGE_GET, POLICY(region_policy), DUMP_PARTS(memsync_nl_range_dump) },
	{ .cmd = MEMSYNC_CMD_PEER_ADD, POLICY(peer_policy), DO },
	{ .cmd = MEMSYNC_CMD_PEER_DEL, POLICY(peer_policy), DO },
	{ .cmd = MEMSYNC_CMD_PEER_GET, POLICY(region_policy), DUMP_PARTS(memsync_nl_peer_dump) },
	{ .cmd = MEMSYNC_CMD_LISTENER_NEW, POLICY(listener_new_policy), DO },
	{ .cmd = MEMSYNC_CMD_LISTENER_DEL, POLICY(listener_del_policy), DO },
	{ .cmd = MEMSYNC_CMD_LISTENER_GET, DUMP(memsync_nl_listener_dump) },
	{ .cmd = MEMSYNC_CMD_BARRIER_START, POLICY(region_policy), DO },
	{ .cmd = MEMSYNC_CMD_VERIFY_START, POLICY(region_policy), DO },
	{ .cmd = MEMSYNC_CMD_HOLD, POLICY(hold_policy), DO },
	{ .cmd = MEMSYNC_CMD_RELEASE, POLICY(region_policy), DO },
	{ .cmd = MEMSYNC_CMD_REFUSE, POLICY(refuse_policy), DO },
};

static const struct genl_multicast_group groups[] = {
	{ .name = MEMSYNC_MCGRP_EVENTS, .flags = GENL_MCAST_CAP_NET_ADMIN },
};

struct genl_family memsync_nl_family __ro_after_init = {
	.name = MEMSYNC_GENL_NAME,
	.version = MEMSYNC_GENL_VERSION,
	.netnsok = true,
	.parallel_ops = true,
	.ops = ops,
	.n_ops = ARRAY_SIZE(ops),
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
	.module = THIS_MODULE,
};

int memsync_netlink_init(void)
{
	int err = genl_register_family(&memsync_nl_family);

	if (!err)
		memsync_nl_events_open();
	return err;
}

void memsync_netlink_exit(void)
{
	memsync_nl_events_close();
	genl_unregister_family(&memsync_nl_family);
}
