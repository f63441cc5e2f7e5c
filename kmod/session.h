/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMSYNC_SESSION_H
#define _MEMSYNC_SESSION_H

#include <linux/types.h>
#include <linux/socket.h>
#include <uapi/linux/memsync.h>

struct memsync_region;
struct netlink_ext_ack;
struct net;

/* ---- source: a peer that a region is shipped to ---- */

/* What a dump tells of a peer. */
struct memsync_peer_info {
	struct sockaddr_storage addr;
	char name[MEMSYNC_NAME_MAX + 1];	/* the sink's, there */
	enum memsync_peer_state state;
	char reason[MEMSYNC_REASON_MAX + 1];	/* of the last failure; may be empty */
	u64 lag_pages;
	bool plaintext;
};

/* Callers hold region->lock for these three. @name NULL: the region's own. */
int memsync_peer_add(struct memsync_region *region, const struct sockaddr_storage *addr,
		     const char *name, struct netlink_ext_ack *extack);
int memsync_peer_del(struct memsync_region *region, const struct sockaddr_storage *addr,
		     const char *name, struct netlink_ext_ack *extack);
/* Fills in peer number @index; false when there are no more. */
bool memsync_peer_info(struct memsync_region *region, unsigned int index,
		       struct memsync_peer_info *info);
void memsync_peer_fill(struct memsync_peer *peer, struct memsync_peer_info *info);

/* Flags or interval changed, or a barrier was asked for: peers look again. region->lock held. */
void memsync_session_kick(struct memsync_region *region);

/* Sum or worst over the peers; region->lock held. */
u64 memsync_session_dirty_pages(struct memsync_region *region);
u64 memsync_session_write_faults(struct memsync_region *region);
size_t memsync_session_tracking_bytes(struct memsync_region *region);

/*
 * A barrier: *@id is set, completion comes as an event once every peer has
 * applied all that was written before the call. -ENOTCONN without a peer.
 * region->lock held.
 */
int memsync_barrier_start(struct memsync_region *region, u64 *id, struct netlink_ext_ack *extack);
int memsync_verify_start(struct memsync_region *region, struct netlink_ext_ack *extack);

/* ---- sink; callers hold region->lock ---- */

/*
 * Asks the sink to rest after the pass it is in; event held. The hold ends by
 * itself after @timeout_ms. -EBUSY (there is one), -ENOTCONN (part of a pass was
 * applied and the source is gone), -EINVAL (no running sink).
 */
int memsync_sink_hold(struct memsync_region *region, u32 timeout_ms,
		      struct netlink_ext_ack *extack);
/* 0 if it was in force until now, -ETIMEDOUT otherwise. */
int memsync_sink_release(struct memsync_region *region, struct netlink_ext_ack *extack);
/* The answer to an offered geometry: no. (Yes is memsync_region_start().) -ENOENT: no offer. */
int memsync_sink_refuse(struct memsync_region *region, const char *reason,
			struct netlink_ext_ack *extack);
/* The connected source as a peer, for show. */
bool memsync_sink_source_info(struct memsync_region *region, struct memsync_peer_info *info);
/*
 * Ends the region when its process exits or executes another program, until
 * memsync_session_stop(). -ESRCH, -ENOMEM, -EINTR.
 */
int memsync_sink_watch(struct memsync_region *region, struct netlink_ext_ack *extack);

/*
 * Ends all peers of a source, or the connection of a sink, and waits for their
 * threads. The caller does NOT hold region->lock. No session of it starts after,
 * if the region is GONE.
 */
void memsync_session_stop(struct memsync_region *region, const char *reason);

/* ---- listeners ---- */

struct memsync_listener_info {
	struct sockaddr_storage addr;
	bool plaintext;
};

/* Off loopback @plaintext must be given. -EADDRINUSE, -EEXIST, -EADDRNOTAVAIL, -EPERM… */
int memsync_listener_add(struct net *net, const struct sockaddr_storage *addr, bool plaintext,
			 struct netlink_ext_ack *extack);
int memsync_listener_del(struct net *net, const struct sockaddr_storage *addr,
			 struct netlink_ext_ack *extack);
bool memsync_listener_info(struct net *net, unsigned int index, struct memsync_listener_info *info);
/*
 * The namespace goes: ends its listeners and every connection they accepted, and
 * waits for them. Before its regions are ended, which ends the peers.
 */
void memsync_listener_stop_net(struct net *net);

int memsync_session_init(void);
void memsync_session_exit(void);	/* after all regions are ended */

#endif /* _MEMSYNC_SESSION_H */
