/* SPDX-License-Identifier: GPL-2.0 */
/* The source's side of a session; what its files share. */
#ifndef _MEMSYNC_PEER_H
#define _MEMSYNC_PEER_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include "digest.h"
#include "region.h"
#include "session.h"
#include "tcp.h"
#include "track.h"

struct memsync_pool;

/**
 * struct memsync_peer - another host's memsync that a region is shipped to
 * @thread: does everything; @thread.region is @region
 * @region: held
 * @node: in region->peers, under region->lock; taken off when it is deleted
 * @addr: where it is
 * @name: the sink's, there
 * @session: tells the sink that a reconnect is one
 * @dirtied: something is; set by the track's upcall, cleared when a pass begins
 *
 * @lock: protects @state, @reason and @plaintext; innermost
 *
 * Under region->lock:
 * @pass_id: barrier at the end of the last pass begun
 * @first_id: barrier at the end of this connection's first pass
 * @acked_id: last barrier it reached
 * @acked_time: its time
 * @wanted: last barrier asked for; read without the lock to see that there is one
 * @verify: what is asked of it
 * @track: what is dirty as this peer sees it, until the release; changed by the
 *	thread, which reads it without the lock
 *
 * The rest is the thread's own:
 * @tcp: the connection
 * @frame_pages: contents in one frame, as the sink wants it
 * @features: of the protocol, in use
 * @sent_id: last barrier sent on this connection
 * @shipped_pages: on this connection; others read it
 * @acked_pages: of these, applied; others read it
 * @digests: of what was shipped on this connection, where it may come again; others read
 *	how much that is
 * @pass_start: of the last pass
 * @compare_next: when memory whose changes cannot be seen is to be read again, though
 *	nobody asks
 * @harvest_ns: that the pass under way has spent finding pages
 * @resync: the pass repeats what may have been lost
 * @reconnect: there was a connection before
 * @tries: failed in a row
 * @code: why the connection ended; 0: the network's fault
 * @failure: the same for people; empty: not known
 */
struct memsync_peer {
	struct memsync_thread thread;
	struct memsync_region *region;
	struct list_head node;
	struct sockaddr_storage addr;
	char name[MEMSYNC_NAME_MAX + 1];
	u8 session[MEMSYNC_WIRE_SESSION_LEN];
	struct memsync_track *track;
	bool dirtied;

	spinlock_t lock;	/* @state, @reason, @plaintext */
	enum memsync_peer_state state;
	char reason[MEMSYNC_REASON_MAX + 1];
	bool plaintext;

	u64 pass_id;
	u64 first_id;
	u64 acked_id;
	u64 acked_time;
	u64 wanted;
	enum memsync_peer_verify {
		MEMSYNC_VERIFY_NONE,
		MEMSYNC_VERIFY_ASKED,
		MEMSYNC_VERIFY_SENT,
	} verify;

	struct memsync_tcp tcp;
	u32 frame_pages;
	u64 features;
	u64 sent_id;
	u64 shipped_pages;
	u64 acked_pages;
	struct memsync_digests digests;
	ktime_t pass_start;
	ktime_t compare_next;
	u64 harvest_ns;
	bool resync;
	bool reconnect;
	unsigned int tries;
	enum memsync_wire_code code;
	char failure[MEMSYNC_WIRE_REASON_LEN];

	struct memsync_pool *pool;	/* pass.c */
	struct memsync_harvest *harvest;
	struct memsync_frame *frame;
	void *control;			/* a frame without contents, received or to be sent */
};

/* ---- peer.c: the thread ---- */

void memsync_peer_run(struct memsync_thread *thread);
/*
 * Handles what the sink sent, without waiting. An error ends the connection.
 * Context: the peer's thread, without region->lock.
 */
int memsync_peer_receive(struct memsync_peer *peer);
/*
 * For one who is at something long: the sink is heard, and hears from us, and so is a stop,
 * with -ESHUTDOWN. Context: as memsync_peer_receive(); sleeps.
 */
int memsync_peer_look_up(struct memsync_peer *peer);
/* Remembers why the connection must end; returns -EPROTO. The first reason stays. */
__printf(3, 4)
int memsync_peer_fail(struct memsync_peer *peer, enum memsync_wire_code code,
		      const char *fmt, ...);

/* ---- session.c ---- */

/* The region's state as its peers make it. region->lock held. */
void memsync_session_update(struct memsync_region *region);

/* ---- geometry.c ---- */

/* Sends the lengths of the ranges from number @first on. */
int memsync_geometry_send(struct memsync_peer *peer, unsigned int first);
/*
 * Where the region follows its process: takes up what has come since, and tells
 * the peer. What was written before the call is in a range afterwards. Context:
 * the peer's thread, in a pass.
 */
int memsync_geometry_follow(struct memsync_peer *peer);

/* ---- pass.c ---- */

/*
 * One pass: everything written before the call is shipped, then a barrier.
 * Context: the peer's thread. An error ends the connection: pages that were
 * collected may not have been shipped.
 */
int memsync_pass(struct memsync_peer *peer);
int memsync_pass_alloc(struct memsync_peer *peer);
void memsync_pass_free(struct memsync_peer *peer);

/* ---- barrier.c ---- */

/* The barrier that ends a pass that begins now. */
u64 memsync_barrier_begin(struct memsync_peer *peer);
/* The peer has applied all up to this one. */
void memsync_barrier_reached(struct memsync_peer *peer, u64 id, u64 time);
/* Reports those that every peer has reached. Without region->lock. */
void memsync_barriers_check(struct memsync_region *region);
/* Gives up all. Without region->lock. */
void memsync_barriers_fail(struct memsync_region *region, int err, const char *reason);
/*
 * Gives up those from before the region was paused, if it still is: none can be started
 * until it goes on. Without region->lock.
 */
void memsync_barriers_pause(struct memsync_region *region);

/* ---- verify.c: the source's part ---- */

/* Sends the digests of all that does not change. After a pass. */
int memsync_verify_send(struct memsync_peer *peer);
void memsync_verify_replied(struct memsync_peer *peer,
			    const struct memsync_wire_digest_reply *reply);
/* The peer cannot answer any more. Without region->lock. */
void memsync_verify_fail(struct memsync_peer *peer, int err, const char *reason);
/* The same as memsync_barriers_pause() for a comparison that this peer has not begun. */
void memsync_verify_pause(struct memsync_peer *peer);

#endif /* _MEMSYNC_PEER_H */
