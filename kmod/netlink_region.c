// SPDX-License-Identifier: GPL-2.0
/* Requests that make, change and end a region. */
#include <linux/netlink.h>
#include <linux/sched/mm.h>
#include "netlink.h"
#include "process.h"

static u32 get_u32(const struct nlattr *attr, u32 otherwise)
{
	return attr ? nla_get_u32(attr) : otherwise;
}

/* ---- new ---- */

static int check_source(const struct genl_info *info, u32 flags)
{
	if (info->attrs[MEMSYNC_A_FROM]) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[MEMSYNC_A_FROM],
				    "only a sink takes from somebody");
		return -EINVAL;
	}
	if (flags & MEMSYNC_REGION_F_OPEN) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[MEMSYNC_A_FLAGS],
				    "only a sink can be open");
		return -EINVAL;
	}
	if (flags & MEMSYNC_REGION_F_FOLLOW_FILES && !(flags & MEMSYNC_REGION_F_FOLLOW)) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[MEMSYNC_A_FLAGS],
				    "only a source that follows its process follows its files");
		return -EINVAL;
	}
	return 0;
}

static int check_sink(const struct genl_info *info, u32 flags)
{
	if (info->attrs[MEMSYNC_A_INTERVAL_US]) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[MEMSYNC_A_INTERVAL_US],
				    "only a source makes passes");
		return -EINVAL;
	}
	if (flags & MEMSYNC_REGION_F_PAUSED) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[MEMSYNC_A_FLAGS],
				    "only a source can be paused");
		return -EINVAL;
	}
	if (flags & MEMSYNC_REGION_F_SHIPPED) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[MEMSYNC_A_FLAGS],
				    "only a source is shipped");
		return -EINVAL;
	}
	if (flags & (MEMSYNC_REGION_F_FOLLOW | MEMSYNC_REGION_F_FOLLOW_FILES)) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[MEMSYNC_A_FLAGS],
				    "only a source follows its process");
		return -EINVAL;
	}
	if (flags & MEMSYNC_REGION_F_COMPARE) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[MEMSYNC_A_FLAGS],
				    "only a source is compared with what was shipped");
		return -EINVAL;
	}
	return 0;
}

/* What the policy cannot say: which attributes fit together. */
static int check_new(struct genl_info *info, const struct memsync_region_params *p)
{
	int err;

	if (p->role == MEMSYNC_ROLE_SOURCE)
		err = check_source(info, p->flags);
	else
		err = check_sink(info, p->flags);
	if (err)
		return err;
	if (info->attrs[MEMSYNC_A_MAX_SIZE] && !(p->flags & MEMSYNC_REGION_F_OPEN)) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[MEMSYNC_A_MAX_SIZE],
				    "only an open sink has a largest size");
		return -EINVAL;
	}
	return 0;
}

static int parse_new(struct genl_info *info, struct memsync_region_params *p)
{
	struct nlattr **attrs = info->attrs;

	if (memsync_nl_missing(info, MEMSYNC_A_NAME) ||
	    memsync_nl_missing(info, MEMSYNC_A_ROLE) ||
	    memsync_nl_missing(info, MEMSYNC_A_PID))
		return -EINVAL;
	*p = (struct memsync_region_params){
		.name = nla_data(attrs[MEMSYNC_A_NAME]),
		.role = nla_get_u32(attrs[MEMSYNC_A_ROLE]),
		.flags = get_u32(attrs[MEMSYNC_A_FLAGS], 0),
		.interval_us = get_u32(attrs[MEMSYNC_A_INTERVAL_US], MEMSYNC_DEFAULT_INTERVAL_US),
		.pid_nr = nla_get_u32(attrs[MEMSYNC_A_PID]),
	};
	if (attrs[MEMSYNC_A_MAX_SIZE])
		p->max_size = nla_get_u64(attrs[MEMSYNC_A_MAX_SIZE]);
	return check_new(info, p);
}

/* Is it the process that was meant, and may the sender have it? */
static int check_process(const struct sk_buff *skb, const struct genl_info *info,
			 const struct memsync_process *process)
{
	const struct nlattr *start = info->attrs[MEMSYNC_A_PID_START];

	if (!memsync_nl_may_access(skb, process->user_ns)) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[MEMSYNC_A_PID],
				    "CAP_SYS_PTRACE in the process's user namespace is needed");
		return -EPERM;
	}
	if (start && nla_get_u64(start) != process->start) {
		NL_SET_ERR_MSG_ATTR(info->extack, start,
				    "process was replaced by another of the same number");
		return -ESRCH;
	}
	return 0;
}

static int put_id(struct sk_buff *msg, const void *arg)
{
	const struct memsync_region *region = arg;

	return nla_put_u32(msg, MEMSYNC_A_ID, region->id);
}

/* Answers with the id, without which nobody would know of the region. */
static int list_new(struct genl_info *info, const struct memsync_region_params *p)
{
	struct memsync_region *region;
	int err;

	region = memsync_region_new(genl_info_net(info), p, info->extack);
	if (IS_ERR(region)) {
		NL_SET_BAD_ATTR(info->extack, info->attrs[MEMSYNC_A_NAME]);
		return PTR_ERR(region);
	}
	err = memsync_nl_reply(info, put_id, region);
	if (err)
		memsync_region_del(region);
	memsync_region_put(region);
	return err;
}

int memsync_nl_region_new(struct sk_buff *skb, struct genl_info *info, struct memsync_region *none)
{
	struct memsync_region_params p;
	struct memsync_process process;
	int err;

	err = parse_new(info, &p);
	if (err)
		return err;
	err = memsync_process_find(p.pid_nr, &process, info->extack);
	if (err) {
		NL_SET_BAD_ATTR(info->extack, info->attrs[MEMSYNC_A_PID]);
		return err;
	}
	p.pid = process.pid;
	p.pid_start = process.start;
	p.mm = process.mm;
	p.user_ns = process.user_ns;
	err = check_process(skb, info, &process);
	if (!err)
		err = memsync_nl_get_from(info, &p.from, &p.nr_from);
	if (!err)
		err = list_new(info, &p);
	memsync_process_put(&process);
	return err;
}

/* ---- later ---- */

int memsync_nl_region_del(struct sk_buff *skb, struct genl_info *info,
			  struct memsync_region *region)
{
	memsync_region_del(region);
	return 0;
}

int memsync_nl_region_set(struct sk_buff *skb, struct genl_info *info,
			  struct memsync_region *region)
{
	const struct nlattr *flags = info->attrs[MEMSYNC_A_FLAGS];
	const struct nlattr *interval = info->attrs[MEMSYNC_A_INTERVAL_US];

	if (interval && region->role == MEMSYNC_ROLE_SINK) {
		NL_SET_ERR_MSG_ATTR(info->extack, interval, "only a source makes passes");
		return -EOPNOTSUPP;
	}
	return memsync_region_set(region, flags ? nla_data(flags) : NULL,
				  interval ? nla_data(interval) : NULL, info->extack);
}

int memsync_nl_region_start(struct sk_buff *skb, struct genl_info *info,
			    struct memsync_region *region)
{
	return memsync_region_start(region, info->extack);
}
