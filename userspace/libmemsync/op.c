// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What is started now and done later. Each has an event socket of its own,
 * subscribed before the start, so its end cannot be missed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "internal.h"

struct memsync_op {
	struct memsync *ms;
	struct memsync_events *events;
	enum memsync_event_type type;
	uint32_t region;
	uint64_t barrier;	/* only with MEMSYNC_EVENT_BARRIER */
};

static int take_barrier(struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *tb[MEMSYNC_A_MAX + 1];
	struct memsync_op *op = arg;

	if (ms_parse(nlh, tb))
		return -EPROTO;
	op->barrier = ms_u64(tb[MEMSYNC_A_BARRIER_ID]);
	return 0;
}

static int op_start(struct memsync *ms, struct nl_msg *msg, uint32_t id,
		    enum memsync_event_type type, struct memsync_op **out)
{
	struct memsync_op *op = calloc(1, sizeof(*op));
	int err;

	*out = NULL;
	if (!op) {
		nlmsg_free(msg);
		return ms_fail(ms, -ENOMEM, "out of memory");
	}
	op->ms = ms;
	op->type = type;
	op->region = id;
	err = memsync_events_open(ms, &op->events);
	if (err)
		nlmsg_free(msg);
	else
		err = ms_exchange(ms, msg, take_barrier, op);
	if (err)
		memsync_op_free(op);
	else
		*out = op;
	return err;
}

int memsync_barrier_start(struct memsync *ms, uint32_t id, struct memsync_op **op)
{
	return op_start(ms, ms_region_msg(ms, MEMSYNC_CMD_BARRIER_START, 0, id), id,
			MEMSYNC_EVENT_BARRIER, op);
}

int memsync_verify_start(struct memsync *ms, uint32_t id, struct memsync_op **op)
{
	return op_start(ms, ms_region_msg(ms, MEMSYNC_CMD_VERIFY_START, 0, id), id,
			MEMSYNC_EVENT_VERIFY, op);
}

int memsync_hold_start(struct memsync *ms, uint32_t id, uint32_t lease_ms, struct memsync_op **op)
{
	struct nl_msg *msg = ms_region_msg(ms, MEMSYNC_CMD_HOLD, 0, id);

	if (msg)
		nla_put_u32(msg, MEMSYNC_A_TIMEOUT_MS, lease_ms);
	return op_start(ms, msg, id, MEMSYNC_EVENT_HELD, op);
}

int memsync_release(struct memsync *ms, uint32_t id)
{
	return ms_do(ms, ms_region_msg(ms, MEMSYNC_CMD_RELEASE, 0, id));
}

/* Events were lost: a barrier's end can still be seen at the region. */
static bool barrier_reached(struct memsync_op *op)
{
	struct memsync_region *region;
	bool reached;

	if (op->type != MEMSYNC_EVENT_BARRIER ||
	    memsync_region_get(op->ms, op->region, &region))
		return false;
	reached = region->barrier_id >= op->barrier;
	free(region);
	return reached;
}

static int failed(struct memsync_op *op, int err, const char *reason)
{
	return ms_fail(op->ms, err, "%s", reason && *reason ? reason : strerror(-err));
}

/* Is the operation over? 1: no. */
static int judge(struct memsync_op *op, const struct memsync_event *event)
{
	if (event->region->id != op->region)
		return 1;
	if (event->type == MEMSYNC_EVENT_REGION_DELETED)
		return failed(op, -ECANCELED, "the region was unregistered");
	if (event->type == MEMSYNC_EVENT_REGION_STATE &&
	    event->region->state == MEMSYNC_REGION_GONE)
		return ms_fail(op->ms, -ECANCELED, "the region ended%s%s",
			       *event->reason ? ": " : "", event->reason);
	if (event->type != op->type ||
	    (op->type == MEMSYNC_EVENT_BARRIER && event->barrier_id != op->barrier))
		return 1;
	return event->error ? failed(op, event->error, event->reason) : 0;
}

int memsync_op_wait(struct memsync_op *op, int timeout_ms, const struct memsync_event **out)
{
	int64_t end = ms_now_ms() + timeout_ms;
	const struct memsync_event *event;
	int64_t left = timeout_ms;
	int ret;

	if (out)
		*out = NULL;
	for (;;) {
		ret = memsync_events_wait(op->events, left, &event);
		if (!ret)
			return ms_fail(op->ms, -ETIMEDOUT, "timed out");
		if (ret == -ENOBUFS && barrier_reached(op))
			return 0;
		if (ret < 0)
			return ret;
		ret = judge(op, event);
		if (ret <= 0) {
			if (out)
				*out = event;
			return ret;
		}
		if (timeout_ms >= 0)
			left = end > ms_now_ms() ? end - ms_now_ms() : 0;
	}
}

uint64_t memsync_op_barrier(const struct memsync_op *op)
{
	return op->barrier;
}

int memsync_op_fd(const struct memsync_op *op)
{
	return memsync_events_fd(op->events);
}

void memsync_op_free(struct memsync_op *op)
{
	if (!op)
		return;
	memsync_events_close(op->events);
	free(op);
}

int memsync_barrier(struct memsync *ms, uint32_t id, int timeout_ms, uint64_t *barrier_id)
{
	struct memsync_op *op;
	int err;

	err = memsync_barrier_start(ms, id, &op);
	if (err)
		return err;
	err = memsync_op_wait(op, timeout_ms, NULL);
	if (barrier_id)
		*barrier_id = op->barrier;
	memsync_op_free(op);
	return err;
}
