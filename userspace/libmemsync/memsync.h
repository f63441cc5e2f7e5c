/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libmemsync: keep a process's memory in step with a peer
 *
 * Every function that can fail returns 0 or a negative errno; memsync_error()
 * then has a sentence that says what was wrong, from the kernel where it came
 * from there. Addresses and sizes are bytes, both multiples of the page size.
 *
 * A handle, and all that was made from it, belongs to one thread at a time.
 * Structures that the library hands out may grow at their end; those that it
 * takes begin with their size.
 */
#ifndef _LIBMEMSYNC_MEMSYNC_H
#define _LIBMEMSYNC_MEMSYNC_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <linux/memsync.h>

#ifdef __cplusplus
extern "C" {
#endif

/** MEMSYNC_MAX_FROM - how many sources a sink can be told to accept. */
#define MEMSYNC_MAX_FROM	64

struct memsync;
struct memsync_events;
struct memsync_op;
struct memsync_sink;

/**
 * struct memsync_addr - an IPv4 or IPv6 address
 * @sa: family, address, port and, for link-local addresses, scope
 * @prefix: leading bits that count, for &memsync_register_opts.from only:
 *	32 (IPv4) or 128 (IPv6) stand for one host
 */
struct memsync_addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	uint8_t prefix;
};

/**
 * struct memsync_range - one stretch of memory
 * @start: first address
 * @end: first address after it
 * @offset: where it lies in the replica, bytes; ignored when registering,
 *	where ranges lie one after another in the order given
 */
struct memsync_range {
	uint64_t start;
	uint64_t end;
	uint64_t offset;
};

/** struct memsync_stats - counters of a region since it was registered */
struct memsync_stats {
	uint64_t write_faults;
	uint64_t passes;
	uint64_t harvest_ns;
	uint64_t harvested_pages;
	uint64_t shipped_pages;
	uint64_t shipped_bytes;		/* all that was written to sockets */
	uint64_t zero_pages;
	uint64_t applied_pages;
	uint64_t reconnects;
	uint64_t resync_pages;
	uint64_t tracking_bytes;	/* memory that the tracking takes */
	uint64_t last_barrier_ns;	/* how long the last barrier took */
};

/**
 * struct memsync_region - what is known of a region
 * @id: its number
 * @pid: its process in the caller's pid namespace, 0 if there is none
 * @pid_start: start time of the process as in /proc/PID/stat
 * @role: whether it is read (source) or written (sink)
 * @state: see enum memsync_region_state
 * @flags: enum memsync_region_flags
 * @interval_us: microseconds between passes
 * @max_size: bytes that an open sink takes at most, 0 without a limit
 * @pages: of all its ranges
 * @dirty: pages changed since they were last shipped
 * @barrier_id: last barrier reached, 0 if none was
 * @barrier_time: when, nanoseconds since the epoch
 * @mid_pass: the sink holds part of a pass: no consistent image now
 * @name: its name
 * @reason: why it is in that state; may be empty
 * @nr_from: entries in @from
 * @from: who may be a sink's source
 * @stats: counters
 */
struct memsync_region {
	uint32_t id;
	pid_t pid;
	uint64_t pid_start;
	enum memsync_role role;
	enum memsync_region_state state;
	uint32_t flags;
	uint32_t interval_us;
	uint64_t max_size;
	uint64_t pages;
	uint64_t dirty;
	uint64_t barrier_id;
	uint64_t barrier_time;
	bool mid_pass;
	char name[MEMSYNC_NAME_MAX + 1];
	char reason[MEMSYNC_REASON_MAX + 1];
	unsigned int nr_from;
	struct memsync_addr from[MEMSYNC_MAX_FROM];
	struct memsync_stats stats;
};

/**
 * struct memsync_peer - the other end of a region
 * @addr: where it is
 * @state: see enum memsync_peer_state
 * @plaintext: the connection is not encrypted
 * @lag_pages: pages dirty, or shipped to it and not yet applied there
 * @name: the region's name there, empty if it is the same
 * @reason: why the last connection ended; may be empty
 */
