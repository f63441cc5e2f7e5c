/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMSYNC_REGION_H
#define _MEMSYNC_REGION_H

#include <linux/atomic.h>
#include <linux/in6.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <uapi/linux/memsync.h>
#include "range.h"

struct memsync_conn;
struct memsync_hold;
struct memsync_peer;
struct memsync_sink_watch;
struct memsync_track;
struct memsync_verify_run;
struct mm_struct;
struct net;
struct netlink_ext_ack;
struct pid;
struct user_namespace;

#define MEMSYNC_MAX_REGIONS		1024	/* of one network namespace */
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
 * References: the table holds one until memsync_region_del(); each peer, each
 * connection and a pending end_work hold one; look-ups return one. The region's
 * own track holds none: it is stopped before the table's reference goes.
 *
 * State, under @lock, changed by memsync_region_set_state() only:
 *
 *	NEW ------------start--> ATTACHED --peer--> SYNCING --first pass--> SYNCED
 *	                         ^                  ^  |                    |  ^
 *	WAITING --answer, start--+                  |  +--------lost--------+  |
 *	(open sink)                                 |              v           |
 *	                                            +------- DISCONNECTED -----+
 *
 *	any --process gone, unmapped, unregistered--> GONE
 *
 * Teardown is described at memsync_region_end().
 */
struct memsync_region {
	struct kref ref;
	struct rcu_head rcu;
	u32 id;				/* unique on this host */
	char name[MEMSYNC_NAME_MAX + 1];
	enum memsync_role role;
	struct net *net;		/* not held: a dying namespace ends its regions */
	u32 interval_us;		/* written under @lock, read without */
	u64 max_size;			/* of an open sink, bytes; 0: no limit */
	struct pid *pid;		/* held */
	u32 pid_nr;			/* as whoever registered it sees it */
	u64 pid_start;			/* as in /proc/PID/stat */
	struct user_namespace *user_ns;	/* the process's; held, for requests when it is gone */
	struct memsync_from *from;	/* fixed at creation */
	unsigned int nr_from;

	struct mutex end_lock;		/* one teardown at a time; outside @lock */
	struct work_struct end_work;	/* see memsync_region_end_async() */
	atomic_t end_asked;
	char end_reason[MEMSYNC_REASON_MAX + 1];

	/* Protects all below; outside mmap_lock, never taken on a fault path. */
	struct mutex lock;
	enum memsync_region_state state;
	u32 flags;			/* enum memsync_region_flags; read without, too */
	char reason[MEMSYNC_REASON_MAX + 1];
	struct mm_struct *mm;		/* grabbed, not pinned; NULL when the teardown is done */
	struct memsync_range *ranges;	/* sorted by address; once started they only become more */
	unsigned int *order;		/* once started: place in the replica -> index in @ranges */
	unsigned int nr_ranges;
	unsigned int max_ranges;	/* allocated */
	u64 size;			/* bytes, of all ranges */

	/* source */
	struct memsync_track *track;	/* while there is no peer */
	u64 past_write_faults;		/* seen by earlier ones of these */
	struct list_head peers;		/* struct memsync_peer */
	unsigned int nr_peers;
	u64 barrier_seq;		/* last barrier id given out */
	struct hlist_head barriers;	/* asked for, not reached by every peer yet */
	struct memsync_verify_run *verify;	/* under way */

	/* sink */
	struct memsync_conn *source;	/* the one connected source */
	u64 *offered;			/* range lengths an open sink was offered, bytes; or NULL */
	unsigned int nr_offered;
	unsigned int nr_accepted;	/* of @nr_ranges, those that are in use */
	u64 size_accepted;		/* and of @size */
	wait_queue_head_t answered;	/* an offered geometry was accepted or refused */
	struct memsync_hold *hold;	/* asked for or in force */
	struct memsync_sink_watch *watch;	/* tells when the process is gone */

	/* last barrier reached (source: by every peer; sink: applied) */
	u64 barrier_id;
	u64 barrier_time;		/* nanoseconds since the epoch */
	bool mid_pass;			/* sink: part of a pass has been applied */

