// SPDX-License-Identifier: LGPL-2.1-or-later
/* From netlink attributes to structures, and addresses both ways. */
#include <errno.h>
#include <string.h>

#include <netlink/genl/genl.h>

#include "internal.h"

static const uint8_t types[MEMSYNC_A_MAX + 1] = {
	[MEMSYNC_A_ID] = NLA_U32,
	[MEMSYNC_A_NAME] = NLA_STRING,
	[MEMSYNC_A_ROLE] = NLA_U32,
	[MEMSYNC_A_STATE] = NLA_U32,
	[MEMSYNC_A_REASON] = NLA_STRING,
	[MEMSYNC_A_ERRNO] = NLA_U32,
	[MEMSYNC_A_PID] = NLA_U32,
	[MEMSYNC_A_PID_START] = NLA_U64,
	[MEMSYNC_A_FLAGS] = NLA_U32,
	[MEMSYNC_A_INTERVAL_US] = NLA_U32,
	[MEMSYNC_A_MAX_SIZE] = NLA_U64,
	[MEMSYNC_A_START] = NLA_U64,
	[MEMSYNC_A_END] = NLA_U64,
	[MEMSYNC_A_OFFSET] = NLA_U64,
	[MEMSYNC_A_LENGTH] = NLA_U64,
	[MEMSYNC_A_PAGES] = NLA_U64,
	[MEMSYNC_A_DIRTY] = NLA_U64,
	[MEMSYNC_A_LAG_PAGES] = NLA_U64,
	[MEMSYNC_A_BARRIER_ID] = NLA_U64,
	[MEMSYNC_A_BARRIER_TIME] = NLA_U64,
	[MEMSYNC_A_MID_PASS] = NLA_U8,
	[MEMSYNC_A_STATS] = NLA_NESTED,
	[MEMSYNC_A_FROM] = NLA_NESTED,
	[MEMSYNC_A_ADDR] = NLA_NESTED,
	[MEMSYNC_A_PEER_NAME] = NLA_STRING,
	[MEMSYNC_A_PEER_STATE] = NLA_U32,
	[MEMSYNC_A_PLAINTEXT] = NLA_U8,
	[MEMSYNC_A_COMPARED] = NLA_U64,
	[MEMSYNC_A_DIFFERENT] = NLA_U64,
	[MEMSYNC_A_CHANGING] = NLA_U64,
	[MEMSYNC_A_MISMATCH] = NLA_NESTED,
	[MEMSYNC_A_EVENT_TYPE] = NLA_U32,
	[MEMSYNC_A_EVENT_SEQ] = NLA_U64,
	[MEMSYNC_A_MODULE_VERSION] = NLA_STRING,
	[MEMSYNC_A_WIRE_MIN] = NLA_U32,
	[MEMSYNC_A_WIRE_MAX] = NLA_U32,
	[MEMSYNC_A_FEATURES] = NLA_U64,
	[MEMSYNC_A_HOOK_STATE] = NLA_U32,
	[MEMSYNC_A_MAX_REGIONS] = NLA_U32,
	[MEMSYNC_A_MAX_RANGES] = NLA_U32,
	[MEMSYNC_A_MAX_PEERS] = NLA_U32,
};

int ms_parse(struct nlmsghdr *nlh, struct nlattr *tb[MEMSYNC_A_MAX + 1])
{
	struct nla_policy policy[MEMSYNC_A_MAX + 1] = { };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++)
		policy[i].type = types[i];
	return genlmsg_parse(nlh, 0, tb, MEMSYNC_A_MAX, policy) < 0 ? -EPROTO : 0;
}

/* Absent ones read as 0; ms_parse() has checked their lengths. */
uint32_t ms_u32(const struct nlattr *attr)
{
	return attr ? nla_get_u32((struct nlattr *)attr) : 0;
}

uint64_t ms_u64(const struct nlattr *attr)
{
	return attr ? nla_get_u64((struct nlattr *)attr) : 0;
}

void ms_copy_string(char *to, size_t size, struct nlattr *attr)
{
	to[0] = '\0';
	if (attr)
		nla_strlcpy(to, attr, size);
}

