// SPDX-License-Identifier: GPL-2.0
/* Ranges of a region. */
#include <linux/netlink.h>
#include "netlink.h"

int memsync_nl_range_add(struct sk_buff *skb, struct genl_info *info,
			 struct memsync_region *region)
{
	int err;

	if (memsync_nl_missing(info, MEMSYNC_A_START) || memsync_nl_missing(info, MEMSYNC_A_END))
		return -EINVAL;
	err = memsync_region_add_range(region, nla_get_u64(info->attrs[MEMSYNC_A_START]),
				       nla_get_u64(info->attrs[MEMSYNC_A_END]), info->extack);
	if (err)
		NL_SET_BAD_ATTR(info->extack, info->attrs[MEMSYNC_A_START]);
	return err;
}

static int put_u64(struct sk_buff *skb, int attr, u64 value)
{
	return nla_put_u64_64bit(skb, attr, value, MEMSYNC_A_PAD);
}

/* How many ranges are listed as such: while a sink waits for its first source, none. */
static unsigned int listed(const struct memsync_region *region)
{
	return region->state == MEMSYNC_REGION_WAITING ? 0 : region->nr_ranges;
}

/* Range number @index by address; false when there are no more. */
static bool put_range(struct sk_buff *skb, const struct memsync_region *region,
		      struct memsync_nl_dump *at, int *err)
{
	const struct memsync_range *r = region->ranges + at->index;

	if (at->index >= listed(region))
		return false;
	*err = put_u64(skb, MEMSYNC_A_START, r->start) ?:
	       put_u64(skb, MEMSYNC_A_END, r->end) ?:
	       put_u64(skb, MEMSYNC_A_OFFSET, r->offset);
	return true;
}

/*
 * What an open sink's source offers beyond the ranges that it has, in the order
 * of the replica.
 */
static bool put_offered(struct sk_buff *skb, const struct memsync_region *region,
			struct memsync_nl_dump *at, int *err)
{
	unsigned int index = region->nr_accepted + at->index - listed(region);
	u64 length;

	if (index >= region->nr_offered)
		return false;
	if (index == region->nr_accepted)
		at->offset = region->size_accepted;
	length = region->offered[index];
	*err = put_u64(skb, MEMSYNC_A_OFFSET, at->offset) ?:
	       put_u64(skb, MEMSYNC_A_LENGTH, length);
	if (!*err)
		at->offset += length;
	return true;
}

/* Returns false when this was not a range but the end of them, or of the buffer. */
static bool dump_one(struct sk_buff *skb, struct netlink_callback *cb,
		     const struct memsync_region *region)
{
	struct memsync_nl_dump *at = memsync_nl_dump(cb);
	void *hdr = memsync_nl_dump_put(skb, cb);
	int err = 0;
	bool more;

	if (!hdr)
		return false;
	more = put_range(skb, region, at, &err) || put_offered(skb, region, at, &err);
	if (!more || err) {
		genlmsg_cancel(skb, hdr);
		return false;
	}
	genlmsg_end(skb, hdr);
	at->index++;
	return true;
}

int memsync_nl_range_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct memsync_region *region = memsync_nl_dump(cb)->region;
	bool more;

	mutex_lock(&region->lock);
	do
		more = dump_one(skb, cb, region);
	while (more);
	mutex_unlock(&region->lock);
	return skb->len;
}