struct memsync_peer {
	struct memsync_addr addr;
	enum memsync_peer_state state;
	bool plaintext;
	uint64_t lag_pages;
	char name[MEMSYNC_NAME_MAX + 1];
	char reason[MEMSYNC_REASON_MAX + 1];
};

/** struct memsync_listener - where connections of sources are taken */
struct memsync_listener {
	struct memsync_addr addr;
	bool plaintext;
};

/** struct memsync_info - the module and its limits */
struct memsync_info {
	uint32_t wire_min;
	uint32_t wire_max;
	uint64_t features;
	enum memsync_hook_state hook;
	uint32_t max_regions;
	uint32_t max_ranges;		/* of one region */
	uint32_t max_peers;		/* of one region */
	char version[MEMSYNC_NAME_MAX + 1];
};

/* ---- handle ---- */

/**
 * memsync_open - connect to the module in the caller's network namespace
 * @ms: set to the new handle, or to NULL
 *
 * Return: 0; -ENOENT: the module is not loaded; -EPERM; -ENOMEM; or another
 * negative errno.
 */
int memsync_open(struct memsync **ms);

/** memsync_close - free a handle; NULL is allowed; regions stay */
void memsync_close(struct memsync *ms);

/** memsync_error - one sentence about the last failure, without a newline */
const char *memsync_error(const struct memsync *ms);

/**
 * memsync_error_attr - the netlink attribute that the last failure was about
 *
 * Return: its name as in the netlink specification ("start"), or NULL.
 */
const char *memsync_error_attr(const struct memsync *ms);

/**
 * memsync_info - what module this is
 * @info: to be released with free()
 */
int memsync_info(struct memsync *ms, struct memsync_info **info);

/* ---- regions ---- */

/**
 * struct memsync_register_opts - for memsync_register()
 * @size: sizeof(struct memsync_register_opts)
 * @name: 1 to 63 of [A-Za-z0-9._@-]
 * @role: source or sink
 * @pid: whose memory; 0: the caller's own
 * @pid_start: its start time, from memsync_pid_start(), so that another
 *	process that got the same pid is not taken for it; 0: as it is now
 * @flags: MEMSYNC_REGION_F_PLAINTEXT, and for a source MEMSYNC_REGION_F_FOLLOW, with
 *	which MEMSYNC_REGION_F_FOLLOW_FILES may go, and MEMSYNC_REGION_F_COMPARE, or 0
 * @interval_us: microseconds between passes; 0: the module's default
 * @ranges: the memory, in the order that makes the replica
 * @nr_ranges: at least 1
 * @peers: addresses to ship to, for a source; may be empty
 * @peer_names: NULL, or for each peer the name of the sink there or NULL
 * @nr_peers: entries in @peers and @peer_names
 * @from: who may be the source, for a sink; needed off loopback
 * @nr_from: entries in @from
 * @left_out: NULL, or asked about each range that cannot be tracked for what it is
 *	(-EOPNOTSUPP; memsync_error() says why): true: register the others
 *	without it; false: fail
 * @arg: for @left_out
 */
struct memsync_register_opts {
	size_t size;
	const char *name;
	enum memsync_role role;
	pid_t pid;
	uint64_t pid_start;
	uint32_t flags;
	uint32_t interval_us;
	const struct memsync_range *ranges;
	size_t nr_ranges;
	const struct memsync_addr *peers;
	const char * const *peer_names;
	size_t nr_peers;
	const struct memsync_addr *from;
	size_t nr_from;
	bool (*left_out)(struct memsync *ms, size_t range, void *arg);
	void *arg;
};

/**
 * memsync_register - register memory and start
 * @id: set to the region's number; may be NULL
 *
 * All or nothing: after a failure no region is left.
 *
 * Return: 0; -EPERM: needs CAP_NET_ADMIN, and CAP_SYS_PTRACE for another's
 * memory; -ESRCH: no such process; -EEXIST: the name is taken or ranges
 * overlap; -EFAULT: not mapped; -EOPNOTSUPP: memory that cannot be tracked;
 * -EINVAL; or another negative errno.
 */
