// SPDX-License-Identifier: GPL-2.0
/*
 * memsync: what a source sends is applied.
 *
 * A frame is applied when all of it is there and all of it is right. What the
 * replica is between two frames is told by region->mid_pass: it goes true, under
 * region->lock and only when no hold is in force, before the first page of a pass is
 * written, and false at the barrier that ends the pass.
 */
#include <linux/sizes.h>
#include "conn.h"

#define ACK_BYTES	SZ_1M

#define TYPES (MEMSYNC_WIRE_TYPE(PAGES) | MEMSYNC_WIRE_TYPE(BARRIER) | \
	       MEMSYNC_WIRE_TYPE(DIGEST) | MEMSYNC_WIRE_TYPE(GROW) | \
	       MEMSYNC_WIRE_TYPE(PING) | MEMSYNC_WIRE_TYPE(ERROR))

static int bad(struct memsync_conn *conn, const struct memsync_wire_fault *fault)
{
	return memsync_conn_fail(conn, fault->code, "%s", fault->reason);
}

static int send_ack(struct memsync_conn *conn)
{
	struct memsync_wire_ack w = {
		.seq = cpu_to_le64(conn->tcp.rx_seq - 1),
		.pages = cpu_to_le64(conn->applied),
		.barrier = cpu_to_le64(conn->barrier),
		.time = cpu_to_le64(conn->barrier_time),
	};

	conn->unacked = 0;
	return memsync_tcp_send(&conn->tcp, MEMSYNC_WIRE_ACK, 0, &w, sizeof(w), false);
}

/* ---- passes and holds ---- */

/* Waits while the sink is held. The source hears of us, so it keeps the connection. */
static int await_release(struct memsync_conn *conn)
{
	struct memsync_region *region = conn->region;

	wait_event_interruptible_timeout(conn->thread.wq,
					 !READ_ONCE(region->hold) ||
					 memsync_thread_stopping(&conn->thread) ||
					 memsync_tcp_closed(&conn->tcp), MEMSYNC_TCP_PING);
	if (memsync_thread_stopping(&conn->thread))
		return -ESHUTDOWN;
	if (memsync_tcp_closed(&conn->tcp))
		return -ENOTCONN;
	return memsync_tcp_keep_alive(&conn->tcp);
}

/* The replica is about to change. */
static int enter_pass(struct memsync_conn *conn)
{
	struct memsync_region *region = conn->region;
	bool held;
	int err;

	/* only this thread changes it while it is the source */
	if (READ_ONCE(region->mid_pass))
		return 0;
	for (;;) {
		mutex_lock(&region->lock);
		held = memsync_hold_off(region);
		if (!held)
			WRITE_ONCE(region->mid_pass, true);
		mutex_unlock(&region->lock);
		if (!held)
			return 0;
		err = await_release(conn);
		if (err)
			return err;
	}
}

static int reach_barrier(struct memsync_conn *conn, u64 id, u64 time)
{
	struct memsync_region *region = conn->region;
	bool held;
	int err;

	for (;;) {
		mutex_lock(&region->lock);
		held = memsync_hold_off(region);
		if (!held) {
			WRITE_ONCE(region->mid_pass, false);
			region->barrier_id = id;
			region->barrier_time = time;
			if (region->state == MEMSYNC_REGION_SYNCING)
				memsync_region_set_state(region, MEMSYNC_REGION_SYNCED, NULL);
			if (memsync_hold_begin(region))
				memsync_events->held(region, id, 0, NULL);
		}
		mutex_unlock(&region->lock);
		if (!held)
			break;
		err = await_release(conn);
		if (err)
			return err;
	}
	conn->barrier = id;
	conn->barrier_time = time;
	return 0;
}

/* ---- frames ---- */

/* The descriptors, looked at where they are, copied once, and checked. */
static int read_head(struct memsync_conn *conn)
{
	u32 length = memsync_tcp_length(&conn->tcp);
	struct memsync_wire_fault fault;
	u32 head;
	int err;

	err = memsync_tcp_peek(&conn->tcp, 0, conn->head, sizeof(*conn->head));
	if (err)
		return err;
	head = memsync_wire_pages_head(conn->head, length, PAGE_SIZE, &fault);
	if (!head)
		return bad(conn, &fault);
	err = memsync_tcp_peek(&conn->tcp, sizeof(*conn->head), conn->head->descs,
			       head - sizeof(*conn->head));
	if (err)
		return err;
	if (!memsync_wire_check_descs(conn->head, conn->region->size, PAGE_SIZE, &fault))
		return bad(conn, &fault);
	return 0;
}

