// SPDX-License-Identifier: GPL-2.0
/* What a region looks like from outside: region-get. */
#include <linux/netlink.h>
#include <net/sock.h>
#include <linux/pid.h>
#include "netlink.h"
#include "session.h"
#include "track.h"

int memsync_nl_put_region_key(struct sk_buff *skb, const struct memsync_region *region)
{
	return nla_put_u32(skb, MEMSYNC_A_ID, region->id) ?:
	       nla_put_string(skb, MEMSYNC_A_NAME, region->name) ?:
	       nla_put_u32(skb, MEMSYNC_A_ROLE, region->role);
}

static int put_u64(struct sk_buff *skb, int attr, u64 value)
{
	return nla_put_u64_64bit(skb, attr, value, MEMSYNC_A_PAD);
}

/* ---- state ---- */

static int put_process(struct sk_buff *skb, const struct memsync_region *region, u32 pid)
{
	int err = 0;

	if (pid)	/* else the reader's pid namespace does not have it */
		err = nla_put_u32(skb, MEMSYNC_A_PID, pid);
	return err ?: put_u64(skb, MEMSYNC_A_PID_START, region->pid_start);
}

static int put_state(struct sk_buff *skb, const struct memsync_region *region)
{
	int err = nla_put_u32(skb, MEMSYNC_A_STATE, region->state);

	if (!err && *region->reason)
		err = nla_put_string(skb, MEMSYNC_A_REASON, region->reason);
	return err;
}

static int put_settings(struct sk_buff *skb, const struct memsync_region *region)
{
	int err = nla_put_u32(skb, MEMSYNC_A_FLAGS, region->flags);

	if (!err && region->role == MEMSYNC_ROLE_SOURCE)
		err = nla_put_u32(skb, MEMSYNC_A_INTERVAL_US, region->interval_us);
	if (!err && region->max_size)
		err = put_u64(skb, MEMSYNC_A_MAX_SIZE, region->max_size);
	return err;
}

static int put_barrier(struct sk_buff *skb, const struct memsync_region *region)
{
	int err = nla_put_u8(skb, MEMSYNC_A_MID_PASS, region->mid_pass);

	if (err || !region->barrier_id)
		return err;
	return put_u64(skb, MEMSYNC_A_BARRIER_ID, region->barrier_id) ?:
	       put_u64(skb, MEMSYNC_A_BARRIER_TIME, region->barrier_time);
}

int memsync_nl_put_region(struct sk_buff *skb, const struct memsync_region *region, u32 pid)
{
	lockdep_assert_held(&region->lock);
	return memsync_nl_put_region_key(skb, region) ?:
	       put_process(skb, region, pid) ?:
	       put_state(skb, region) ?:
	       put_settings(skb, region) ?:
	       put_u64(skb, MEMSYNC_A_PAGES, region->size >> PAGE_SHIFT) ?:
	       put_barrier(skb, region);
}

/* ---- usage ---- */

static u64 dirty_pages(struct memsync_region *region)
{
	if (region->track)
		return memsync_track_dirty_pages(region->track);
	return memsync_session_dirty_pages(region);
}

static u64 write_faults(struct memsync_region *region)
{
	if (region->track)
		return region->past_write_faults + memsync_track_write_faults(region->track);
	return region->past_write_faults + memsync_session_write_faults(region);
}

static u64 tracking_bytes(struct memsync_region *region)
{
	if (region->track)
		return memsync_track_bytes(region->track);
	return memsync_session_tracking_bytes(region);
}

