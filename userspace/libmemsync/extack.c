// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the kernel says about a failure, and about which attribute. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/netlink.h>
#include <netlink/genl/genl.h>

#include "internal.h"

/* Not in the headers of kernels before 6.1. */
#define ATTR_MISS_TYPE	5
#define ATTR_LAST	6

const char *ms_message(int err)
{
	switch (-err) {
	case EPERM:
		return "Operation not permitted: needs CAP_NET_ADMIN and CAP_SYS_PTRACE";
	case ENOENT:
		return "no such region";
	default:
		return strerror(-err);
	}
}

/* The attribute of the request, nested ones counted as their parent. */
static const char *attr_at(const struct nlmsghdr *request, uint32_t offset)
{
	const char *base = (const char *)request;
	struct nlattr *attr;
	int rest;

	nlmsg_for_each_attr(attr, (struct nlmsghdr *)request, GENL_HDRLEN, rest) {
		uint32_t start = (const char *)attr - base;

		if (offset >= start && offset < start + attr->nla_len)
			return memsync_attr_name(nla_type(attr));
	}
	return NULL;
}

void ms_extack(struct memsync *ms, int err, const struct nlattr *attrs, int len,
	       const struct nlmsghdr *request)
{
	struct nlattr *tb[ATTR_LAST + 1] = { };
	const char *attr = NULL, *missing = NULL;

	if (len > 0)
		nla_parse(tb, ATTR_LAST, (struct nlattr *)attrs, len, NULL);
	if (tb[NLMSGERR_ATTR_OFFS] && nla_len(tb[NLMSGERR_ATTR_OFFS]) >= (int)sizeof(uint32_t))
		attr = attr_at(request, nla_get_u32(tb[NLMSGERR_ATTR_OFFS]));
	if (tb[ATTR_MISS_TYPE] && nla_len(tb[ATTR_MISS_TYPE]) >= (int)sizeof(uint32_t))
		missing = memsync_attr_name(nla_get_u32(tb[ATTR_MISS_TYPE]));

	if (tb[NLMSGERR_ATTR_MSG])
		ms_fail(ms, err, "%.*s", nla_len(tb[NLMSGERR_ATTR_MSG]),
			(const char *)nla_data(tb[NLMSGERR_ATTR_MSG]));
	else if (missing)
		ms_fail(ms, err, "the module misses the attribute %s", missing);
	else if (attr)
		ms_fail(ms, err, "%s: %s", attr, ms_message(err));
	else
		ms_fail(ms, err, "%s", ms_message(err));
	ms->error_attr = missing ? missing : attr;
}
