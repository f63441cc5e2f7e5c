// SPDX-License-Identifier: GPL-2.0
/*
 * memsync: who may be a sink's source, and with which geometry.
 *
 * Each step asks for as little as possible from a peer that has not passed the
 * one before: memory for a geometry is only given to one that is permitted.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include "conn.h"

#define GIVE_WAY	(8 * HZ)	/* for the connection that this one replaces */

int memsync_conn_await(struct memsync_conn *conn, u32 type)
{
	struct memsync_wire_fault fault;
	long left = (long)(conn->deadline - jiffies);
	int ret;

	ret = left > 0 ? memsync_tcp_next(&conn->tcp, type | MEMSYNC_WIRE_TYPE(ERROR), left,
					  &fault) : 0;
	if (ret == -EPROTO && fault.code == MEMSYNC_WIRE_VERSION)
		return memsync_conn_fail(conn, fault.code,
					 "wire version %u is not supported, %u to %u are",
					 conn->tcp.head.version, MEMSYNC_WIRE_MIN,
					 MEMSYNC_WIRE_MAX);
	if (ret == -EPROTO)
		return memsync_conn_fail(conn, fault.code, "%s", fault.reason);
	if (ret < 0)
		return ret;
	if (!ret)
		return memsync_conn_fail(conn, MEMSYNC_WIRE_TIMEOUT, "handshake took too long");
	return memsync_conn_read(conn);
}

/* ---- HELLO ---- */

static bool is_from(const struct memsync_region *region, const struct sockaddr_storage *addr)
{
	struct in6_addr v6;
	unsigned int i;

	memsync_addr_to_v6(addr, &v6);
	for (i = 0; i < region->nr_from; i++)
		if (ipv6_prefix_equal(&v6, &region->from[i].addr, region->from[i].prefix))
			return true;
	return false;
}

static int check_permission(struct memsync_conn *conn)
{
	if (memsync_tcp_loopback(&conn->tcp)) {
		int trusted = memsync_tcp_trusted(&conn->tcp);

		if (trusted)
			return min(trusted, 0);
		return memsync_conn_fail(conn, MEMSYNC_WIRE_NOT_PERMITTED,
					 "over loopback only root may be a source");
	}
	if (!conn->plaintext)
		return memsync_conn_fail(conn, MEMSYNC_WIRE_NOT_PERMITTED,
					 "this listener takes no plain connections off loopback");
	if (!is_from(conn->region, &conn->addr))
		return memsync_conn_fail(conn, MEMSYNC_WIRE_NOT_PERMITTED,
					 "the sink takes no source from %pISc", &conn->addr);
	return 0;
}

/* An open sink takes its geometry from its source, and what comes to it later. */
static bool takes_more(const struct memsync_region *region, const struct memsync_hello *hello)
{
	return region->flags & MEMSYNC_REGION_F_OPEN && hello->nr_ranges > region->nr_accepted &&
	       hello->size > region->size_accepted;
}

int memsync_handshake_check_size(struct memsync_conn *conn)
{
	const struct memsync_region *region = conn->region;
	const struct memsync_hello *hello = &conn->hello;

	lockdep_assert_held(&region->lock);
	if (region->state == MEMSYNC_REGION_NEW || region->state == MEMSYNC_REGION_GONE)
		return memsync_conn_fail(conn, MEMSYNC_WIRE_NO_SINK, "sink %s is not running",
					 region->name);
	if (takes_more(region, hello)) {
		if (region->max_size && hello->size > region->max_size)
			return memsync_conn_fail(conn, MEMSYNC_WIRE_REFUSED,
						 "%llu bytes offered, the sink takes %llu at most",
						 hello->size, region->max_size);
		return 0;
	}
	if (hello->size != region->size_accepted || hello->nr_ranges != region->nr_accepted)
		return memsync_conn_fail(conn, MEMSYNC_WIRE_OTHER_GEOMETRY,
					 "geometry differs: %u ranges, %llu bytes there, %u ranges, %llu bytes here",
					 hello->nr_ranges, hello->size, region->nr_accepted,
					 region->size_accepted);
	return 0;
}

static int hello(struct memsync_conn *conn)
{
	struct memsync_wire_fault fault;
	int err;

	err = memsync_conn_await(conn, MEMSYNC_WIRE_TYPE(HELLO));
	if (err)
		return err;
	if (!memsync_wire_check_hello(conn->control, PAGE_SIZE, &conn->hello, &fault)) {
		if (fault.code == MEMSYNC_WIRE_VERSION)
			return memsync_conn_fail(conn, fault.code,
						 "wire versions %u to %u are not supported, %u to %u are",
						 conn->hello.version_min, conn->hello.version_max,
						 MEMSYNC_WIRE_MIN, MEMSYNC_WIRE_MAX);
		return memsync_conn_fail(conn, fault.code, "%s", fault.reason);
	}
	conn->region = memsync_region_get_name(conn->thread.net, conn->hello.name,
					       MEMSYNC_ROLE_SINK);
	if (!conn->region)
		return memsync_conn_fail(conn, MEMSYNC_WIRE_NO_SINK, "there is no sink named %s",
					 conn->hello.name);
	memsync_thread_set_region(&conn->thread, conn->region);
	err = check_permission(conn);
	if (err)
		return err;
	mutex_lock(&conn->region->lock);
	err = memsync_handshake_check_size(conn);
	mutex_unlock(&conn->region->lock);
	return err;
}

