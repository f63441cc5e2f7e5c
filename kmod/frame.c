// SPDX-License-Identifier: GPL-2.0
/*
 * memsync: frames over a connected socket.
 *
 * A frame that arrives is looked at where TCP keeps it: its sum is taken from
 * the receive queue, and only a frame that is whole and right is consumed. The
 * queue changes under the socket lock only, and from the front only by us.
 */
#include <linux/kernel.h>
#include <linux/lockdep.h>
#include <linux/net.h>
#include <linux/skbuff.h>
#include <linux/xxhash.h>
#include <net/sock.h>
#include <net/tcp.h>
#include "tcp.h"

/* ---- sending ---- */

static bool writable(struct memsync_tcp *tcp)
{
	return sk_stream_is_writeable(tcp->sock->sk) || memsync_tcp_closed(tcp);
}

/* Space may take as long as the peer likes, as long as it is heard. */
static int await_space(struct memsync_tcp *tcp)
{
	int err;

	if (tcp->inbound) {
		err = tcp->inbound(tcp);
		if (err < 0)
			return err;
	} else if (time_after(jiffies, tcp->sent + MEMSYNC_TCP_SILENCE)) {
		return -ETIMEDOUT;
	}
	/* Room in the buffer, but no memory for it: as sk_stream_wait_memory() does. */
	if (writable(tcp) && !memsync_thread_stopping(tcp->owner))
		schedule_timeout_interruptible(HZ / 50);
	wait_event_interruptible_timeout(tcp->owner->wq,
					 writable(tcp) || memsync_thread_stopping(tcp->owner) ||
					 (tcp->inbound && memsync_tcp_readable(tcp)),
					 MEMSYNC_TCP_PING);
	return memsync_thread_stopping(tcp->owner) ? -ESHUTDOWN : 0;
}

static int send_all(struct memsync_tcp *tcp, struct iov_iter *iter, int flags)
{
	struct msghdr msg = {};
	int n, err;

	/* Whoever waits for a lock must not wait for a peer: least of all for the mmap lock. */
	lockdep_assert_none_held_once();
	while (iov_iter_count(iter)) {
		msg.msg_flags = flags | MSG_DONTWAIT | MSG_NOSIGNAL;
		msg.msg_iter = *iter;
		n = sock_sendmsg(tcp->sock, &msg);
		if (n > 0) {
			iov_iter_advance(iter, n);
			tcp->sent = jiffies;
			tcp->broken = true;
			if (tcp->shipped)
				atomic64_add(n, tcp->shipped);
			continue;
		}
		if (n != -EAGAIN)
			return n ?: -EPIPE;
		err = await_space(tcp);
		if (err)
			return err;
	}
	return 0;
}

static u64 sum_header(const struct memsync_wire_header *h)
{
	struct memsync_wire_header zeroed = *h;

	zeroed.sum = 0;
	return xxh64(&zeroed, sizeof(zeroed), 0);
}

static u32 first_block(u32 len)
{
	return len % MEMSYNC_WIRE_BLOCK ?: min(len, MEMSYNC_WIRE_BLOCK);
}

/* Of a payload, or of a part of it that whole blocks follow. */
static u64 sum_blocks(u64 sum, const void *data, u32 len)
{
	u32 n = first_block(len);

	for (; len; n = MEMSYNC_WIRE_BLOCK) {
		sum = xxh64(data, n, sum);
		data += n;
		len -= n;
	}
	return sum;
}

/* A frame is sent whole, or not at all and its number is free, or nothing can follow. */
static int sent(struct memsync_tcp *tcp, int err)
{
	if (!err)
		tcp->broken = false;
	else if (!tcp->broken)
		tcp->tx_seq--;
	return err;
}

