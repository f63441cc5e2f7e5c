// SPDX-License-Identifier: GPL-2.0
/*
 * memsync: an accepted connection, from its first byte to its last.
 *
 *	accepted --HELLO, GEOMETRY--> attached (region->source) --> applying
 *	accepted --too slow, unknown, not permitted--> closed
 *	attached, applying --lost, bad, stopped--> closed
 *
 * A peer may trigger a line in the log, but not many.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/net.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include "conn.h"

#define MAX_HANDSHAKES	64		/* connections that have not proved themselves */
#define HANDSHAKE	(10 * HZ)
#define LAST_WORDS	HZ
#define LAST_WORDS_STOP	(HZ / 4)	/* somebody waits */

static atomic_t handshakes = ATOMIC_INIT(0);

int memsync_conn_fail(struct memsync_conn *conn, enum memsync_wire_code code,
		      const char *fmt, ...)
{
	va_list args;

	if (!conn->failure[0]) {
		va_start(args, fmt);
		vsnprintf(conn->failure, sizeof(conn->failure), fmt, args);
		va_end(args);
		conn->code = code;
	}
	return -EPROTO;
}

/* The source closes, and says why. */
static int handle_error(struct memsync_conn *conn)
{
	char reason[MEMSYNC_WIRE_REASON_LEN - 16];
	enum memsync_wire_code code;

	code = memsync_wire_get_error(conn->control, reason, sizeof(reason));
	memsync_conn_fail(conn, code, "peer: %s", reason);
	conn->tcp.broken = true;	/* there is nobody to tell */
	return -ECONNABORTED;
}

int memsync_conn_read(struct memsync_conn *conn)
{
	bool error = conn->tcp.head.type == MEMSYNC_WIRE_ERROR;
	int err;

	err = memsync_tcp_read(&conn->tcp, conn->control);
	if (!err && error)
		err = handle_error(conn);
	return err;
}

static void uncount(struct memsync_conn *conn)
{
	if (conn->counted)
		atomic_dec(&handshakes);
	conn->counted = false;
}

/* ---- the end ---- */

static void detach(struct memsync_conn *conn)
{
	struct memsync_region *region = conn->region;
	bool was;

	mutex_lock(&region->lock);
	was = conn->attached;
	conn->attached = false;
	if (was) {
		region->source = NULL;
		memsync_hold_source_lost(region);
		memsync_region_offer(region, NULL, 0);
		if (region->state != MEMSYNC_REGION_WAITING)
			memsync_region_set_state(region, MEMSYNC_REGION_DISCONNECTED,
						 conn->failure);
	}
	mutex_unlock(&region->lock);
	if (was)
		wake_up_all(&region->answered);
}

static void say_farewell(struct memsync_conn *conn)
{
	struct memsync_region *region = conn->region;
	char reason[MEMSYNC_REASON_MAX + 32] = "the sink does not listen any more";

	if (region) {
		mutex_lock(&region->lock);
		if (region->state == MEMSYNC_REGION_GONE)
			snprintf(reason, sizeof(reason), "the sink ended: %s",
				 region->reason[0] ? region->reason : "unregistered");
		else
			strscpy(reason, "the connection gave way to a new one", sizeof(reason));
		mutex_unlock(&region->lock);
	}
	memsync_conn_fail(conn, MEMSYNC_WIRE_ENDED, "%s", reason);
}

static void explain(struct memsync_conn *conn, int err)
{
	if (memsync_thread_stopping(&conn->thread))
		say_farewell(conn);
	if (!conn->failure[0])
		strscpy(conn->failure, memsync_tcp_strerror(err), sizeof(conn->failure));
	if (conn->region)
		pr_notice_ratelimited("sink %s: connection from %pISpc ended: %s\n",
				      conn->region->name, &conn->addr, conn->failure);
	else
		pr_notice_ratelimited("connection from %pISpc refused: %s\n", &conn->addr,
				      conn->failure);
}

