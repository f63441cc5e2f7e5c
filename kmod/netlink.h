/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the generic netlink family share. */
#ifndef _MEMSYNC_NETLINK_H
#define _MEMSYNC_NETLINK_H

#include <net/genetlink.h>
#include "region.h"

struct memsync_from;
struct sockaddr_storage;

extern struct genl_family memsync_nl_family;

/* netlink_family.c: policies, operations; registered last, unregistered first. */
int memsync_netlink_init(void);
void memsync_netlink_exit(void);

/* netlink_event.c: numbered events; from before the first region until after the last. */
int memsync_netlink_event_init(void);
void memsync_netlink_event_exit(void);
/* Between these two events go out; else they are only counted. */
void memsync_nl_events_open(void);
void memsync_nl_events_close(void);
void memsync_nl_event_listener(struct net *net, const struct sockaddr_storage *addr,
			       bool plaintext);

/* netlink.c: every request passes through here to its handler. */
int memsync_nl_do(struct sk_buff *skb, struct genl_info *info);
/* A request about one region that is dumped: finds it, and keeps it from start to done. */
int memsync_nl_dump_start(struct netlink_callback *cb);
int memsync_nl_dump_done(struct netlink_callback *cb);
/* May the sender of @skb see and steer what belongs to a process of @user_ns? */
bool memsync_nl_may_access(const struct sk_buff *skb, struct user_namespace *user_ns);
/* Says that @attr is missing, if it is. */
bool memsync_nl_missing(struct genl_info *info, int attr);
/* Answers with what @fill puts there; -EMSGSIZE is its only error. */
int memsync_nl_reply(struct genl_info *info, int (*fill)(struct sk_buff *msg, const void *arg),
		     const void *arg);
/* Begins a message of a dump; NULL when the buffer is full. */
void *memsync_nl_dump_put(struct sk_buff *skb, struct netlink_callback *cb);

/**
 * struct memsync_nl_dump - where the dump of one region's parts stands
 * @region: referenced
 * @index: of the next part
 * @offset: of the next part, in the replica
 */
struct memsync_nl_dump {
	struct memsync_region *region;
	unsigned int index;
	u64 offset;
};

static inline struct memsync_nl_dump *memsync_nl_dump(struct netlink_callback *cb)
{
	BUILD_BUG_ON(sizeof(struct memsync_nl_dump) > sizeof(cb->ctx));
	return (struct memsync_nl_dump *)cb->ctx;
}

/*
 * Handlers. @region is what the request names, with a reference, or NULL for
 * those that name none.
 */
typedef int memsync_nl_handler(struct sk_buff *skb, struct genl_info *info,
			       struct memsync_region *region);

/* netlink_info.c */
memsync_nl_handler memsync_nl_info;

/* netlink_region.c */
memsync_nl_handler memsync_nl_region_new;
memsync_nl_handler memsync_nl_region_del;
memsync_nl_handler memsync_nl_region_set;
memsync_nl_handler memsync_nl_region_start;

/* netlink_show.c */
memsync_nl_handler memsync_nl_region_get;
int memsync_nl_region_dump(struct sk_buff *skb, struct netlink_callback *cb);
/* What events of a region tell of it: no more than which one it is. */
int memsync_nl_put_region_key(struct sk_buff *skb, const struct memsync_region *region);
/* Its state, too. region->lock held. */
int memsync_nl_put_region(struct sk_buff *skb, const struct memsync_region *region, u32 pid);

/* netlink_range.c */
memsync_nl_handler memsync_nl_range_add;
int memsync_nl_range_dump(struct sk_buff *skb, struct netlink_callback *cb);

/* netlink_peer.c */
memsync_nl_handler memsync_nl_peer_add;
memsync_nl_handler memsync_nl_peer_del;
int memsync_nl_peer_dump(struct sk_buff *skb, struct netlink_callback *cb);
struct memsync_peer_info;
int memsync_nl_put_peer(struct sk_buff *skb, const struct memsync_peer_info *info);

/* netlink_session.c */
memsync_nl_handler memsync_nl_barrier_start;
memsync_nl_handler memsync_nl_verify_start;
memsync_nl_handler memsync_nl_hold;
memsync_nl_handler memsync_nl_release;
memsync_nl_handler memsync_nl_refuse;

/* netlink_listener.c */
memsync_nl_handler memsync_nl_listener_new;
memsync_nl_handler memsync_nl_listener_del;
int memsync_nl_listener_dump(struct sk_buff *skb, struct netlink_callback *cb);

/* netlink_addr.c */
extern const struct nla_policy memsync_nl_addr_policy[MEMSYNC_ADDR_MAX + 1];
extern const struct nla_policy memsync_nl_from_policy[MEMSYNC_ADDR_MAX + 1];
/* From a nest of memsync_nl_addr_policy; without a port it is MEMSYNC_DEFAULT_PORT. */
int memsync_nl_get_addr(const struct nlattr *nest, struct sockaddr_storage *addr,
			struct netlink_ext_ack *extack);
int memsync_nl_put_addr(struct sk_buff *skb, int attr, const struct sockaddr_storage *addr);
/* All of a request's MEMSYNC_A_FROM; *@from is kmalloc'ed, or NULL where there is none. */
int memsync_nl_get_from(struct genl_info *info, struct memsync_from **from, unsigned int *nr);
int memsync_nl_put_from(struct sk_buff *skb, const struct memsync_from *from);

#endif /* _MEMSYNC_NETLINK_H */