int memsync_tcp_send(struct memsync_tcp *tcp, enum memsync_wire_type type, u16 flags,
		     const void *payload, u32 length, bool more)
{
	struct memsync_wire_header h;
	struct iov_iter iter;
	struct kvec vec[2] = {
		{ .iov_base = &h, .iov_len = sizeof(h) },
		{ .iov_base = (void *)payload, .iov_len = length },
	};
	int err;

	if (tcp->broken)
		return -EPIPE;
	memsync_wire_header_fill(&h, type, flags, length, tcp->tx_seq++);
	h.sum = cpu_to_le64(sum_blocks(sum_header(&h), payload, length));

	iov_iter_kvec(&iter, ITER_SOURCE, vec, length ? 2 : 1, sizeof(h) + length);
	err = send_all(tcp, &iter, more ? MSG_MORE : 0);
	return sent(tcp, err);
}

int memsync_tcp_send_pages(struct memsync_tcp *tcp, struct memsync_frame *frame)
{
	struct memsync_wire_header *h = memsync_frame_header(frame);
	struct memsync_wire_pages *w = memsync_frame_pages(frame);
	u32 head = MEMSYNC_WIRE_PAGES_HEAD(le32_to_cpu(w->nr_descs));
	u32 contents = le32_to_cpu(w->nr_pages) * PAGE_SIZE;
	struct kvec vec = { .iov_base = frame->head, .iov_len = sizeof(*h) + head };
	struct iov_iter iter;
	unsigned int i;
	u64 sum;
	int err;

	if (tcp->broken)
		return -EPIPE;
	memsync_wire_header_fill(h, MEMSYNC_WIRE_PAGES, 0, head + contents, tcp->tx_seq++);
	sum = sum_blocks(sum_header(h), w, head);
	for (i = 0; i < frame->nr_bvecs; i++)
		sum = sum_blocks(sum, bvec_virt(&frame->bvecs[i]), frame->bvecs[i].bv_len);
	h->sum = cpu_to_le64(sum);

	iov_iter_kvec(&iter, ITER_SOURCE, &vec, 1, vec.iov_len);
	err = send_all(tcp, &iter, MSG_MORE);
	if (!err && contents) {
		iov_iter_bvec(&iter, ITER_SOURCE, frame->bvecs, frame->nr_bvecs, contents);
		err = send_all(tcp, &iter, MSG_MORE | MSG_SPLICE_PAGES);
	}
	return sent(tcp, err);
}

void memsync_tcp_send_error(struct memsync_tcp *tcp, enum memsync_wire_code code,
			    const char *reason)
{
	struct memsync_wire_error w;

	if (!tcp->sock || tcp->broken || !writable(tcp) || memsync_tcp_closed(tcp))
		return;
	memsync_wire_put_error(&w, code, reason);
	memsync_tcp_send(tcp, MEMSYNC_WIRE_ERROR, 0, &w, sizeof(w), false);
}

int memsync_tcp_keep_alive(struct memsync_tcp *tcp)
{
	if (time_before(jiffies, tcp->sent + MEMSYNC_TCP_PING))
		return 0;
	return memsync_tcp_send(tcp, MEMSYNC_WIRE_PING, 0, NULL, 0, false);
}

/* ---- looking at the receive queue ---- */

/* Calls @step on the stretches of @len bytes from @offset, under the socket lock. */
static int walk_queue(struct sock *sk, u32 offset, u32 len,
		      void (*step)(void *to, const u8 *data, u32 len), void *to)
{
	u32 seq = tcp_sk(sk)->copied_seq + offset;
	struct sk_buff *skb;

	sock_owned_by_me(sk);
	skb_queue_walk(&sk->sk_receive_queue, skb) {
		u32 from = seq - TCP_SKB_CB(skb)->seq;
		struct skb_seq_state st;
		unsigned int done, part;
		const u8 *data;
		u32 n;

		if (!len)
			break;
		if (from >= skb->len)
			continue;
		n = min(len, skb->len - from);
		skb_prepare_seq_read(skb, from, from + n, &st);
		for (done = 0; (part = skb_seq_read(done, &data, &st)); done += part) {
			part = min(part, n - done);
			step(to, data, part);
		}
		if (done < n)
			return -EIO;
		seq += n;
		len -= n;
	}
	return len ? -EIO : 0;
}