static int put_counters(struct sk_buff *skb, const struct memsync_stats *stats)
{
	const struct {
		int attr;
		const atomic64_t *value;
	} counters[] = {
		{ MEMSYNC_STATS_PASSES, &stats->passes },
		{ MEMSYNC_STATS_HARVEST_NS, &stats->harvest_ns },
		{ MEMSYNC_STATS_HARVESTED_PAGES, &stats->harvested_pages },
		{ MEMSYNC_STATS_SHIPPED_PAGES, &stats->shipped_pages },
		{ MEMSYNC_STATS_SHIPPED_BYTES, &stats->shipped_bytes },
		{ MEMSYNC_STATS_ZERO_PAGES, &stats->zero_pages },
		{ MEMSYNC_STATS_APPLIED_PAGES, &stats->applied_pages },
		{ MEMSYNC_STATS_RECONNECTS, &stats->reconnects },
		{ MEMSYNC_STATS_RESYNC_PAGES, &stats->resync_pages },
		{ MEMSYNC_STATS_LAST_BARRIER_NS, &stats->last_barrier_ns },
	};
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(counters) && !err; i++)
		err = nla_put_u64_64bit(skb, counters[i].attr, atomic64_read(counters[i].value),
					MEMSYNC_STATS_PAD);
	return err;
}

static int put_stats(struct sk_buff *skb, struct memsync_region *region)
{
	bool source = region->role == MEMSYNC_ROLE_SOURCE;
	struct nlattr *nest = nla_nest_start(skb, MEMSYNC_A_STATS);
	int err;

	if (!nest)
		return -EMSGSIZE;
	err = nla_put_u64_64bit(skb, MEMSYNC_STATS_WRITE_FAULTS,
				source ? write_faults(region) : 0, MEMSYNC_STATS_PAD) ?:
	      nla_put_u64_64bit(skb, MEMSYNC_STATS_TRACKING_BYTES,
				source ? tracking_bytes(region) : 0, MEMSYNC_STATS_PAD) ?:
	      put_counters(skb, &region->stats);
	if (!err)
		nla_nest_end(skb, nest);
	return err;
}

static int put_all_from(struct sk_buff *skb, const struct memsync_region *region)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < region->nr_from && !err; i++)
		err = memsync_nl_put_from(skb, &region->from[i]);
	return err;
}

/* All there is to tell, to the current process. */
static int put_all(struct sk_buff *skb, struct memsync_region *region)
{
	bool source = region->role == MEMSYNC_ROLE_SOURCE;
	int err;

	mutex_lock(&region->lock);
	err = memsync_nl_put_region(skb, region, pid_vnr(region->pid)) ?:
	      put_u64(skb, MEMSYNC_A_DIRTY, source ? dirty_pages(region) : 0) ?:
	      put_stats(skb, region) ?:
	      put_all_from(skb, region);
	mutex_unlock(&region->lock);
	return err;
}

/* ---- requests ---- */

static int fill(struct sk_buff *msg, const void *arg)
{
	return put_all(msg, (struct memsync_region *)arg);
}

int memsync_nl_region_get(struct sk_buff *skb, struct genl_info *info,
			  struct memsync_region *region)
{
	return memsync_nl_reply(info, fill, region);
}

static bool is_wanted(const struct memsync_region *region, struct nlattr **attrs)
{
	if (attrs[MEMSYNC_A_ID] && nla_get_u32(attrs[MEMSYNC_A_ID]) != region->id)
		return false;
	if (attrs[MEMSYNC_A_NAME] && nla_strcmp(attrs[MEMSYNC_A_NAME], region->name))
		return false;
	return !attrs[MEMSYNC_A_ROLE] || nla_get_u32(attrs[MEMSYNC_A_ROLE]) == region->role;
}

static int dump_one(struct sk_buff *skb, struct netlink_callback *cb,
		    struct memsync_region *region)
{
	void *hdr = memsync_nl_dump_put(skb, cb);

	if (!hdr)
		return -EMSGSIZE;
	if (put_all(skb, region)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

/* cb->args[0] is the id of the last region that was told of or left out. */
int memsync_nl_region_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct genl_info *info = genl_info_dump(cb);
	struct memsync_region *region;
	int err = 0;

	while (!err && (region = memsync_region_next(sock_net(cb->skb->sk), cb->args[0]))) {
		if (is_wanted(region, info->attrs) &&
		    memsync_nl_may_access(cb->skb, region->user_ns))
			err = dump_one(skb, cb, region);
		if (!err)
			cb->args[0] = region->id;
		memsync_region_put(region);
	}
	return skb->len ?: err;
}
