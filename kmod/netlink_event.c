// SPDX-License-Identifier: GPL-2.0
/* Events to the multicast group, numbered in each network namespace. */
#include <linux/mutex.h>
#include <linux/netlink.h>
#include <net/netns/generic.h>
#include "netlink.h"
#include "session.h"

/*
 * Lengths that a geometry event carries; one with more ranges carries none, and
 * is read with range-get. A buffer with this many is still a small one.
 */
#define MAX_LENGTHS	2048

struct event_net {
	u64 seq;	/* of the last event */
};

static unsigned int event_net_id;

/*
 * Protects event_net->seq and events_open; held while an event is sent, so that
 * events arrive in the order of their numbers. A leaf: inside region->lock.
 */
static DEFINE_MUTEX(event_lock);
static bool events_open;

struct event {
	struct net *net;
	struct sk_buff *skb;	/* NULL: nobody listens, or it could not be made */
	struct nlattr *seq;
	void *hdr;
};

/* ---- making and sending ---- */

static int put_header(struct event *event, enum memsync_event_type type)
{
	event->hdr = genlmsg_put(event->skb, 0, 0, &memsync_nl_family, 0, MEMSYNC_CMD_EVENT);
	if (!event->hdr)
		return -EMSGSIZE;
	event->seq = nla_reserve_64bit(event->skb, MEMSYNC_A_EVENT_SEQ, sizeof(u64),
				       MEMSYNC_A_PAD);
	if (!event->seq)
		return -EMSGSIZE;
	return nla_put_u32(event->skb, MEMSYNC_A_EVENT_TYPE, type);
}

static void drop(struct event *event)
{
	nlmsg_free(event->skb);
	event->skb = NULL;
}

/* Begins an event; true when it is worth filling. To be followed by end(). */
static bool begin(struct event *event, struct net *net, enum memsync_event_type type, size_t room)
{
	*event = (struct event){ .net = net };
	if (!READ_ONCE(events_open) || !genl_has_listeners(&memsync_nl_family, net, 0))
		return false;
	event->skb = genlmsg_new(room, GFP_KERNEL);
	if (!event->skb)
		return false;
	if (put_header(event, type))
		drop(event);
	return event->skb;
}

/*
 * Counts the event, and sends it unless @err says that it could not be filled:
 * then its number is missed, as if it had been lost on the way.
 */
static void end(struct event *event, int err)
{
	u64 seq;

	if (event->skb && err)
		drop(event);
	mutex_lock(&event_lock);
	seq = ++((struct event_net *)net_generic(event->net, event_net_id))->seq;
	if (event->skb && events_open) {
		memcpy(nla_data(event->seq), &seq, sizeof(seq));
		genlmsg_end(event->skb, event->hdr);
		genlmsg_multicast_netns(&memsync_nl_family, event->net, event->skb, 0, 0,
					GFP_KERNEL);
		event->skb = NULL;
	}
	mutex_unlock(&event_lock);
	nlmsg_free(event->skb);
}

void memsync_nl_events_open(void)
{
	mutex_lock(&event_lock);
	WRITE_ONCE(events_open, true);
	mutex_unlock(&event_lock);
}

/* Once it returns nothing is sent: the group's number may become another's. */
void memsync_nl_events_close(void)
{
	mutex_lock(&event_lock);
	WRITE_ONCE(events_open, false);
	mutex_unlock(&event_lock);
}

/* ---- what they tell ---- */

static int put_u64(struct sk_buff *skb, int attr, u64 value)
{
	return nla_put_u64_64bit(skb, attr, value, MEMSYNC_A_PAD);
}

static int put_outcome(struct sk_buff *skb, int err, const char *reason)
{
	int ret;

	if (!err)
		return 0;
	ret = nla_put_s32(skb, MEMSYNC_A_ERRNO, err);
	if (!ret && reason)
		ret = nla_put_string(skb, MEMSYNC_A_REASON, reason);
	return ret;
}

static void region_state(struct memsync_region *region)
{
	struct event event;
	int err = 0;

	if (begin(&event, region->net, MEMSYNC_EVENT_REGION_STATE, GENLMSG_DEFAULT_SIZE))
		err = memsync_nl_put_region(event.skb, region, region->pid_nr);
	end(&event, err);
}

static void region_deleted(struct memsync_region *region)
{
	struct event event;
	int err = 0;

	if (begin(&event, region->net, MEMSYNC_EVENT_REGION_DELETED, GENLMSG_DEFAULT_SIZE))
		err = memsync_nl_put_region_key(event.skb, region);
	end(&event, err);
}

static void peer_event(struct memsync_region *region, struct memsync_peer *peer,
		       enum memsync_event_type type)
{
	struct memsync_peer_info info;
	struct event event;
	int err = 0;

	if (begin(&event, region->net, type, GENLMSG_DEFAULT_SIZE)) {
		memsync_peer_fill(peer, &info);
		err = memsync_nl_put_region_key(event.skb, region) ?:
		      memsync_nl_put_peer(event.skb, &info);
	}
	end(&event, err);
}

static void peer_state(struct memsync_region *region, struct memsync_peer *peer)
{
	peer_event(region, peer, MEMSYNC_EVENT_PEER_STATE);
}