int memsync_register(struct memsync *ms, const struct memsync_register_opts *opts, uint32_t *id);

/** memsync_unregister - end a region; a sink's memory stays as it is */
int memsync_unregister(struct memsync *ms, uint32_t id);

/**
 * memsync_region_get - one region by its number
 * @region: to be released with free()
 *
 * Return: 0, -ENOENT, or another negative errno.
 */
int memsync_region_get(struct memsync *ms, uint32_t id, struct memsync_region **region);

/**
 * memsync_region_find - one region by its name
 * @role: 0: the source where both exist
 * @region: to be released with free()
 *
 * Return: 0, -ENOENT, or another negative errno.
 */
int memsync_region_find(struct memsync *ms, const char *name, enum memsync_role role,
			struct memsync_region **region);

/*
 * The functions below call @fn for each object, after the whole answer has
 * come, so @fn may use the handle. They stop when it does not return 0, and
 * return that value.
 */
typedef int (*memsync_region_fn)(const struct memsync_region *region, void *arg);
typedef int (*memsync_range_fn)(const struct memsync_range *range, void *arg);
typedef int (*memsync_peer_fn)(const struct memsync_peer *peer, void *arg);
typedef int (*memsync_listener_fn)(const struct memsync_listener *listener, void *arg);

/** memsync_dump_regions - all regions of this network namespace */
int memsync_dump_regions(struct memsync *ms, memsync_region_fn fn, void *arg);

/**
 * memsync_dump_ranges - the ranges of a region, in the order of the replica
 *
 * None of a sink that waits for its first source: see memsync_sink_offered().
 */
int memsync_dump_ranges(struct memsync *ms, uint32_t id, memsync_range_fn fn, void *arg);

/** memsync_dump_peers - a source's peers, or a sink's connected source */
int memsync_dump_peers(struct memsync *ms, uint32_t id, memsync_peer_fn fn, void *arg);

/** memsync_dump_listeners - where connections are taken in this namespace */
int memsync_dump_listeners(struct memsync *ms, memsync_listener_fn fn, void *arg);

/** memsync_pause - stop shipping; tracking goes on */
int memsync_pause(struct memsync *ms, uint32_t id);

/** memsync_resume - ship again */
int memsync_resume(struct memsync *ms, uint32_t id);

/** memsync_set_interval - microseconds between passes */
int memsync_set_interval(struct memsync *ms, uint32_t id, uint32_t interval_us);

/* ---- peers and listeners ---- */

/**
 * memsync_peer_add - ship a source to one more address
 * @name: the sink's name there; NULL: the region's own
 */
int memsync_peer_add(struct memsync *ms, uint32_t id, const struct memsync_addr *addr,
		     const char *name);

/** memsync_peer_del - undo memsync_peer_add() */
int memsync_peer_del(struct memsync *ms, uint32_t id, const struct memsync_addr *addr,
		     const char *name);

/**
 * memsync_listen - take connections of sources
 * @plaintext: allow what is not encrypted; needed off loopback without TLS
 */
int memsync_listen(struct memsync *ms, const struct memsync_addr *addr, bool plaintext);

/** memsync_unlisten - undo memsync_listen() */
int memsync_unlisten(struct memsync *ms, const struct memsync_addr *addr);

/* ---- events ---- */

/** struct memsync_mismatch - where source and replica differ */
struct memsync_mismatch {
	uint64_t offset;	/* in the replica */
	uint64_t length;
	uint64_t start;		/* address at the source, 0 if unknown */
};

/** struct memsync_verify - what a comparison found; pages */
struct memsync_verify {
	uint64_t compared;
	uint64_t different;
	uint64_t changing;	/* changed while they were compared */
	size_t nr_mismatches;
	const struct memsync_mismatch *mismatches;	/* the first ones only */
};

