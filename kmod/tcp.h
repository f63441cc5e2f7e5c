/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMSYNC_TCP_H
#define _MEMSYNC_TCP_H

#include <linux/bvec.h>
#include <linux/jiffies.h>
#include <linux/socket.h>
#include <linux/types.h>
#include <linux/uio.h>
#include <linux/wait.h>
#include "thread.h"
#include "wire.h"

struct sock;
struct socket;

#define MEMSYNC_TCP_CONNECT	(5 * HZ)
#define MEMSYNC_TCP_PING	HZ		/* nothing sent for so long: send a PING */
#define MEMSYNC_TCP_SILENCE	(15 * HZ)	/* nothing heard for so long: it is dead */
#define MEMSYNC_TCP_FRAME	(20 * HZ)	/* from a frame's first byte to its last */
#define MEMSYNC_TCP_IN_FLIGHT	(4 << 20)	/* bytes, sent and not acknowledged */

/**
 * struct memsync_tcp - one kernel socket, used by one thread
 * @sock: NULL while there is none
 * @owner: the thread; it alone uses this. Every wait ends when it is to stop.
 * @poll: on the socket's wait queue: wakes @owner
 * @inbound: called while a send waits for space, so that the other side is
 *	heard meanwhile; an error from it ends the send. May be NULL.
 * @shipped: counts all bytes written to the socket, or NULL
 * @tx_seq: of the next frame sent
 * @rx_seq: of the next frame received
 * @sent: jiffies, when something was sent last
 * @heard: jiffies, when something arrived last
 * @rcv_nxt: TCP's, when it was looked at last
 * @need: bytes that must be in the receive queue for the next step
 * @started: jiffies, when the first byte of the next frame was seen
 * @has_head: @head is that of the frame at the front of the queue
 * @head: as received
 * @broken: part of a frame was sent; nothing else can be
 * @block: of a frame's payload, put together from where it lies in pieces
 */
struct memsync_tcp {
	struct socket *sock;
	struct memsync_thread *owner;
	wait_queue_entry_t poll;
	int (*inbound)(struct memsync_tcp *tcp);
	atomic64_t *shipped;
	u64 tx_seq;
	u64 rx_seq;
	unsigned long sent;
	unsigned long heard;
	u32 rcv_nxt;
	u32 need;
	unsigned long started;
	bool has_head;
	struct memsync_wire_header head;
	bool broken;
	u8 block[MEMSYNC_WIRE_BLOCK];
};

/* ---- tcp.c: sockets ---- */

/*
 * All return 0 or -errno; -ESHUTDOWN when the owner is to stop. Context: the
 * owning thread, unless said otherwise; they sleep.
 */
int memsync_tcp_connect(struct memsync_tcp *tcp, struct net *net,
			const struct sockaddr_storage *addr);
/* Any process context; memsync_tcp_close() undoes it. */
int memsync_tcp_listen(struct memsync_tcp *tcp, struct net *net,
		       const struct sockaddr_storage *addr);
/* Waits for a connection. */
int memsync_tcp_accept(struct memsync_tcp *listener, struct socket **sock);
/* Takes an accepted socket over; cannot fail. Any process context. */
void memsync_tcp_adopt(struct memsync_tcp *tcp, struct socket *sock);
/* Makes room for pages, once the peer is known. */
void memsync_tcp_widen(struct memsync_tcp *tcp);
/*
 * Closes it; @grace jiffies are left to the peer for reading what was sent last.
 * Any process context.
 */
void memsync_tcp_close(struct memsync_tcp *tcp, unsigned long grace);

/* Do both ends of the connection lie on this host's loopback? */
bool memsync_tcp_loopback(struct memsync_tcp *tcp);
int memsync_tcp_trusted(struct memsync_tcp *tcp);
int memsync_tcp_peer_addr(struct memsync_tcp *tcp, struct sockaddr_storage *addr);
/* For people. */
const char *memsync_tcp_strerror(int err);

bool memsync_addr_loopback(const struct sockaddr_storage *addr);
bool memsync_addr_equal(const struct sockaddr_storage *a, const struct sockaddr_storage *b);
/* An IPv4 address becomes ::ffff:a.b.c.d. */
void memsync_addr_to_v6(const struct sockaddr_storage *addr, struct in6_addr *v6);