static void step_copy(void *to, const u8 *data, u32 len)
{
	u8 **p = to;

	memcpy(*p, data, len);
	*p += len;
}

/**
 * struct summing - the sum of a payload that lies in pieces
 * @sum: so far
 * @block: the current block, as far as it did not lie in one piece
 * @size: of it
 * @have: bytes that are in @block
 */
struct summing {
	u64 sum;
	u8 *block;
	u32 size;
	u32 have;
};

static void sum_block(struct summing *s, const u8 *block)
{
	s->sum = xxh64(block, s->size, s->sum);
	s->size = MEMSYNC_WIRE_BLOCK;
	s->have = 0;
}

static void step_sum(void *to, const u8 *data, u32 len)
{
	struct summing *s = to;

	while (len) {
		u32 n = min(len, s->size - s->have);

		if (n == s->size) {
			sum_block(s, data);
		} else {
			memcpy(s->block + s->have, data, n);
			s->have += n;
			if (s->have == s->size)
				sum_block(s, s->block);
		}
		data += n;
		len -= n;
	}
}

static int peek_queue(struct memsync_tcp *tcp, u32 offset, void *buf, u32 len)
{
	struct sock *sk = tcp->sock->sk;
	u8 *to = buf;
	int err;

	lock_sock(sk);
	err = walk_queue(sk, offset, len, step_copy, &to);
	release_sock(sk);
	return err;
}

int memsync_tcp_peek(struct memsync_tcp *tcp, u32 offset, void *buf, u32 len)
{
	return peek_queue(tcp, sizeof(tcp->head) + offset, buf, len);
}

static bool sum_right(struct memsync_tcp *tcp)
{
	u32 len = memsync_tcp_length(tcp);
	struct sock *sk = tcp->sock->sk;
	struct summing s = {
		.sum = sum_header(&tcp->head),
		.block = tcp->block,
		.size = first_block(len),
	};
	int err;

	lock_sock(sk);
	err = walk_queue(sk, sizeof(tcp->head), len, step_sum, &s);
	release_sock(sk);
	return !err && s.sum == le64_to_cpu(tcp->head.sum);
}

/* ---- waiting for frames ---- */

static void listen_up(struct memsync_tcp *tcp)
{
	u32 rcv_nxt = READ_ONCE(tcp_sk(tcp->sock->sk)->rcv_nxt);

	if (rcv_nxt == tcp->rcv_nxt)
		return;
	tcp->rcv_nxt = rcv_nxt;
	tcp->heard = jiffies;
}

static int too_late(struct memsync_wire_fault *fault, const char *reason)
{
	*fault = (struct memsync_wire_fault) { MEMSYNC_WIRE_TIMEOUT, reason };
	return -EPROTO;
}

/* Why it makes no sense to wait any longer, or 0. */
static int check_silence(struct memsync_tcp *tcp, struct memsync_wire_fault *fault)
{
	int err = memsync_tcp_lost(tcp);

	if (err)
		return err;
	if (time_after(jiffies, tcp->heard + MEMSYNC_TCP_SILENCE))
		return too_late(fault, "the peer has fallen silent");
	if (tcp->started && time_after(jiffies, tcp->started + MEMSYNC_TCP_FRAME))
		return too_late(fault, "a frame took too long to arrive");
	return 0;
}

/* What speaks another protocol may wait for an answer long before it has sent a header. */
static int check_beginning(struct memsync_tcp *tcp, struct memsync_wire_fault *fault)
{
	__le32 magic;
	int err;

	err = peek_queue(tcp, 0, &magic, sizeof(magic));
	if (!err && !memsync_wire_check_magic(magic, fault))
		err = -EPROTO;
	return err;
}

/* The header is not all there. */
static int look_at_part(struct memsync_tcp *tcp, int inq, struct memsync_wire_fault *fault)
{
	int err = 0;

	if (inq >= (int)sizeof(__le32)) {
		err = check_beginning(tcp, fault);
		memsync_tcp_want(tcp, sizeof(tcp->head));
	}
	return err ?: check_silence(tcp, fault);
}

