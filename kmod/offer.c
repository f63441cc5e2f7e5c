// SPDX-License-Identifier: GPL-2.0
/*
 * memsync: what a source offers an open sink, whose owner maps memory for it: at
 * first all of its ranges, later those that it has got since.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include "conn.h"

#define ANSWER	(30 * HZ)	/* for the sink's owner */
#define LENGTHS	(10 * HZ)	/* for the source to say how long its new ranges are */

static bool answered(struct memsync_conn *conn)
{
	return !READ_ONCE(conn->region->offered) ||
	       READ_ONCE(conn->refusal[0]) || memsync_thread_stopping(&conn->thread) ||
	       memsync_tcp_closed(&conn->tcp);
}

static int await_answer(struct memsync_conn *conn)
{
	unsigned long end = jiffies + ANSWER;
	int err;

	while (!answered(conn) && time_before(jiffies, end)) {
		/* whoever answers wakes us; so that we also see when we are to stop: */
		wait_event_interruptible_timeout(conn->region->answered, answered(conn), HZ / 4);
		err = memsync_tcp_keep_alive(&conn->tcp);
		if (err)
			return err;
	}
	return memsync_thread_stopping(&conn->thread) ? -ESHUTDOWN : 0;
}

static int judge_answer(struct memsync_conn *conn)
{
	struct memsync_region *region = conn->region;
	int err = 0;

	mutex_lock(&region->lock);
	if (conn->refusal[0])
		err = memsync_conn_fail(conn, MEMSYNC_WIRE_REFUSED, "refused: %s", conn->refusal);
	else if (region->offered)
		err = memsync_tcp_lost(&conn->tcp) ?:
		      memsync_conn_fail(conn, MEMSYNC_WIRE_TIMEOUT,
					"the sink's owner did not answer");
	mutex_unlock(&region->lock);
	return err;
}

int memsync_offer(struct memsync_conn *conn)
{
	if (!READ_ONCE(conn->region->offered))
		return 0;
	memsync_events->geometry(conn->region);
	return await_answer(conn) ?: judge_answer(conn);
}

/* ---- a source that grows ---- */

static int take_totals(struct memsync_conn *conn)
{
	const struct memsync_wire_grow *w = conn->control;
	struct memsync_region *region = conn->region;
	struct memsync_wire_fault fault;
	unsigned int i;

	if (!memsync_wire_check_grow(w, region->nr_accepted, region->size_accepted, PAGE_SIZE,
				     &fault))
		return memsync_conn_fail(conn, fault.code, "%s", fault.reason);
	conn->hello.nr_ranges = le32_to_cpu(w->nr_ranges);
	conn->hello.size = le64_to_cpu(w->size);
	conn->lengths = kvmalloc_array(conn->hello.nr_ranges, sizeof(u64), GFP_KERNEL);
	if (!conn->lengths)
		return -ENOMEM;
	for (i = 0; i < region->nr_accepted; i++) {
		const struct memsync_range *r = &region->ranges[region->order[i]];

		conn->lengths[i] = r->end - r->start;
	}
	conn->next = region->nr_accepted;
	conn->sum = region->size_accepted;
	conn->deadline = jiffies + LENGTHS;
	return 0;
}

static int make_offer(struct memsync_conn *conn)
{
	struct memsync_region *region = conn->region;
	int err;

	mutex_lock(&region->lock);
	err = memsync_handshake_check_size(conn);
	if (!err) {
		memsync_region_offer(region, conn->lengths, conn->hello.nr_ranges);
		conn->lengths = NULL;
	}
	mutex_unlock(&region->lock);
	return err;
}

int memsync_offer_more(struct memsync_conn *conn)
{
	return take_totals(conn) ?: memsync_handshake_geometry(conn) ?: make_offer(conn) ?:
	       memsync_offer(conn);
}