static void run(struct memsync_thread *thread)
{
	struct memsync_conn *conn = container_of(thread, struct memsync_conn, thread);
	int err;

	err = memsync_handshake(conn);
	if (!err) {
		uncount(conn);
		memsync_ahead_start(&conn->ahead, conn->region->mm);
		err = memsync_apply(conn);
		memsync_ahead_stop(&conn->ahead);
	}

	explain(conn, err);
	if (conn->code)
		memsync_tcp_send_error(&conn->tcp, conn->code, conn->failure);
	/* before the slow part, so that a new connection finds the sink free */
	if (conn->region)
		detach(conn);
	memsync_tcp_close(&conn->tcp,
			  memsync_thread_stopping(thread) ? LAST_WORDS_STOP : LAST_WORDS);
}

static void conn_free(struct memsync_conn *conn)
{
	uncount(conn);
	if (conn->region)
		memsync_region_put(conn->region);
	kvfree(conn->lengths);
	kvfree(conn->control);
	kfree(conn->head);
	kfree(conn->bounce);
	kfree(conn);
}

static void release(struct memsync_thread *thread)
{
	conn_free(container_of(thread, struct memsync_conn, thread));
}

/* ---- the start ---- */

static struct memsync_conn *conn_new(struct net *net, bool plaintext)
{
	struct memsync_conn *conn = kzalloc(sizeof(*conn), GFP_KERNEL);

	if (!conn)
		return NULL;
	conn->control = kvmalloc(MEMSYNC_WIRE_CONTROL_MAX, GFP_KERNEL);
	conn->head = kmalloc(MEMSYNC_WIRE_PAGES_HEAD(MEMSYNC_WIRE_FRAME_DESCS), GFP_KERNEL);
	conn->bounce = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!conn->control || !conn->head || !conn->bounce) {
		conn_free(conn);
		return NULL;
	}
	conn->plaintext = plaintext;
	conn->deadline = jiffies + HANDSHAKE;
	conn->tcp.owner = &conn->thread;
	memsync_thread_init(&conn->thread, net, run, release);
	return conn;
}

void memsync_conn_start(struct socket *sock, struct net *net, bool plaintext)
{
	struct memsync_conn *conn = NULL;
	bool room = atomic_inc_return(&handshakes) <= MAX_HANDSHAKES;

	if (room)
		conn = conn_new(net, plaintext);
	if (!conn) {
		atomic_dec(&handshakes);
		pr_notice_ratelimited("connection dropped: %s\n",
				      room ? "out of memory" : "too many unknown ones");
		sock_release(sock);
		return;
	}
	conn->counted = true;
	memsync_tcp_adopt(&conn->tcp, sock);
	if (memsync_tcp_peer_addr(&conn->tcp, &conn->addr) ||
	    memsync_thread_start(&conn->thread, "memsync/sink")) {
		memsync_tcp_close(&conn->tcp, 0);
		conn_free(conn);
	}
}

/* ---- what others ask ---- */

bool memsync_sink_source_info(struct memsync_region *region, struct memsync_peer_info *info)
{
	struct memsync_conn *conn = region->source;

	lockdep_assert_held(&region->lock);
	if (!conn)
		return false;
	memset(info, 0, sizeof(*info));
	info->addr = conn->addr;
	info->state = region->state == MEMSYNC_REGION_WAITING ? MEMSYNC_PEER_CONNECTING :
								MEMSYNC_PEER_CONNECTED;
	info->plaintext = true;		/* there is no other kind yet */
	return true;
}

int memsync_sink_refuse(struct memsync_region *region, const char *reason,
			struct netlink_ext_ack *extack)
{
	struct memsync_conn *conn = region->source;

	lockdep_assert_held(&region->lock);
	if (!region->offered || !conn) {
		NL_SET_ERR_MSG(extack, "no geometry is offered");
		return -ENOENT;
	}
	strscpy(conn->refusal, reason[0] ? reason : "refused", sizeof(conn->refusal));
	wake_up_all(&region->answered);
	return 0;
}