static void peer_deleted(struct memsync_region *region, struct memsync_peer *peer)
{
	peer_event(region, peer, MEMSYNC_EVENT_PEER_DELETED);
}

static int put_geometry(struct sk_buff *skb, const struct memsync_region *region)
{
	unsigned int i = region->nr_accepted, nr = region->nr_offered;
	u64 size = 0;
	int err = 0;

	for (; i < nr && !err; i++) {
		size += region->offered[i];
		if (nr - region->nr_accepted <= MAX_LENGTHS)
			err = put_u64(skb, MEMSYNC_A_LENGTH, region->offered[i]);
	}
	return err ?: put_u64(skb, MEMSYNC_A_PAGES, size >> PAGE_SHIFT);
}

static void geometry(struct memsync_region *region)
{
	size_t room = GENLMSG_DEFAULT_SIZE + MAX_LENGTHS * nla_total_size_64bit(sizeof(u64));
	struct event event;
	int err = 0;

	mutex_lock(&region->lock);
	if (begin(&event, region->net, MEMSYNC_EVENT_GEOMETRY, room))
		err = memsync_nl_put_region_key(event.skb, region) ?:
		      put_geometry(event.skb, region);
	end(&event, err);
	mutex_unlock(&region->lock);
}

static void barrier_event(struct memsync_region *region, enum memsync_event_type type, u64 id,
			  int outcome, const char *reason)
{
	struct event event;
	int err = 0;

	if (begin(&event, region->net, type, GENLMSG_DEFAULT_SIZE))
		err = memsync_nl_put_region_key(event.skb, region) ?:
		      put_u64(event.skb, MEMSYNC_A_BARRIER_ID, id) ?:
		      put_outcome(event.skb, outcome, reason);
	end(&event, err);
}

static void barrier_done(struct memsync_region *region, u64 id, int err, const char *reason)
{
	barrier_event(region, MEMSYNC_EVENT_BARRIER, id, err, reason);
}

static void held(struct memsync_region *region, u64 barrier_id, int err, const char *reason)
{
	barrier_event(region, MEMSYNC_EVENT_HELD, barrier_id, err, reason);
}

static int put_mismatch(struct sk_buff *skb, const struct memsync_region *region,
			const struct memsync_mismatch *m)
{
	const struct memsync_range *range = memsync_region_find(region, m->offset);
	struct nlattr *nest = nla_nest_start(skb, MEMSYNC_A_MISMATCH);
	int err;

	if (!nest)
		return -EMSGSIZE;
	err = nla_put_u64_64bit(skb, MEMSYNC_MISMATCH_OFFSET, m->offset, MEMSYNC_MISMATCH_PAD) ?:
	      nla_put_u64_64bit(skb, MEMSYNC_MISMATCH_LENGTH, m->length, MEMSYNC_MISMATCH_PAD);
	if (!err && range)
		err = nla_put_u64_64bit(skb, MEMSYNC_MISMATCH_START,
					range->start + (m->offset - range->offset),
					MEMSYNC_MISMATCH_PAD);
	if (!err)
		nla_nest_end(skb, nest);
	return err;
}

static int put_verify(struct sk_buff *skb, const struct memsync_region *region,
		      const struct memsync_verify *result)
{
	unsigned int i;
	int err;

	err = put_outcome(skb, result->err, result->reason) ?:
	      put_u64(skb, MEMSYNC_A_COMPARED, result->compared) ?:
	      put_u64(skb, MEMSYNC_A_DIFFERENT, result->different) ?:
	      put_u64(skb, MEMSYNC_A_CHANGING, result->changing);
	for (i = 0; i < result->nr_mismatches && !err; i++)
		err = put_mismatch(skb, region, &result->mismatches[i]);
	return err;
}

static void verify(struct memsync_region *region, const struct memsync_verify *result)
{
	struct event event;
	int err = 0;

	mutex_lock(&region->lock);	/* for the ranges, which may become more */
	if (begin(&event, region->net, MEMSYNC_EVENT_VERIFY, 2 * GENLMSG_DEFAULT_SIZE))
		err = memsync_nl_put_region_key(event.skb, region) ?:
		      put_verify(event.skb, region, result);
	end(&event, err);
	mutex_unlock(&region->lock);
}

void memsync_nl_event_listener(struct net *net, const struct sockaddr_storage *addr,
			       bool plaintext)
{
	struct event event;
	int err = 0;

	if (begin(&event, net, MEMSYNC_EVENT_LISTENER, GENLMSG_DEFAULT_SIZE))
		err = memsync_nl_put_addr(event.skb, MEMSYNC_A_ADDR, addr) ?:
		      nla_put_u8(event.skb, MEMSYNC_A_PLAINTEXT, plaintext);
	end(&event, err);
}

static const struct memsync_events events = {
	.region_state = region_state,
	.region_deleted = region_deleted,
	.peer_state = peer_state,
	.peer_deleted = peer_deleted,
	.geometry = geometry,
	.barrier_done = barrier_done,
	.verify = verify,
	.held = held,
};

static struct pernet_operations net_ops = {
	.id = &event_net_id,
	.size = sizeof(struct event_net),
};

int memsync_netlink_event_init(void)
{
	memsync_region_set_events(&events);
	return register_pernet_subsys(&net_ops);
}

void memsync_netlink_event_exit(void)
{
	unregister_pernet_subsys(&net_ops);
}
