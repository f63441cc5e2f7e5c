// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Events: a second socket, in the multicast group. The kernel numbers events,
 * so a reader that was too slow knows how many it missed.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#include "events.h"
#include "internal.h"

#define RECEIVE_BUFFER	(1 << 20)

/* One event, with room for all that it can point to. */
struct storage {
	struct memsync_event event;
	struct memsync_region region;
	struct memsync_peer peer;
	struct memsync_listener listener;
	struct memsync_verify verify;
	char reason[MEMSYNC_REASON_MAX + 1];
	struct memsync_mismatch *mismatches;
	uint64_t *lengths;
};

struct memsync_events {
	struct memsync *ms;
	struct nl_sock *sk;
	uint64_t last_seq;	/* 0: none seen yet */
	struct nl_msg **queue;	/* read from the socket, not handed out */
	size_t queued;
	size_t handed;
	struct storage now;
};

static int enqueue(struct nl_msg *msg, void *arg)
{
	struct memsync_events *events = arg;
	struct nl_msg **queue;

	queue = reallocarray(events->queue, events->queued + 1, sizeof(*queue));
	if (!queue)
		return NL_SKIP;		/* seen as lost by its number */
	events->queue = queue;
	nlmsg_get(msg);
	queue[events->queued++] = msg;
	return NL_OK;
}

static void drop_queue(struct memsync_events *events)
{
	while (events->queued > events->handed)
		nlmsg_free(events->queue[--events->queued]);
	events->queued = 0;
	events->handed = 0;
}

static int subscribe(struct memsync_events *events)
{
	int group;

	group = genl_ctrl_resolve_grp(events->sk, MEMSYNC_GENL_NAME, MEMSYNC_MCGRP_EVENTS);
	if (group < 0)
		return group;
	nl_socket_disable_seq_check(events->sk);
	nl_socket_modify_cb(events->sk, NL_CB_VALID, NL_CB_CUSTOM, enqueue, events);
	nl_socket_set_buffer_size(events->sk, RECEIVE_BUFFER, 0);
	nl_socket_set_nonblocking(events->sk);
	return nl_socket_add_membership(events->sk, group);
}

int memsync_events_open(struct memsync *ms, struct memsync_events **out)
{
	struct memsync_events *events = calloc(1, sizeof(*events));
	int err;

	*out = NULL;
	if (!events)
		return ms_fail(ms, -ENOMEM, "out of memory");
	events->ms = ms;
	err = ms_socket(&events->sk);
	if (err) {
		free(events);
		return ms_fail(ms, err, "no netlink socket: %s", strerror(-err));
	}
	err = subscribe(events);
	if (err) {
		memsync_events_close(events);
		err = ms_from_nl(err);
		return ms_fail(ms, err, "subscribing to events: %s", ms_message(err));
	}
	*out = events;
	return 0;
}

void memsync_events_close(struct memsync_events *events)
{
	if (!events)
		return;
	drop_queue(events);
	nl_socket_free(events->sk);
	free(events->queue);
	free(events->now.mismatches);
	free(events->now.lengths);
	free(events);
}

int memsync_events_fd(const struct memsync_events *events)
{
	return nl_socket_get_fd(events->sk);
}

static int parse_mismatch(struct nlattr *nest, struct memsync_mismatch *m)
{
	struct nla_policy policy[MEMSYNC_MISMATCH_MAX + 1] = {
		[MEMSYNC_MISMATCH_OFFSET] = { .type = NLA_U64 },
		[MEMSYNC_MISMATCH_LENGTH] = { .type = NLA_U64 },
		[MEMSYNC_MISMATCH_START] = { .type = NLA_U64 },
	};
	struct nlattr *tb[MEMSYNC_MISMATCH_MAX + 1];

	if (nla_parse_nested(tb, MEMSYNC_MISMATCH_MAX, nest, policy) < 0)
		return -EPROTO;
	m->offset = ms_u64(tb[MEMSYNC_MISMATCH_OFFSET]);
	m->length = ms_u64(tb[MEMSYNC_MISMATCH_LENGTH]);
	m->start = ms_u64(tb[MEMSYNC_MISMATCH_START]);
	return 0;
}

static size_t count(struct nlmsghdr *nlh, int type)
{
	struct nlattr *attr;
	size_t nr = 0;
	int rest;

	nlmsg_for_each_attr(attr, nlh, GENL_HDRLEN, rest)
		nr += nla_type(attr) == type;
	return nr;
}

static int take_lengths(struct nlmsghdr *nlh, struct storage *now)
{
	size_t nr = count(nlh, MEMSYNC_A_LENGTH);
	struct nlattr *attr;
	int rest;

	now->lengths = calloc(nr + 1, sizeof(*now->lengths));
	if (!now->lengths)
		return -ENOMEM;
	nr = 0;
	nlmsg_for_each_attr(attr, nlh, GENL_HDRLEN, rest)
		if (nla_type(attr) == MEMSYNC_A_LENGTH && nla_len(attr) == sizeof(uint64_t))
			now->lengths[nr++] = nla_get_u64(attr);
	now->event.lengths = nr ? now->lengths : NULL;
	now->event.nr_lengths = nr;
	return 0;
}

