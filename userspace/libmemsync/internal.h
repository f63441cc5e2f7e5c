/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef _LIBMEMSYNC_INTERNAL_H
#define _LIBMEMSYNC_INTERNAL_H

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include "memsync.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

struct memsync {
	struct nl_sock *sk;
	int family;
	const char *error_attr;
	char error[512];
};

/* message.c */

/* Called for each answer; a negative errno ends the exchange with it. */
typedef int (*ms_reply_fn)(struct nlmsghdr *nlh, void *arg);

struct nl_msg *ms_msg(struct memsync *ms, int cmd, int flags);
struct nl_msg *ms_region_msg(struct memsync *ms, int cmd, int flags, uint32_t id);
/* These two take over @msg, which may be NULL for want of memory. */
int ms_exchange(struct memsync *ms, struct nl_msg *msg, ms_reply_fn fn, void *arg);
int ms_do(struct memsync *ms, struct nl_msg *msg);
int ms_full(struct memsync *ms, struct nl_msg *msg);
int ms_from_nl(int nl_error);

/* handle.c */
int ms_fail(struct memsync *ms, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int ms_socket(struct nl_sock **sk);

/* extack.c */
/* For a failure about which the kernel says no more. */
const char *ms_message(int err);
void ms_extack(struct memsync *ms, int err, const struct nlattr *attrs, int len,
	       const struct nlmsghdr *request);

/* parse.c */
int ms_parse(struct nlmsghdr *nlh, struct nlattr *tb[MEMSYNC_A_MAX + 1]);
uint32_t ms_u32(const struct nlattr *attr);
uint64_t ms_u64(const struct nlattr *attr);
int ms_parse_region(struct nlmsghdr *nlh, struct nlattr **tb, struct memsync_region *region);
int ms_parse_peer(struct nlattr **tb, struct memsync_peer *peer);
int ms_parse_listener(struct nlattr **tb, struct memsync_listener *listener);
int ms_parse_addr(struct nlattr *nest, struct memsync_addr *addr);
int ms_put_addr(struct nl_msg *msg, int attr, const struct memsync_addr *addr, bool prefix);
void ms_copy_string(char *to, size_t size, struct nlattr *attr);

/* dump.c */
/* A range of a started region, or the length that an open sink was offered. */
struct ms_range {
	struct memsync_range range;
	uint64_t length;	/* offered; 0: a range */
};

/* All of them by their offsets, to be freed. */
int ms_ranges(struct memsync *ms, uint32_t id, struct ms_range **ranges, size_t *nr);

/* region.c */
struct ms_region_new {
	const char *name;
	enum memsync_role role;
	pid_t pid;
	uint64_t pid_start;
	uint32_t flags;
	uint32_t interval_us;
	uint64_t max_size;
	const struct memsync_addr *from;
	size_t nr_from;
};

int ms_region_new(struct memsync *ms, const struct ms_region_new *p, uint32_t *id);
int ms_region_populate(struct memsync *ms, uint32_t id, const struct memsync_range *ranges,
		       size_t nr_ranges);
/* Unregisters it, keeping the error that made that necessary. */
void ms_region_undo(struct memsync *ms, uint32_t id);

#endif /* _LIBMEMSYNC_INTERNAL_H */
