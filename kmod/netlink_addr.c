// SPDX-License-Identifier: GPL-2.0
/* Addresses in netlink attributes: enum memsync_addr_attr. */
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/inet.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include "netlink.h"

const struct nla_policy memsync_nl_addr_policy[MEMSYNC_ADDR_MAX + 1] = {
	[MEMSYNC_ADDR_IPV4]	= NLA_POLICY_EXACT_LEN(sizeof(struct in_addr)),
	[MEMSYNC_ADDR_IPV6]	= NLA_POLICY_EXACT_LEN(sizeof(struct in6_addr)),
	[MEMSYNC_ADDR_PORT]	= NLA_POLICY_MIN(NLA_U16, 1),
	[MEMSYNC_ADDR_SCOPE]	= NLA_POLICY_MIN(NLA_U32, 1),
};

const struct nla_policy memsync_nl_from_policy[MEMSYNC_ADDR_MAX + 1] = {
	[MEMSYNC_ADDR_IPV4]	= NLA_POLICY_EXACT_LEN(sizeof(struct in_addr)),
	[MEMSYNC_ADDR_IPV6]	= NLA_POLICY_EXACT_LEN(sizeof(struct in6_addr)),
	[MEMSYNC_ADDR_PREFIX]	= NLA_POLICY_MAX(NLA_U8, 128),
};

static int parse(const struct nlattr *nest, struct nlattr **tb, const struct nla_policy *policy,
		 struct netlink_ext_ack *extack)
{
	int err = nla_parse_nested(tb, MEMSYNC_ADDR_MAX, nest, policy, extack);

	if (err)
		return err;
	if (!tb[MEMSYNC_ADDR_IPV4] == !tb[MEMSYNC_ADDR_IPV6]) {
		NL_SET_ERR_MSG_ATTR(extack, nest, "an address is either IPv4 or IPv6");
		return -EINVAL;
	}
	return 0;
}

/* ---- sockaddr ---- */

static void set_ipv4(struct sockaddr_storage *addr, __be32 ip, u16 port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)addr;

	in->sin_family = AF_INET;
	in->sin_addr.s_addr = ip;
	in->sin_port = htons(port);
}

static void set_ipv6(struct sockaddr_storage *addr, const struct in6_addr *ip, u16 port, u32 scope)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)addr;

	in6->sin6_family = AF_INET6;
	in6->sin6_addr = *ip;
	in6->sin6_port = htons(port);
	in6->sin6_scope_id = scope;
}

static int get_ipv6(struct nlattr **tb, u16 port, struct sockaddr_storage *addr,
		    struct netlink_ext_ack *extack)
{
	u32 scope = tb[MEMSYNC_ADDR_SCOPE] ? nla_get_u32(tb[MEMSYNC_ADDR_SCOPE]) : 0;
	struct in6_addr ip = nla_get_in6_addr(tb[MEMSYNC_ADDR_IPV6]);
	bool linklocal = ipv6_addr_type(&ip) & IPV6_ADDR_LINKLOCAL;

	if (linklocal != !!scope) {
		NL_SET_ERR_MSG_ATTR(extack, tb[MEMSYNC_ADDR_SCOPE] ?: tb[MEMSYNC_ADDR_IPV6],
				    "link-local addresses, and no others, have a scope");
		return -EINVAL;
	}
	if (ipv6_addr_v4mapped(&ip))	/* one address, one spelling */
		set_ipv4(addr, ip.s6_addr32[3], port);
	else
		set_ipv6(addr, &ip, port, scope);
	return 0;
}

int memsync_nl_get_addr(const struct nlattr *nest, struct sockaddr_storage *addr,
			struct netlink_ext_ack *extack)
{
	struct nlattr *tb[MEMSYNC_ADDR_MAX + 1];
	int err = parse(nest, tb, memsync_nl_addr_policy, extack);
	u16 port = MEMSYNC_DEFAULT_PORT;

	if (err)
		return err;
	if (tb[MEMSYNC_ADDR_PORT])
		port = nla_get_u16(tb[MEMSYNC_ADDR_PORT]);
	memset(addr, 0, sizeof(*addr));
	if (tb[MEMSYNC_ADDR_IPV6])
		return get_ipv6(tb, port, addr, extack);
	if (tb[MEMSYNC_ADDR_SCOPE]) {
		NL_SET_ERR_MSG_ATTR(extack, tb[MEMSYNC_ADDR_SCOPE], "IPv4 has no scope");
		return -EINVAL;
	}
	set_ipv4(addr, nla_get_in_addr(tb[MEMSYNC_ADDR_IPV4]), port);
	return 0;
}

static int put_ipv4(struct sk_buff *skb, const struct sockaddr_in *in)
{
	return nla_put_in_addr(skb, MEMSYNC_ADDR_IPV4, in->sin_addr.s_addr) ?:
	       nla_put_u16(skb, MEMSYNC_ADDR_PORT, ntohs(in->sin_port));
}