/**
 * struct memsync_event - something happened
 * @type: what
 * @seq: number of the event in this network namespace
 * @lost: how many events before this one were missed
 * @region: id, name and role of the region; all of it with
 *	MEMSYNC_EVENT_REGION_STATE
 * @error: 0, or a negative errno explained by @reason
 * @reason: may be empty
 * @barrier_id: with MEMSYNC_EVENT_BARRIER and MEMSYNC_EVENT_HELD
 * @peer: with MEMSYNC_EVENT_PEER_STATE and MEMSYNC_EVENT_PEER_DELETED
 * @listener: with MEMSYNC_EVENT_LISTENER
 * @verify: with MEMSYNC_EVENT_VERIFY
 * @lengths: of the ranges a source offers, with MEMSYNC_EVENT_GEOMETRY; bytes;
 *	NULL where they are too many for an event
 * @nr_lengths: entries in @lengths
 *
 * Pointers are NULL with events of another type.
 */
struct memsync_event {
	enum memsync_event_type type;
	uint64_t seq;
	uint64_t lost;
	const struct memsync_region *region;
	int error;
	const char *reason;
	uint64_t barrier_id;
	const struct memsync_peer *peer;
	const struct memsync_listener *listener;
	const struct memsync_verify *verify;
	const uint64_t *lengths;
	size_t nr_lengths;
};

/**
 * memsync_events_open - subscribe
 * @events: set to an object that is to be closed before the handle
 */
int memsync_events_open(struct memsync *ms, struct memsync_events **events);

void memsync_events_close(struct memsync_events *events);

/** memsync_events_fd - readable when memsync_events_next() has something */
int memsync_events_fd(const struct memsync_events *events);

/**
 * memsync_events_next - the next event; does not wait
 * @event: set to it; valid until the next call
 *
 * Return: 1: an event; 0: none now; -ENOBUFS: events were lost, so what is
 * known should be dumped again (reading goes on, and the next event's lost
 * says how many); or another negative errno.
 */
int memsync_events_next(struct memsync_events *events, const struct memsync_event **event);

/**
 * memsync_events_wait - the next event
 * @timeout_ms: how long to wait for it; negative: for ever
 *
 * Return: as memsync_events_next(), 0 when the time ran out; -EINTR.
 */
int memsync_events_wait(struct memsync_events *events, int timeout_ms,
			const struct memsync_event **event);

/* ---- barrier, verify, hold: started now, done later ---- */

/**
 * memsync_barrier_start - ask when all that was written until now is applied
 * @op: to be waited for with memsync_op_wait(), freed with memsync_op_free()
 *
 * Return: 0; -ENOTCONN: there is no peer; or another negative errno.
 */
int memsync_barrier_start(struct memsync *ms, uint32_t id, struct memsync_op **op);

/** memsync_verify_start - compare digests with the peer; see memsync_barrier_start() */
int memsync_verify_start(struct memsync *ms, uint32_t id, struct memsync_op **op);

/**
 * memsync_hold_start - have a sink rest after a pass, so it can be read
 * @lease_ms: after this time it goes on by itself
 */
int memsync_hold_start(struct memsync *ms, uint32_t id, uint32_t lease_ms,
		       struct memsync_op **op);

/**
 * memsync_release - end a hold
 *
 * Return: 0; -ETIMEDOUT: it had run out before, so what was read since it
 * began may be torn; or another negative errno.
 */
int memsync_release(struct memsync *ms, uint32_t id);

/**
 * memsync_op_wait - wait until it is done
 * @timeout_ms: negative: for ever
 * @event: set to the event that ended it; valid until the next call with @op;
 *	may be NULL; set to NULL where the event was lost but the end is known
 *
 * Return: 0: done; -ETIMEDOUT: not yet, may be called again; -EINTR: a signal
 * came, likewise; -ECANCELED: the region ended; -ENOBUFS: the event may have
 * been lost; or the negative errno with which it failed.
 */