/* @need bytes are wanted: the socket wakes the owner when they are there, not before. */
void memsync_tcp_want(struct memsync_tcp *tcp, u32 need);
/* Is the connection gone, as far as TCP knows? */
bool memsync_tcp_closed(struct memsync_tcp *tcp);
/* 0, or the error by which it went, or -ENOTCONN where the peer just closed it. */
int memsync_tcp_lost(struct memsync_tcp *tcp);
/* Is there what the next step needs, or an end? Without locks: a wait condition. */
bool memsync_tcp_readable(struct memsync_tcp *tcp);

/* ---- frame.c: frames over a connected socket ---- */

/**
 * struct memsync_frame - a PAGES frame to be sent
 * @nr_bvecs: stretches of contents
 * @bvecs: them; their pages must not change until TCP has let go of them
 * @head: the header, and the head of the payload behind it
 */
struct memsync_frame {
	unsigned int nr_bvecs;
	struct bio_vec bvecs[MEMSYNC_WIRE_FRAME_PAGES];
	u8 head[sizeof(struct memsync_wire_header) +
		MEMSYNC_WIRE_PAGES_HEAD(MEMSYNC_WIRE_FRAME_DESCS)] __aligned(8);
};

static inline struct memsync_wire_header *memsync_frame_header(struct memsync_frame *frame)
{
	return (struct memsync_wire_header *)frame->head;
}

static inline struct memsync_wire_pages *memsync_frame_pages(struct memsync_frame *frame)
{
	return (struct memsync_wire_pages *)(memsync_frame_header(frame) + 1);
}

/* A frame without page contents. @more: another one follows at once. */
int memsync_tcp_send(struct memsync_tcp *tcp, enum memsync_wire_type type, u16 flags,
		     const void *payload, u32 length, bool more);
/* Completes the header; nr_descs and nr_pages are set. */
int memsync_tcp_send_pages(struct memsync_tcp *tcp, struct memsync_frame *frame);
/* Sends an ERROR if one can be; never waits for long. */
void memsync_tcp_send_error(struct memsync_tcp *tcp, enum memsync_wire_code code,
			    const char *reason);
/* A PING if nothing was sent for a while. */
int memsync_tcp_keep_alive(struct memsync_tcp *tcp);

/**
 * memsync_tcp_next - wait until a whole frame is in the receive queue
 * @tcp: the connection
 * @types: MEMSYNC_WIRE_TYPE() of those that may come now
 * @timeout: jiffies to wait for it; 0 only looks
 * @fault: filled in for -EPROTO
 *
 * Header and sum have been checked then; the header is in @tcp->head, and it
 * is to be consumed with memsync_tcp_read() and the like, all of it.
 *
 * Return: 1; 0 if none was there in time; -EPROTO for a frame that is not right,
 * and when the other side is silent or takes too long for one; -ESHUTDOWN;
 * -ENOTCONN at the end, or the socket's error.
 */
int memsync_tcp_next(struct memsync_tcp *tcp, u32 types, long timeout,
		     struct memsync_wire_fault *fault);
static inline u32 memsync_tcp_length(const struct memsync_tcp *tcp)
{
	return le32_to_cpu(tcp->head.length);
}

/* @len bytes of the frame's payload from @offset, left in the queue. */
int memsync_tcp_peek(struct memsync_tcp *tcp, u32 offset, void *buf, u32 len);
/* Consumes header and payload, which goes to @buf. */
int memsync_tcp_read(struct memsync_tcp *tcp, void *buf);
/* Consumes header and the first @head bytes of the payload. */
int memsync_tcp_skip(struct memsync_tcp *tcp, u32 head);
/*
 * Consumes the rest, @len bytes, into memory of the mm in use. -EFAULT where that
 * cannot be written; *@done bytes were.
 */
int memsync_tcp_read_user(struct memsync_tcp *tcp, const struct iovec *iov, unsigned int nr,
			  size_t len, size_t *done);
/* The frame is consumed; the next one may come. */
void memsync_tcp_done(struct memsync_tcp *tcp);

#endif /* _MEMSYNC_TCP_H */