/* ---- GEOMETRY ---- */

static int take_lengths(struct memsync_conn *conn)
{
	const struct memsync_wire_geometry *w = conn->control;
	struct memsync_wire_fault fault;
	u32 first = conn->next;
	u32 i;

	if (!memsync_wire_check_geometry(w, memsync_tcp_length(&conn->tcp), conn->hello.nr_ranges,
					 conn->hello.size, PAGE_SIZE, &conn->next, &conn->sum,
					 &fault))
		return memsync_conn_fail(conn, fault.code, "%s", fault.reason);
	for (i = first; i < conn->next; i++)
		conn->lengths[i] = le64_to_cpu(w->lengths[i - first]);
	return 0;
}

int memsync_handshake_geometry(struct memsync_conn *conn)
{
	int err = 0;

	while (!err && conn->next < conn->hello.nr_ranges)
		err = memsync_conn_await(conn, MEMSYNC_WIRE_TYPE(GEOMETRY)) ?: take_lengths(conn);
	return err;
}

static int geometry(struct memsync_conn *conn)
{
	conn->lengths = kvmalloc_array(conn->hello.nr_ranges, sizeof(u64), GFP_KERNEL);
	if (!conn->lengths)
		return -ENOMEM;
	return memsync_handshake_geometry(conn);
}

/* Are the first ranges the source's what this sink has? It may have grown since. */
static bool fits(const struct memsync_region *region, const u64 *lengths, u32 nr)
{
	u32 i;

	if (region->nr_accepted > nr)
		return false;
	for (i = 0; i < region->nr_accepted; i++) {
		const struct memsync_range *r = &region->ranges[region->order[i]];

		if (r->end - r->start != lengths[i])
			return false;
	}
	return true;
}

/* ---- becoming the source ---- */

/* -EAGAIN: another connection of the same session was told to give way. */
static int try_attach(struct memsync_conn *conn)
{
	struct memsync_region *region = conn->region;
	struct memsync_conn *other = region->source;

	lockdep_assert_held(&region->lock);
	if (region->state == MEMSYNC_REGION_GONE)
		return memsync_conn_fail(conn, MEMSYNC_WIRE_NO_SINK, "sink %s is not running",
					 region->name);
	if (other && memcmp(other->hello.session, conn->hello.session,
			    sizeof(conn->hello.session)))
		return memsync_conn_fail(conn, MEMSYNC_WIRE_BUSY,
					 "another source is connected, from %pISpc", &other->addr);
	if (other) {
		memsync_thread_stop(&other->thread);
		return -EAGAIN;
	}
	if (region->state != MEMSYNC_REGION_WAITING &&
	    !fits(region, conn->lengths, conn->hello.nr_ranges))
		return memsync_conn_fail(conn, MEMSYNC_WIRE_OTHER_GEOMETRY,
					 "geometry differs: the ranges have other lengths");
	if (takes_more(region, &conn->hello)) {
		memsync_region_offer(region, conn->lengths, conn->hello.nr_ranges);
		conn->lengths = NULL;
	}
	region->source = conn;
	conn->attached = true;
	return 0;
}

static int attach(struct memsync_conn *conn)
{
	struct memsync_region *region = conn->region;
	unsigned long end = jiffies + GIVE_WAY;
	int err;

	for (;;) {
		mutex_lock(&region->lock);
		err = try_attach(conn);
		mutex_unlock(&region->lock);
		if (err != -EAGAIN)
			return err;
		if (memsync_thread_stopping(&conn->thread))
			return -ESHUTDOWN;
		if (time_after(jiffies, end))
			return memsync_conn_fail(conn, MEMSYNC_WIRE_BUSY,
						 "the connection before this one does not end");
		/* detach() in sink.c wakes us; so that we also see when we are to stop: */
		wait_event_interruptible_timeout(region->answered, !READ_ONCE(region->source),
						 HZ / 4);
	}
}

/* ---- HELLO_ACK ---- */

static int accept_source(struct memsync_conn *conn)
{
	struct memsync_wire_hello_ack w = {
		.version = cpu_to_le16(min_t(u16, conn->hello.version_max, MEMSYNC_WIRE_MAX)),
		.frame_pages = cpu_to_le32(MEMSYNC_WIRE_FRAME_PAGES),
		.features = cpu_to_le64(conn->hello.features & MEMSYNC_WIRE_FEATURES),
	};
	struct memsync_region *region = conn->region;

	kvfree(conn->lengths);
	conn->lengths = NULL;
	memsync_tcp_widen(&conn->tcp);
	mutex_lock(&region->lock);
	if (region->state != MEMSYNC_REGION_GONE)
		memsync_region_set_state(region, MEMSYNC_REGION_SYNCING, NULL);
	mutex_unlock(&region->lock);
	return memsync_tcp_send(&conn->tcp, MEMSYNC_WIRE_HELLO_ACK, 0, &w, sizeof(w), false);
}

int memsync_handshake(struct memsync_conn *conn)
{
	return hello(conn) ?: geometry(conn) ?: attach(conn) ?: memsync_offer(conn) ?:
	       accept_source(conn);
}