int memsync_op_wait(struct memsync_op *op, int timeout_ms, const struct memsync_event **event);

/** memsync_op_barrier - the number that memsync_barrier_start() was given */
uint64_t memsync_op_barrier(const struct memsync_op *op);

/** memsync_op_fd - readable when memsync_op_wait() should be called (with 0) */
int memsync_op_fd(const struct memsync_op *op);

void memsync_op_free(struct memsync_op *op);

/**
 * memsync_barrier - start a barrier and wait for it
 * @barrier_id: set to its number; may be NULL
 */
int memsync_barrier(struct memsync *ms, uint32_t id, int timeout_ms, uint64_t *barrier_id);

/* ---- receiving: a sink that takes its geometry from its first source ---- */

/**
 * struct memsync_sink_opts - for memsync_sink_open()
 * @size: sizeof(struct memsync_sink_opts)
 * @name: of the region
 * @flags: MEMSYNC_REGION_F_PLAINTEXT or 0
 * @max_size: bytes to take at most; 0: no limit
 * @from: who may be the source; needed off loopback
 * @nr_from: entries in @from
 */
struct memsync_sink_opts {
	size_t size;
	const char *name;
	uint32_t flags;
	uint64_t max_size;
	const struct memsync_addr *from;
	size_t nr_from;
};

/**
 * memsync_sink_open - register an open sink in the caller's memory
 * @sink: ends with memsync_sink_close(), before the handle
 */
int memsync_sink_open(struct memsync *ms, const struct memsync_sink_opts *opts,
		      struct memsync_sink **sink);

/** memsync_sink_id - the number of its region */
uint32_t memsync_sink_id(const struct memsync_sink *sink);

/** memsync_sink_events - its event stream, subscribed before it was opened */
struct memsync_events *memsync_sink_events(struct memsync_sink *sink);

/**
 * memsync_sink_offered - the geometry that a source offers
 * @lengths: set to the lengths of the ranges that were not accepted yet, valid
 *	until the next call
 * @nr: how many; 0: no source has come yet, or it has no more
 *
 * To be asked after MEMSYNC_EVENT_GEOMETRY, and where events were lost. A source
 * that follows its process offers more from time to time.
 */
int memsync_sink_offered(struct memsync_sink *sink, const uint64_t **lengths, size_t *nr);

/**
 * memsync_sink_accept - answer an offer with mapped, writable memory and start
 * @ranges: those that were offered, in that order and of those lengths
 */
int memsync_sink_accept(struct memsync_sink *sink, const struct memsync_range *ranges,
			size_t nr_ranges);

/**
 * memsync_sink_refuse - decline an offer
 * @reason: what the source is told, up to MEMSYNC_REASON_MAX bytes
 */
int memsync_sink_refuse(struct memsync_sink *sink, const char *reason);

/**
 * memsync_sink_end - unregister; the memory stays as it is
 *
 * The region's last state (MEMSYNC_EVENT_REGION_STATE, gone) can then still be
 * read from memsync_sink_events().
 */
int memsync_sink_end(struct memsync_sink *sink);

/** memsync_sink_close - unregister if that has not been done, and free */
void memsync_sink_close(struct memsync_sink *sink);

/* ---- odds and ends ---- */

/** memsync_pid_start - start time of a process as in /proc/PID/stat; -ESRCH */
int memsync_pid_start(pid_t pid, uint64_t *start);

/* Words for enumerators, never NULL. */
const char *memsync_role_name(enum memsync_role role);
const char *memsync_region_state_name(enum memsync_region_state state);
const char *memsync_peer_state_name(enum memsync_peer_state state);
const char *memsync_hook_state_name(enum memsync_hook_state state);
const char *memsync_event_name(enum memsync_event_type type);
const char *memsync_attr_name(unsigned int attr);

#ifdef __cplusplus
}
#endif

#endif /* _LIBMEMSYNC_MEMSYNC_H */