static int put_ipv6(struct sk_buff *skb, const struct sockaddr_in6 *in6)
{
	int err = nla_put_in6_addr(skb, MEMSYNC_ADDR_IPV6, &in6->sin6_addr) ?:
		  nla_put_u16(skb, MEMSYNC_ADDR_PORT, ntohs(in6->sin6_port));

	if (!err && in6->sin6_scope_id)
		err = nla_put_u32(skb, MEMSYNC_ADDR_SCOPE, in6->sin6_scope_id);
	return err;
}

int memsync_nl_put_addr(struct sk_buff *skb, int attr, const struct sockaddr_storage *addr)
{
	struct nlattr *nest = nla_nest_start(skb, attr);
	int err;

	if (!nest)
		return -EMSGSIZE;
	if (addr->ss_family == AF_INET)
		err = put_ipv4(skb, (const struct sockaddr_in *)addr);
	else
		err = put_ipv6(skb, (const struct sockaddr_in6 *)addr);
	if (!err)
		nla_nest_end(skb, nest);
	return err;
}

/* ---- who may be a sink's source ---- */

/* Bits of the IPv6 form that stand before an IPv4 address. */
#define V4MAPPED_BITS	96

static int get_prefix(struct nlattr **tb, struct netlink_ext_ack *extack)
{
	int bits = tb[MEMSYNC_ADDR_IPV4] ? 32 : 128;
	int prefix = bits;

	if (tb[MEMSYNC_ADDR_PREFIX])
		prefix = nla_get_u8(tb[MEMSYNC_ADDR_PREFIX]);
	if (prefix > bits) {
		NL_SET_ERR_MSG_ATTR(extack, tb[MEMSYNC_ADDR_PREFIX],
				    "prefix is longer than the address");
		return -EINVAL;
	}
	return prefix + 128 - bits;
}

static int get_from(const struct nlattr *nest, struct memsync_from *from,
		    struct netlink_ext_ack *extack)
{
	struct nlattr *tb[MEMSYNC_ADDR_MAX + 1];
	struct in6_addr ip;
	int prefix, err;

	err = parse(nest, tb, memsync_nl_from_policy, extack);
	if (err)
		return err;
	prefix = get_prefix(tb, extack);
	if (prefix < 0)
		return prefix;
	if (tb[MEMSYNC_ADDR_IPV4])
		ipv6_addr_set_v4mapped(nla_get_in_addr(tb[MEMSYNC_ADDR_IPV4]), &ip);
	else
		ip = nla_get_in6_addr(tb[MEMSYNC_ADDR_IPV6]);
	ipv6_addr_prefix(&from->addr, &ip, prefix);
	from->prefix = prefix;
	return 0;
}

static int get_each_from(const struct genl_info *info, struct memsync_from *from, unsigned int *nr)
{
	const struct nlattr *attr;
	int rem, err;

	nlmsg_for_each_attr(attr, info->nlhdr, GENL_HDRLEN, rem) {
		if (nla_type(attr) != MEMSYNC_A_FROM)
			continue;
		if (*nr == MEMSYNC_MAX_FROM) {
			NL_SET_ERR_MSG_ATTR(info->extack, attr, "too many addresses to take from");
			return -E2BIG;
		}
		err = get_from(attr, &from[*nr], info->extack);
		if (err)
			return err;
		++*nr;
	}
	return 0;
}

int memsync_nl_get_from(struct genl_info *info, struct memsync_from **from, unsigned int *nr)
{
	int err;

	*from = NULL;
	*nr = 0;
	if (!info->attrs[MEMSYNC_A_FROM])
		return 0;
	*from = kcalloc(MEMSYNC_MAX_FROM, sizeof(**from), GFP_KERNEL_ACCOUNT);
	if (!*from)
		return -ENOMEM;
	err = get_each_from(info, *from, nr);
	if (err)
		kfree(*from);
	return err;
}

int memsync_nl_put_from(struct sk_buff *skb, const struct memsync_from *from)
{
	struct nlattr *nest = nla_nest_start(skb, MEMSYNC_A_FROM);
	bool v4 = ipv6_addr_v4mapped(&from->addr) && from->prefix >= V4MAPPED_BITS;
	int err;

	if (!nest)
		return -EMSGSIZE;
	if (v4)
		err = nla_put_in_addr(skb, MEMSYNC_ADDR_IPV4, from->addr.s6_addr32[3]);
	else
		err = nla_put_in6_addr(skb, MEMSYNC_ADDR_IPV6, &from->addr);
	if (!err)
		err = nla_put_u8(skb, MEMSYNC_ADDR_PREFIX, from->prefix - (v4 ? V4MAPPED_BITS : 0));
	if (!err)
		nla_nest_end(skb, nest);
	return err;
}
