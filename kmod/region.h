/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMSYNC_REGION_H
#define _MEMSYNC_REGION_H

#include <linux/in6.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/socket.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <net/net_namespace.h>
#include <uapi/linux/memsync.h>
#include "range.h"

struct memsync_conn;
struct memsync_hold;
struct memsync_peer;
struct memsync_sink_watch;
struct memsync_track;
struct memsync_verify_run;
struct netlink_ext_ack;

#define MEMSYNC_MAX_REGIONS		1024
#define MEMSYNC_MAX_PEERS		16	/* of one region */
#define MEMSYNC_MAX_FROM		64
#define MEMSYNC_DEFAULT_INTERVAL_US	10000

/* Who may be a sink's source; an IPv4 address is held as ::ffff:a.b.c.d. */
struct memsync_from {
	struct in6_addr addr;
	u8 prefix;	/* bits of @addr that count, 0 to 128 */
};

struct memsync_stats {
	atomic64_t passes;
	atomic64_t harvest_ns;
	atomic64_t harvested_pages;
	atomic64_t shipped_pages;
	atomic64_t shipped_bytes;
	atomic64_t zero_pages;
	atomic64_t applied_pages;
	atomic64_t reconnects;
	atomic64_t resync_pages;
	atomic64_t last_barrier_ns;
};

/**
 * struct memsync_region - a named set of address ranges of one process
 *
 * References: the table holds one until memsync_region_unlist(); each peer and
 * each connection holds one; look-ups return one.
 *
 * State, under @lock, changed by memsync_region_set_state() only:
 *
 *	NEW ──start──> ATTACHED ──peer──> SYNCING ──first pass──> SYNCED
 *	 │                                  ^  └──────lost──────┐   │ ^
 *	 │ (open sink)                      └──── DISCONNECTED <┴───┘ │
 *	 └──> WAITING ──geometry, start──>          └──reconnected────┘
 *	any ──process gone, unmapped, …──> GONE
 */
struct memsync_region {
	struct kref ref;
	struct rcu_head rcu;
	struct list_head node;		/* in the table, under its lock */
	u32 id;
	char name[MEMSYNC_NAME_MAX + 1];
	enum memsync_role role;
	struct net *net;		/* not held: a dying namespace ends its regions */
	u32 interval_us;
	u64 max_size;			/* of an open sink, bytes; 0: no limit */
	struct pid *pid;		/* held */
	u64 pid_start;
	struct mm_struct *mm;		/* grabbed, not pinned */
	struct memsync_from *from;	/* fixed at creation */
	unsigned int nr_from;

	struct mutex lock;		/* protects all below; outside mmap_lock, never taken on a fault path */
	enum memsync_region_state state;
	u32 flags;			/* enum memsync_region_flags; read without the lock by passes */
	char reason[MEMSYNC_REASON_MAX + 1];
	struct memsync_range *ranges;	/* sorted by address, fixed once started */
	unsigned int *order;		/* replica order -> index in @ranges */
	unsigned int nr_ranges;
	u64 size;			/* bytes, of all ranges */

	/* source */
	struct memsync_track *track;	/* while there is no peer */
	struct list_head peers;		/* struct memsync_peer */
	unsigned int nr_peers;
	u64 barrier_seq;		/* last barrier id given out */
	struct hlist_head barriers;	/* asked for, not reached by every peer yet */
	struct memsync_verify_run *verify;	/* under way */

	/* sink */
	struct memsync_conn *source;	/* the one connected source */
	u64 *offered;			/* range lengths an open sink was offered, bytes */
	unsigned int nr_offered;
	wait_queue_head_t answered;	/* an offered geometry was accepted or refused */
	struct memsync_hold *hold;	/* asked for or in force */
	struct memsync_sink_watch *watch;	/* tells when the process is gone */

	/* last barrier reached (source: by every peer; sink: applied) */
	u64 barrier_id;
	u64 barrier_time;		/* nanoseconds since the epoch */
	bool mid_pass;			/* sink: part of a pass has been applied */

	struct memsync_stats stats;
};