/* One step towards a whole frame: 1 when it is there, 0 when more must arrive. */
static int look(struct memsync_tcp *tcp, u32 types, struct memsync_wire_fault *fault)
{
	int inq = tcp_inq(tcp->sock->sk);
	int err;

	listen_up(tcp);
	if (inq > 0 && !tcp->started)
		tcp->started = jiffies | 1;

	if (!tcp->has_head) {
		if (inq < (int)sizeof(tcp->head))
			return look_at_part(tcp, inq, fault);
		err = peek_queue(tcp, 0, &tcp->head, sizeof(tcp->head));
		if (err)
			return err;
		if (!memsync_wire_check_header(&tcp->head, types, tcp->rx_seq, PAGE_SIZE, fault))
			return -EPROTO;
		tcp->has_head = true;
		memsync_tcp_want(tcp, sizeof(tcp->head) + memsync_tcp_length(tcp));
	}
	if (inq < tcp->need)
		return check_silence(tcp, fault);
	if (!sum_right(tcp)) {
		*fault = (struct memsync_wire_fault) {
			MEMSYNC_WIRE_CHECKSUM, "frame with a wrong checksum",
		};
		return -EPROTO;
	}
	return 1;
}

int memsync_tcp_next(struct memsync_tcp *tcp, u32 types, long timeout,
		     struct memsync_wire_fault *fault)
{
	int ret;

	for (;;) {
		ret = look(tcp, types, fault);
		if (ret || !timeout)
			return ret;
		timeout = wait_event_interruptible_timeout(tcp->owner->wq,
							   memsync_tcp_readable(tcp) ||
							   memsync_thread_stopping(tcp->owner),
							   timeout);
		if (memsync_thread_stopping(tcp->owner))
			return -ESHUTDOWN;
	}
}

/* ---- consuming ---- */

static int receive(struct memsync_tcp *tcp, struct iov_iter *iter, size_t len, int flags,
		   size_t *done)
{
	struct msghdr msg = { .msg_iter = *iter };
	int n;

	/* one call may stop early, at an urgent mark */
	for (*done = 0; *done < len; *done += n) {
		n = sock_recvmsg(tcp->sock, &msg, flags | MSG_DONTWAIT);
		if (n <= 0)
			return n ?: -ENOTCONN;
		iov_iter_truncate(&msg.msg_iter, len - *done - n);
	}
	return 0;
}

int memsync_tcp_skip(struct memsync_tcp *tcp, u32 head)
{
	size_t len = sizeof(tcp->head) + head;
	struct kvec vec = { .iov_base = &tcp->head, .iov_len = len };
	struct iov_iter iter;
	size_t done;

	/* nothing is written: MSG_TRUNC drops the bytes */
	iov_iter_kvec(&iter, ITER_DEST, &vec, 1, len);
	return receive(tcp, &iter, len, MSG_TRUNC, &done);
}

int memsync_tcp_read(struct memsync_tcp *tcp, void *buf)
{
	u32 len = memsync_tcp_length(tcp);
	struct kvec vec = { .iov_base = buf, .iov_len = len };
	struct iov_iter iter;
	size_t done;
	int err;

	err = memsync_tcp_skip(tcp, 0);
	if (!err && len) {
		iov_iter_kvec(&iter, ITER_DEST, &vec, 1, len);
		err = receive(tcp, &iter, len, 0, &done);
	}
	if (!err)
		memsync_tcp_done(tcp);
	return err;
}

int memsync_tcp_read_user(struct memsync_tcp *tcp, const struct iovec *iov, unsigned int nr,
			  size_t len, size_t *done)
{
	struct iov_iter iter;

	iov_iter_init(&iter, ITER_DEST, iov, nr, len);
	return receive(tcp, &iter, len, 0, done);
}

void memsync_tcp_done(struct memsync_tcp *tcp)
{
	tcp->rx_seq++;
	tcp->heard = jiffies;
	tcp->has_head = false;
	tcp->started = 0;
	memsync_tcp_want(tcp, sizeof(struct memsync_wire_header));
}