	struct memsync_stats stats;
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

/**
 * struct memsync_events - what regions and sessions report upwards
 *
 * All are called in process context, may sleep and may be called from any
 * thread. @region_state is called with region->lock held, @held with or without
 * it, the others without.
 * @err is 0 or a negative errno, explained by @reason.
 */
struct memsync_events {
	void (*region_state)(struct memsync_region *region);
	void (*region_deleted)(struct memsync_region *region);
	void (*peer_state)(struct memsync_region *region, struct memsync_peer *peer);
	void (*peer_deleted)(struct memsync_region *region, struct memsync_peer *peer);
	void (*geometry)(struct memsync_region *region);	/* see region->offered */
	void (*barrier_done)(struct memsync_region *region, u64 id, int err, const char *reason);
	void (*verify)(struct memsync_region *region, const struct memsync_verify *result);
	void (*held)(struct memsync_region *region, u64 barrier_id, int err, const char *reason);
};

/* Set by netlink before a region exists; never NULL after. */
void memsync_region_set_events(const struct memsync_events *events);
extern const struct memsync_events *memsync_events;

struct memsync_region_params {
	const char *name;
	enum memsync_role role;
	u32 flags;
	u32 interval_us;
	u64 max_size;
	struct pid *pid;
	u32 pid_nr;
	u64 pid_start;
	struct mm_struct *mm;
	struct user_namespace *user_ns;
	struct memsync_from *from;	/* kmalloc'ed; taken over, also on failure */
	unsigned int nr_from;
};

/**
 * memsync_region_new - lists a new region
 * @net: where its connections will live
 * @p: what it is; the caller keeps its references but for @p->from
 * @extack: told what went wrong
 *
 * Its state is NEW, or WAITING for an open sink. A region of the same name and
 * role that is GONE is deleted for it.
 *
 * Return: the region with a reference, or ERR_PTR(): -EEXIST, -ENOSPC, -ENOMEM;
 * for an open sink also those of memsync_sink_watch().
 */
struct memsync_region *memsync_region_new(struct net *net, const struct memsync_region_params *p,
					  struct netlink_ext_ack *extack);

/**
 * memsync_region_add_range - adds [start, end) at the end of the replica
 * @region: not started yet, or an open sink whose source has grown
 * @start: page-aligned
 * @end: page-aligned, above @start
 * @extack: told what went wrong
 *
 * Return: 0, -EINVAL, -EEXIST (overlap), -E2BIG (too many), -EBUSY (started),
 * -EAGAIN (an open sink before its source's offer), -ESHUTDOWN (gone), -ENOMEM,
 * or what memsync_ranges_check() says of the memory as it is now.
 */
int memsync_region_add_range(struct memsync_region *region, unsigned long start,
			     unsigned long end, struct netlink_ext_ack *extack);

/**
 * memsync_region_start - checks the ranges and starts
 * @region: in state NEW, or WAITING with the answer to its offer
 * @extack: told what went wrong
 *
 * A source is tracked from now on; a sink takes its source from now on. An open
 * sink that was offered more takes that, too.
 *
 * Return: 0, those of memsync_ranges_check(), memsync_track_start() and
 * memsync_sink_watch(), -EBUSY (started), -ENODATA (no ranges), -EAGAIN (an open
 * sink without an offer), -EINVAL (not what was offered), -ESHUTDOWN (gone).
 */
int memsync_region_start(struct memsync_region *region, struct netlink_ext_ack *extack);

/*
 * Changes what may change later; NULL: leave. Of the flags that is PAUSED, and
 * only a source has it. -EINVAL, -EOPNOTSUPP, -ESHUTDOWN.
 */
int memsync_region_set(struct memsync_region *region, const u32 *flags, const u32 *interval_us,
		       struct netlink_ext_ack *extack);

/**
 * memsync_region_offer - a source offers its geometry to an open sink
 * @region: WAITING, or with less than the source has by now
 * @lengths: of its ranges in bytes, kvmalloc'ed, taken over; NULL: the offer is gone
 * @nr: how many
 *
 * Forgets the ranges that answered an earlier offer. The geometry event is
 * the caller's, once it has dropped the lock.
 *
 * Context: region->lock held.
 */
void memsync_region_offer(struct memsync_region *region, u64 *lengths, unsigned int nr);

/*
 * The region's own track, which notices the end of the process while no peer's
 * does: nothing happens where it is already so. region->lock held. watch:
 * those of memsync_track_start().
 */
int memsync_region_watch(struct memsync_region *region, struct netlink_ext_ack *extack);
void memsync_region_unwatch(struct memsync_region *region);

/* The range that byte @offset of the replica of a started region lies in, or NULL. */
const struct memsync_range *memsync_region_find(const struct memsync_region *region, u64 offset);

/*
 * Takes up the mappings that a process has got since, for a source that follows
 * it. Context: a peer's thread, which keeps region->mm; takes region->lock.
 * Return: 0; -E2BIG, -ENOMEM; -ESRCH where the process is gone.
 */
int memsync_region_follow(struct memsync_region *region);

/* region_range.c for region.c and follow.c; region->lock held. */

/*
 * May ranges be added? They are before the start; those of an open sink answer an
 * offer. 0, -EBUSY, -EAGAIN, -ESHUTDOWN.
 */
int memsync_region_check_open(const struct memsync_region *region, struct netlink_ext_ack *extack);
/* Are the ranges of an open sink as long as its source said, one by one? 0 or -EINVAL. */
int memsync_region_check_offer(const struct memsync_region *region, const unsigned int *order,
			       struct netlink_ext_ack *extack);
/* What its ranges must be good for. */
enum memsync_range_use memsync_region_use(const struct memsync_region *region);
/* As memsync_region_add_range(), once that has been asked. */
int memsync_region_append(struct memsync_region *region, unsigned long start, unsigned long end,
			  struct netlink_ext_ack *extack);
/* What is to become region->order; or NULL: no memory. */
unsigned int *memsync_region_order(const struct memsync_region *region);
/* All of the ranges are in use from now on. Takes @order over. */
void memsync_region_accept(struct memsync_region *region, unsigned int *order);
/* The same for a source to which ranges were appended: those are gone after -ENOMEM. */
int memsync_region_reorder(struct memsync_region *region);

/* Ends it: state GONE with @reason. Returns when all is torn down, whoever does it. Sleeps. */
void memsync_region_end(struct memsync_region *region, const char *reason);
/* Ends it and takes it off the table. */
void memsync_region_del(struct memsync_region *region);
/* Ends it soon, from a work item; any context. The first reason given counts. */
void memsync_region_end_async(struct memsync_region *region, const char *reason);

/* 0, or -ESHUTDOWN with the reason in @extack when it is GONE. region->lock held. */
int memsync_region_check_live(const struct memsync_region *region, struct netlink_ext_ack *extack);

/* Look-ups; each returns a reference or NULL. */
struct memsync_region *memsync_region_get_id(struct net *net, u32 id);
/* @role 0: the source where both exist. */
struct memsync_region *memsync_region_get_name(struct net *net, const char *name,
					       enum memsync_role role);
/* For dumps: the next region of @net with an id above @id. */
struct memsync_region *memsync_region_next(struct net *net, u32 id);

/* Process context, as for the last put. */
void memsync_region_put(struct memsync_region *region);
static inline struct memsync_region *memsync_region_get(struct memsync_region *region)
{
	kref_get(&region->ref);
	return region;
}

/*
 * The one place where region->state changes. @reason may be NULL (cleared).
 * Refuses to leave GONE. Caller holds region->lock; the event goes out from here.
 */
void memsync_region_set_state(struct memsync_region *region, enum memsync_region_state state,
			      const char *reason);

/* How its memory is to be tracked: enum memsync_track_how. */
unsigned int memsync_region_how(const struct memsync_region *region);

static inline bool memsync_region_paused(const struct memsync_region *region)
{
	return READ_ONCE(region->flags) & MEMSYNC_REGION_F_PAUSED;
}

/* region.c for region_table.c */
struct memsync_region *memsync_region_alloc(struct net *net,
					    const struct memsync_region_params *p);

int memsync_region_init(void);
void memsync_region_exit(void);

int memsync_region_table_init(void);
/* Ends every region and leaves it listed, so that events tell of it; more may come after. */
void memsync_region_end_all(const char *reason);
/* Ends and deletes every region, and listeners too; sleeps. */
void memsync_region_table_exit(void);

#endif /* _MEMSYNC_REGION_H */