/**
 * struct memsync_events - what regions and sessions report upwards
 *
 * All are called in process context without region->lock held by the
 * caller unless said otherwise, and may be called from any thread. @err is 0 or
 * a negative errno, explained by @reason.
 */
struct memsync_events {
	void (*region_state)(struct memsync_region *region);
	void (*region_deleted)(struct memsync_region *region);
	void (*peer_state)(struct memsync_region *region, struct memsync_peer *peer);
	void (*peer_deleted)(struct memsync_region *region, struct memsync_peer *peer);
	void (*geometry)(struct memsync_region *region);	/* see region->offered */
	void (*barrier)(struct memsync_region *region, u64 id, int err, const char *reason);
	void (*verify)(struct memsync_region *region, const struct memsync_verify *result);
	void (*held)(struct memsync_region *region, u64 barrier_id, int err, const char *reason);
};

struct memsync_mismatch {
	u64 offset;	/* bytes into the replica */
	u64 length;
};

#define MEMSYNC_MAX_MISMATCHES	64

struct memsync_verify {
	int err;
	const char *reason;
	u64 compared;	/* pages */
	u64 different;
	u64 changing;	/* written while they were compared, so left out */
	unsigned int nr_mismatches;
	struct memsync_mismatch mismatches[MEMSYNC_MAX_MISMATCHES];
};

/* Set by netlink before anything else runs; never NULL after. */
void memsync_region_set_events(const struct memsync_events *events);
extern const struct memsync_events *memsync_events;

struct memsync_region_params {
	const char *name;
	enum memsync_role role;
	u32 flags;
	u32 interval_us;
	u64 max_size;
	struct pid *pid;
	u64 pid_start;
	struct mm_struct *mm;
	struct memsync_from *from;	/* kmalloc'ed; taken over on success */
	unsigned int nr_from;
};

/* A new region in state NEW (or WAITING for an open sink), listed. -EEXIST, -ENOSPC, -ENOMEM. */
struct memsync_region *memsync_region_new(struct net *net, const struct memsync_region_params *p,
					  struct netlink_ext_ack *extack);
/* Adds [start, end) at the end of the replica. -EINVAL, -EEXIST (overlap), -E2BIG, -EBUSY (started). */
int memsync_region_add_range(struct memsync_region *region, unsigned long start,
			     unsigned long end, struct netlink_ext_ack *extack);
/* Checks the ranges and starts: a source is tracked from now on. */
int memsync_region_start(struct memsync_region *region, struct netlink_ext_ack *extack);
/* Ends it: sessions, track; state GONE with @reason. Idempotent. Sleeps. */
void memsync_region_end(struct memsync_region *region, const char *reason);
/* Ends it and takes it off the table. */
void memsync_region_del(struct memsync_region *region);
/* The same from a context that must not sleep or holds locks: does it from a work item. */
void memsync_region_end_async(struct memsync_region *region, const char *reason);

struct memsync_region *memsync_region_get_id(struct net *net, u32 id);
/* @role 0: the source where both exist. A region that is GONE gives way to a live one. */
struct memsync_region *memsync_region_get_name(struct net *net, const char *name,
					       enum memsync_role role);
void memsync_region_put(struct memsync_region *region);
static inline struct memsync_region *memsync_region_get(struct memsync_region *region)
{
	kref_get(&region->ref);
	return region;
}

/* For dumps: the next region of @net with an id above @id, with a reference, or NULL. */
struct memsync_region *memsync_region_next(struct net *net, u32 id);

/*
 * The one place where region->state changes. @reason may be NULL (cleared).
 * Refuses to leave GONE. Caller holds region->lock; the event goes out from here.
 */
void memsync_region_set_state(struct memsync_region *region, enum memsync_region_state state,
			      const char *reason);

static inline bool memsync_region_paused(const struct memsync_region *region)
{
	return READ_ONCE(region->flags) & MEMSYNC_REGION_F_PAUSED;
}

int memsync_region_init(void);
void memsync_region_exit(void);		/* ends and deletes every region; sleeps */

#endif /* _MEMSYNC_REGION_H */
