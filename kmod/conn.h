/* SPDX-License-Identifier: GPL-2.0 */
/* The sink's side of a session; what its files share. */
#ifndef _MEMSYNC_CONN_H
#define _MEMSYNC_CONN_H

#include <linux/workqueue.h>
#include "region.h"
#include "session.h"
#include "tcp.h"

/**
 * struct memsync_ahead - what is made ahead of what is applied
 * @work: makes it
 * @mm: whose memory it is; NULL: nobody's
 * @applied: offset up to which contents were last written
 * @run: bytes of contents up to there, without a gap
 * @block: address of what was last made
 */
struct memsync_ahead {
	struct work_struct work;
	struct mm_struct *mm;
	u64 applied;
	u64 run;
	unsigned long block;
};

/**
 * struct memsync_conn - an accepted connection
 * @thread: does everything
 * @tcp: the connection
 * @addr: where it comes from
 * @plaintext: its listener takes plain connections off loopback
 * @counted: among those that are in their handshake
 * @deadline: jiffies, when the handshake must be over
 * @region: held, once a HELLO has named it
 * @hello: the source's
 * @lengths: of its ranges, bytes, while they are being compared; or NULL
 * @next: range that GEOMETRY goes on with
 * @sum: of the lengths so far
 *
 * Under region->lock:
 * @attached: it is region->source
 * @refusal: the answer to the geometry it offered is no; empty: not yet
 *
 * @control: a received frame without contents
 * @head: of a PAGES payload
 * @bounce: a page, to look at what is there
 * @iov: where contents go
 * @ahead: of that
 * @barrier: last one reached on this connection
 * @barrier_time: its time
 * @applied: pages, on this connection
 * @unacked: bytes of frames that were applied and not acknowledged
 * @digest_next: where a comparison goes on
 * @reply: its result so far
 *
 * @code: why the connection ended; 0: the network's fault
 * @failure: the same for people; empty: not known
 */
struct memsync_conn {
	struct memsync_thread thread;
	struct memsync_tcp tcp;
	struct sockaddr_storage addr;
	bool plaintext;
	bool counted;
	unsigned long deadline;
	struct memsync_region *region;
	struct memsync_hello hello;
	u64 *lengths;
	u32 next;
	u64 sum;

	bool attached;
	char refusal[MEMSYNC_REASON_MAX + 1];

	void *control;
	struct memsync_wire_pages *head;
	void *bounce;
	struct iovec iov[MEMSYNC_WIRE_FRAME_PAGES];
	struct memsync_ahead ahead;
	u64 barrier;
	u64 barrier_time;
	u64 applied;
	size_t unacked;
	u64 digest_next;
	struct {
		struct memsync_wire_digest_reply head;
		struct memsync_wire_stretch stretches[MEMSYNC_WIRE_MISMATCHES];
	} reply;

	enum memsync_wire_code code;
	char failure[MEMSYNC_WIRE_REASON_LEN];
};

/* ---- sink.c ---- */

/* Takes @sock over in any case, and serves it. @net: the listener's. */
void memsync_conn_start(struct socket *sock, struct net *net, bool plaintext);
/* Remembers why the connection must end; returns -EPROTO. The first reason stays. */
__printf(3, 4)
int memsync_conn_fail(struct memsync_conn *conn, enum memsync_wire_code code,
		      const char *fmt, ...);
/* Reads a frame without contents to conn->control. */
int memsync_conn_read(struct memsync_conn *conn);

/* ---- handshake.c ---- */

/* From HELLO to HELLO_ACK: afterwards @conn is its region's source. */
int memsync_handshake(struct memsync_conn *conn);
/* Waits until conn->deadline for a frame of this MEMSYNC_WIRE_TYPE(), and reads it. */
int memsync_conn_await(struct memsync_conn *conn, u32 type);
/* Reads GEOMETRY frames into conn->lengths, up to conn->hello.nr_ranges. */
int memsync_handshake_geometry(struct memsync_conn *conn);
/* Does conn->hello suit its region? region->lock held. */
int memsync_handshake_check_size(struct memsync_conn *conn);

/* ---- offer.c ---- */

/* Where ranges are offered to the region's owner: tells, and waits for the answer. */
int memsync_offer(struct memsync_conn *conn);
/* A GROW frame was read: the rest of what belongs to it, and the answer. */
int memsync_offer_more(struct memsync_conn *conn);

/* ---- apply.c ---- */

/* Until the connection is lost. Always returns an error. */
int memsync_apply(struct memsync_conn *conn);

/* ---- target.c: the memory of the sink's process ---- */

/* All run with the mm in use and -EFAULT has been explained with memsync_conn_fail(). */
int memsync_target_get(struct memsync_conn *conn);
void memsync_target_put(struct memsync_conn *conn);
/* Consumes the contents of a PAGES frame, whose descriptors are in conn->head, checked. */
int memsync_target_write(struct memsync_conn *conn);
/* Compares; adds to conn->reply. */
int memsync_target_compare(struct memsync_conn *conn, const struct memsync_wire_digest_run *run);

/* ---- ahead.c ---- */

void memsync_ahead_start(struct memsync_ahead *ahead, struct mm_struct *mm);
/* Waits. */
void memsync_ahead_stop(struct memsync_ahead *ahead);
void memsync_ahead_applied(struct memsync_ahead *ahead, const struct memsync_region *region,
			   u64 offset, u64 length);
int memsync_ahead_init(void);
void memsync_ahead_exit(void);

/* ---- hold.c ---- */

/* May the next pass begin to be applied? region->lock held. */
bool memsync_hold_off(const struct memsync_region *region);
/* A pass has ended: returns whether a hold begins, to be told. region->lock held. */
bool memsync_hold_begin(struct memsync_region *region);
/* Ends a hold, if there is one. Without region->lock. */
void memsync_hold_end(struct memsync_region *region, int err, const char *reason);
/* The source is lost: a hold that has not begun cannot begin. region->lock held. */
void memsync_hold_source_lost(struct memsync_region *region);

/* ---- watch.c ---- */

void memsync_sink_unwatch(struct memsync_region *region);

/* ---- listen.c ---- */

void memsync_listeners_exit(void);

#endif /* _MEMSYNC_CONN_H */