int ms_parse_addr(struct nlattr *nest, struct memsync_addr *addr)
{
	struct nla_policy policy[MEMSYNC_ADDR_MAX + 1] = {
		[MEMSYNC_ADDR_IPV4] = { .minlen = sizeof(struct in_addr) },
		[MEMSYNC_ADDR_IPV6] = { .minlen = sizeof(struct in6_addr) },
		[MEMSYNC_ADDR_PORT] = { .type = NLA_U16 },
		[MEMSYNC_ADDR_SCOPE] = { .type = NLA_U32 },
		[MEMSYNC_ADDR_PREFIX] = { .type = NLA_U8 },
	};
	struct nlattr *tb[MEMSYNC_ADDR_MAX + 1];
	in_port_t port = 0;

	memset(addr, 0, sizeof(*addr));
	if (nla_parse_nested(tb, MEMSYNC_ADDR_MAX, nest, policy) < 0)
		return -EPROTO;
	if (tb[MEMSYNC_ADDR_PORT])
		port = htons(nla_get_u16(tb[MEMSYNC_ADDR_PORT]));
	if (tb[MEMSYNC_ADDR_IPV4]) {
		addr->in.sin_family = AF_INET;
		addr->in.sin_port = port;
		nla_memcpy(&addr->in.sin_addr, tb[MEMSYNC_ADDR_IPV4], sizeof(addr->in.sin_addr));
		addr->prefix = 32;
	} else if (tb[MEMSYNC_ADDR_IPV6]) {
		addr->in6.sin6_family = AF_INET6;
		addr->in6.sin6_port = port;
		nla_memcpy(&addr->in6.sin6_addr, tb[MEMSYNC_ADDR_IPV6],
			   sizeof(addr->in6.sin6_addr));
		addr->in6.sin6_scope_id = ms_u32(tb[MEMSYNC_ADDR_SCOPE]);
		addr->prefix = 128;
	}
	if (tb[MEMSYNC_ADDR_PREFIX])
		addr->prefix = nla_get_u8(tb[MEMSYNC_ADDR_PREFIX]);
	return 0;
}

static int put_host(struct nl_msg *msg, const struct memsync_addr *addr)
{
	if (addr->sa.sa_family == AF_INET)
		return nla_put(msg, MEMSYNC_ADDR_IPV4, sizeof(addr->in.sin_addr),
			       &addr->in.sin_addr);
	if (addr->sa.sa_family != AF_INET6)
		return -EAFNOSUPPORT;
	if (nla_put(msg, MEMSYNC_ADDR_IPV6, sizeof(addr->in6.sin6_addr), &addr->in6.sin6_addr))
		return -EMSGSIZE;
	if (!addr->in6.sin6_scope_id)
		return 0;
	return nla_put_u32(msg, MEMSYNC_ADDR_SCOPE, addr->in6.sin6_scope_id);
}

/* @prefix: it names who may connect, by prefix and without a port. */
int ms_put_addr(struct nl_msg *msg, int attr, const struct memsync_addr *addr, bool prefix)
{
	struct nlattr *nest = nla_nest_start(msg, attr | NLA_F_NESTED);
	int err;

	if (!nest)
		return -EMSGSIZE;
	err = put_host(msg, addr);
	if (!err && prefix)
		err = nla_put_u8(msg, MEMSYNC_ADDR_PREFIX, addr->prefix);
	else if (!err)	/* the port lies at one place in both families */
		err = nla_put_u16(msg, MEMSYNC_ADDR_PORT, ntohs(addr->in.sin_port));
	if (err)
		return err;
	nla_nest_end(msg, nest);
	return 0;
}

static int parse_stats(struct nlattr *nest, struct memsync_stats *stats)
{
	static const size_t at[MEMSYNC_STATS_MAX + 1] = {
		[MEMSYNC_STATS_WRITE_FAULTS] = offsetof(struct memsync_stats, write_faults),
		[MEMSYNC_STATS_PASSES] = offsetof(struct memsync_stats, passes),
		[MEMSYNC_STATS_HARVEST_NS] = offsetof(struct memsync_stats, harvest_ns),
		[MEMSYNC_STATS_HARVESTED_PAGES] = offsetof(struct memsync_stats, harvested_pages),
		[MEMSYNC_STATS_SHIPPED_PAGES] = offsetof(struct memsync_stats, shipped_pages),
		[MEMSYNC_STATS_SHIPPED_BYTES] = offsetof(struct memsync_stats, shipped_bytes),
		[MEMSYNC_STATS_ZERO_PAGES] = offsetof(struct memsync_stats, zero_pages),
		[MEMSYNC_STATS_APPLIED_PAGES] = offsetof(struct memsync_stats, applied_pages),
		[MEMSYNC_STATS_RECONNECTS] = offsetof(struct memsync_stats, reconnects),
		[MEMSYNC_STATS_RESYNC_PAGES] = offsetof(struct memsync_stats, resync_pages),
		[MEMSYNC_STATS_TRACKING_BYTES] = offsetof(struct memsync_stats, tracking_bytes),
		[MEMSYNC_STATS_LAST_BARRIER_NS] = offsetof(struct memsync_stats, last_barrier_ns),
	};
	struct nlattr *tb[MEMSYNC_STATS_MAX + 1];
	size_t i;

	if (nla_parse_nested(tb, MEMSYNC_STATS_MAX, nest, NULL) < 0)
		return -EPROTO;
	for (i = MEMSYNC_STATS_WRITE_FAULTS; i <= MEMSYNC_STATS_MAX; i++)
		if (tb[i] && nla_len(tb[i]) == sizeof(uint64_t))
			*(uint64_t *)((char *)stats + at[i]) = nla_get_u64(tb[i]);
	return 0;
}