static int take_verify(struct nlmsghdr *nlh, struct nlattr **tb, struct storage *now)
{
	struct nlattr *attr;
	size_t nr = 0;
	int rest;

	now->mismatches = calloc(count(nlh, MEMSYNC_A_MISMATCH) + 1, sizeof(*now->mismatches));
	if (!now->mismatches)
		return -ENOMEM;
	nlmsg_for_each_attr(attr, nlh, GENL_HDRLEN, rest)
		if (nla_type(attr) == MEMSYNC_A_MISMATCH &&
		    parse_mismatch(attr, &now->mismatches[nr++]))
			return -EPROTO;
	now->verify.compared = ms_u64(tb[MEMSYNC_A_COMPARED]);
	now->verify.different = ms_u64(tb[MEMSYNC_A_DIFFERENT]);
	now->verify.changing = ms_u64(tb[MEMSYNC_A_CHANGING]);
	now->verify.mismatches = now->mismatches;
	now->verify.nr_mismatches = nr;
	now->event.verify = &now->verify;
	return 0;
}

static int take_details(struct nlmsghdr *nlh, struct nlattr **tb, struct storage *now)
{
	struct memsync_event *event = &now->event;

	switch (event->type) {
	case MEMSYNC_EVENT_PEER_STATE:
	case MEMSYNC_EVENT_PEER_DELETED:
		event->peer = &now->peer;
		return ms_parse_peer(tb, &now->peer);
	case MEMSYNC_EVENT_LISTENER:
		event->listener = &now->listener;
		return ms_parse_listener(tb, &now->listener);
	case MEMSYNC_EVENT_GEOMETRY:
		return take_lengths(nlh, now);
	case MEMSYNC_EVENT_VERIFY:
		return take_verify(nlh, tb, now);
	default:
		return 0;
	}
}

static int take_event(struct nlmsghdr *nlh, struct storage *now)
{
	struct nlattr *tb[MEMSYNC_A_MAX + 1];
	struct memsync_event *event = &now->event;

	free(now->mismatches);
	free(now->lengths);
	memset(now, 0, sizeof(*now));
	if (ms_parse(nlh, tb) || ms_parse_region(nlh, tb, &now->region))
		return -EPROTO;
	ms_copy_string(now->reason, sizeof(now->reason), tb[MEMSYNC_A_REASON]);
	event->type = ms_u32(tb[MEMSYNC_A_EVENT_TYPE]);
	event->seq = ms_u64(tb[MEMSYNC_A_EVENT_SEQ]);
	event->region = &now->region;
	event->reason = now->reason;
	event->error = (int32_t)ms_u32(tb[MEMSYNC_A_ERRNO]);
	event->barrier_id = ms_u64(tb[MEMSYNC_A_BARRIER_ID]);
	return take_details(nlh, tb, now);
}

static void count_lost(struct memsync_events *events)
{
	struct memsync_event *event = &events->now.event;

	event->lost = ms_events_lost(events->last_seq, event->seq);
	if (event->seq)
		events->last_seq = event->seq;
}

static int fill_queue(struct memsync_events *events)
{
	int err;

	drop_queue(events);
	err = nl_recvmsgs_default(events->sk);
	if (events->queued || err >= 0 || err == -NLE_AGAIN)
		return 0;
	if (err == -NLE_NOMEM)		/* libnl's name for ENOBUFS */
		return ms_fail(events->ms, -ENOBUFS, "events were lost");
	return ms_fail(events->ms, ms_from_nl(err), "reading events: %s", nl_geterror(err));
}

int memsync_events_next(struct memsync_events *events, const struct memsync_event **event)
{
	struct nl_msg *msg;
	int err;

	*event = NULL;
	if (events->handed == events->queued) {
		err = fill_queue(events);
		if (err)
			return err;
		if (!events->queued)
			return 0;
	}
	msg = events->queue[events->handed++];
	err = take_event(nlmsg_hdr(msg), &events->now);
	nlmsg_free(msg);
	if (err)
		return ms_fail(events->ms, err, "an event could not be read: %s", strerror(-err));
	count_lost(events);
	*event = &events->now.event;
	return 1;
}

int64_t ms_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

int memsync_events_wait(struct memsync_events *events, int timeout_ms,
			const struct memsync_event **event)
{
	struct pollfd pfd = { .fd = memsync_events_fd(events), .events = POLLIN };
	int64_t end = ms_now_ms() + timeout_ms;
	int64_t left = timeout_ms;
	int ret;

	for (;;) {
		ret = memsync_events_next(events, event);
		if (ret)
			return ret;
		if (timeout_ms >= 0)
			left = end - ms_now_ms();
		if (timeout_ms >= 0 && left <= 0)
			return 0;
		if (poll(&pfd, 1, left) < 0)
			return ms_fail(events->ms, -errno, "waiting for events: %s",
				       strerror(errno));
	}
}