static int apply_pages(struct memsync_conn *conn)
{
	u32 length = memsync_tcp_length(&conn->tcp);
	int err;

	err = read_head(conn) ?: enter_pass(conn) ?: memsync_target_get(conn);
	if (err)
		return err;
	err = memsync_target_write(conn);
	memsync_target_put(conn);
	if (err)
		return err;
	conn->unacked += length;
	return conn->unacked >= ACK_BYTES ? send_ack(conn) : 0;
}

static int apply_barrier(struct memsync_conn *conn)
{
	const struct memsync_wire_barrier *w = conn->control;
	struct memsync_wire_fault fault;

	if (!memsync_wire_check_barrier(w, conn->barrier, &fault))
		return bad(conn, &fault);
	return reach_barrier(conn, le64_to_cpu(w->id), le64_to_cpu(w->time)) ?: send_ack(conn);
}

static int send_reply(struct memsync_conn *conn)
{
	u32 nr = le32_to_cpu(conn->reply.head.nr);
	int err;

	err = memsync_tcp_send(&conn->tcp, MEMSYNC_WIRE_DIGEST_REPLY, 0, &conn->reply,
			       struct_size(&conn->reply.head, stretches, nr), false);
	memset(&conn->reply, 0, sizeof(conn->reply));
	conn->digest_next = 0;
	return err;
}

static int compare(struct memsync_conn *conn, u16 flags, u32 length)
{
	const struct memsync_wire_digest *w = conn->control;
	struct memsync_wire_fault fault;
	int err;
	u32 i;

	if (!memsync_wire_check_digest(w, length, conn->region->size, PAGE_SIZE,
				       &conn->digest_next, &fault))
		return bad(conn, &fault);
	err = memsync_target_get(conn);
	if (err)
		return err;
	for (i = 0; i < le32_to_cpu(w->nr) && !err; i++)
		err = memsync_target_compare(conn, &w->runs[i]);
	memsync_target_put(conn);
	if (!err && flags & MEMSYNC_WIRE_F_LAST)
		err = send_reply(conn);
	return err;
}

static int apply_frame(struct memsync_conn *conn)
{
	u16 flags = le16_to_cpu(conn->tcp.head.flags);
	u32 length = memsync_tcp_length(&conn->tcp);
	u8 type = conn->tcp.head.type;
	int err;

	if (type == MEMSYNC_WIRE_PAGES)
		return apply_pages(conn);
	err = memsync_conn_read(conn);
	if (err)
		return err;
	switch (type) {
	case MEMSYNC_WIRE_BARRIER:
		return apply_barrier(conn);
	case MEMSYNC_WIRE_DIGEST:
		return compare(conn, flags, length);
	case MEMSYNC_WIRE_GROW:
		return memsync_offer_more(conn);
	default:
		return 0;
	}
}

/* Nothing is there to be applied: what was is acknowledged first. */
static int await_frame(struct memsync_conn *conn, struct memsync_wire_fault *fault)
{
	int err;

	err = conn->unacked ? send_ack(conn) : memsync_tcp_keep_alive(&conn->tcp);
	return err ?: memsync_tcp_next(&conn->tcp, TYPES, MEMSYNC_TCP_PING, fault);
}

int memsync_apply(struct memsync_conn *conn)
{
	struct memsync_wire_fault fault;
	int ret;

	for (;;) {
		ret = memsync_tcp_next(&conn->tcp, TYPES, 0, &fault);
		if (!ret)
			ret = await_frame(conn, &fault);
		if (ret == -EPROTO)
			return bad(conn, &fault);
		if (ret > 0)
			ret = apply_frame(conn);
		if (ret < 0)
			return ret;
		if (memsync_thread_stopping(&conn->thread))
			return -ESHUTDOWN;
	}
}