/* They may come several times, so they are not in @tb. */
static int parse_from(struct nlmsghdr *nlh, struct memsync_region *region)
{
	struct nlattr *attr;
	int rest;

	nlmsg_for_each_attr(attr, nlh, GENL_HDRLEN, rest) {
		if (nla_type(attr) != MEMSYNC_A_FROM || region->nr_from == MEMSYNC_MAX_FROM)
			continue;
		if (ms_parse_addr(attr, &region->from[region->nr_from++]))
			return -EPROTO;
	}
	return 0;
}

int ms_parse_region(struct nlmsghdr *nlh, struct nlattr **tb, struct memsync_region *region)
{
	memset(region, 0, sizeof(*region));
	region->id = ms_u32(tb[MEMSYNC_A_ID]);
	region->pid = ms_u32(tb[MEMSYNC_A_PID]);
	region->pid_start = ms_u64(tb[MEMSYNC_A_PID_START]);
	region->role = ms_u32(tb[MEMSYNC_A_ROLE]);
	region->state = ms_u32(tb[MEMSYNC_A_STATE]);
	region->flags = ms_u32(tb[MEMSYNC_A_FLAGS]);
	region->interval_us = ms_u32(tb[MEMSYNC_A_INTERVAL_US]);
	region->max_size = ms_u64(tb[MEMSYNC_A_MAX_SIZE]);
	region->pages = ms_u64(tb[MEMSYNC_A_PAGES]);
	region->dirty = ms_u64(tb[MEMSYNC_A_DIRTY]);
	region->barrier_id = ms_u64(tb[MEMSYNC_A_BARRIER_ID]);
	region->barrier_time = ms_u64(tb[MEMSYNC_A_BARRIER_TIME]);
	region->mid_pass = tb[MEMSYNC_A_MID_PASS] && nla_get_u8(tb[MEMSYNC_A_MID_PASS]);
	ms_copy_string(region->name, sizeof(region->name), tb[MEMSYNC_A_NAME]);
	ms_copy_string(region->reason, sizeof(region->reason), tb[MEMSYNC_A_REASON]);
	if (tb[MEMSYNC_A_STATS] && parse_stats(tb[MEMSYNC_A_STATS], &region->stats))
		return -EPROTO;
	return parse_from(nlh, region);
}

int ms_parse_peer(struct nlattr **tb, struct memsync_peer *peer)
{
	memset(peer, 0, sizeof(*peer));
	peer->state = ms_u32(tb[MEMSYNC_A_PEER_STATE]);
	peer->plaintext = tb[MEMSYNC_A_PLAINTEXT] && nla_get_u8(tb[MEMSYNC_A_PLAINTEXT]);
	peer->lag_pages = ms_u64(tb[MEMSYNC_A_LAG_PAGES]);
	ms_copy_string(peer->name, sizeof(peer->name), tb[MEMSYNC_A_PEER_NAME]);
	ms_copy_string(peer->reason, sizeof(peer->reason), tb[MEMSYNC_A_REASON]);
	return tb[MEMSYNC_A_ADDR] ? ms_parse_addr(tb[MEMSYNC_A_ADDR], &peer->addr) : 0;
}

int ms_parse_listener(struct nlattr **tb, struct memsync_listener *listener)
{
	memset(listener, 0, sizeof(*listener));
	listener->plaintext = tb[MEMSYNC_A_PLAINTEXT] && nla_get_u8(tb[MEMSYNC_A_PLAINTEXT]);
	return tb[MEMSYNC_A_ADDR] ? ms_parse_addr(tb[MEMSYNC_A_ADDR], &listener->addr) : 0;
}
