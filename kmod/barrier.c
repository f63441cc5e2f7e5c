// SPDX-License-Identifier: GPL-2.0
/*
 * memsync: barriers of a source.
 *
 * Every pass ends with a barrier, so every pass has an id. One that somebody
 * asked for is reached once every peer has applied a pass that began after the
 * request; it takes the id of the next pass that begins.
 */
#include <linux/ktime.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include "peer.h"

#define MAX_BARRIERS	256	/* of one region, asked for and not reached */

/**
 * struct memsync_barrier - one that was asked for
 * @node: in region->barriers, newest first, under region->lock
 * @id: of the pass that will fulfil it, or of a later one
 * @asked: when
 * @begun: a pass has begun with it, so that later requests need another one
 */
struct memsync_barrier {
	struct hlist_node node;
	u64 id;
	ktime_t asked;
	bool begun;
};

static struct memsync_barrier *newest(struct memsync_region *region)
{
	return hlist_entry_safe(region->barriers.first, struct memsync_barrier, node);
}

static unsigned int count(struct memsync_region *region)
{
	struct memsync_barrier *b;
	unsigned int n = 0;

	hlist_for_each_entry(b, &region->barriers, node)
		n++;
	return n;
}

static struct memsync_barrier *ask(struct memsync_region *region)
{
	struct memsync_barrier *b;
	struct memsync_peer *peer;

	b = kzalloc(sizeof(*b), GFP_KERNEL);
	if (!b)
		return NULL;
	b->id = ++region->barrier_seq;
	b->asked = ktime_get();
	hlist_add_head(&b->node, &region->barriers);
	list_for_each_entry(peer, &region->peers, node)
		WRITE_ONCE(peer->wanted, b->id);
	return b;
}

int memsync_barrier_start(struct memsync_region *region, u64 *id, struct netlink_ext_ack *extack)
{
	struct memsync_barrier *b;

	lockdep_assert_held(&region->lock);
	if (list_empty(&region->peers)) {
		NL_SET_ERR_MSG(extack, "the region has no peer");
		return -ENOTCONN;
	}
	if (memsync_region_paused(region)) {
		NL_SET_ERR_MSG(extack, "the region is paused");
		return -EBUSY;
	}

	b = newest(region);
	if (!b || b->begun) {
		if (count(region) >= MAX_BARRIERS) {
			NL_SET_ERR_MSG(extack, "too many barriers are waiting for a peer");
			return -EBUSY;
		}
		b = ask(region);
		if (!b)
			return -ENOMEM;
	}
	*id = b->id;
	memsync_session_kick(region);
	return 0;
}

u64 memsync_barrier_begin(struct memsync_peer *peer)
{
	struct memsync_region *region = peer->region;
	struct memsync_barrier *b;
	u64 id;

	mutex_lock(&region->lock);
	b = newest(region);
	if (b && b->id > peer->pass_id && b->id == region->barrier_seq)
		id = b->id;
	else
		id = ++region->barrier_seq;
	if (b)
		b->begun = true;
	peer->pass_id = id;
	if (!peer->first_id)
		peer->first_id = id;
	mutex_unlock(&region->lock);
	return id;
}

/* What every peer has reached; false if there is no peer. */
static bool reached_by_all(struct memsync_region *region, u64 *id, u64 *time)
{
	struct memsync_peer *peer;

	*id = U64_MAX;
	list_for_each_entry(peer, &region->peers, node) {
		if (peer->acked_id >= *id)
			continue;
		*id = peer->acked_id;
		*time = peer->acked_time;
	}
	return *id != U64_MAX;
}

static void report(struct memsync_region *region, struct hlist_head *done, int err,
		   const char *reason)
{
	struct memsync_barrier *b;
	struct hlist_node *next;

	hlist_for_each_entry_safe(b, next, done, node) {
		if (!err)
			atomic64_set(&region->stats.last_barrier_ns,
				     ktime_to_ns(ktime_sub(ktime_get(), b->asked)));
		memsync_events->barrier_done(region, b->id, err, reason);
		hlist_del(&b->node);
		kfree(b);
	}
}

void memsync_barriers_check(struct memsync_region *region)
{
	struct memsync_barrier *b;
	struct hlist_node *next;
	HLIST_HEAD(done);
	u64 id, time;

	mutex_lock(&region->lock);
	if (!reached_by_all(region, &id, &time)) {
		hlist_move_list(&region->barriers, &done);
		mutex_unlock(&region->lock);
		report(region, &done, -ENOTCONN, "the region has no peer any more");
		return;
	}
	if (id > region->barrier_id) {
		region->barrier_id = id;
		region->barrier_time = time;
	}
	hlist_for_each_entry_safe(b, next, &region->barriers, node) {
		if (b->id > id)
			continue;
		hlist_del(&b->node);
		hlist_add_head(&b->node, &done);	/* so the oldest comes first */
	}
	mutex_unlock(&region->lock);
	report(region, &done, 0, NULL);
}

void memsync_barriers_fail(struct memsync_region *region, int err, const char *reason)
{
	HLIST_HEAD(done);

	mutex_lock(&region->lock);
	hlist_move_list(&region->barriers, &done);
	mutex_unlock(&region->lock);
	report(region, &done, err, reason);
}

void memsync_barriers_pause(struct memsync_region *region)
{
	HLIST_HEAD(done);

	mutex_lock(&region->lock);
	if (memsync_region_paused(region))
		hlist_move_list(&region->barriers, &done);
	mutex_unlock(&region->lock);
	report(region, &done, -ECANCELED, "paused");
}

void memsync_barrier_reached(struct memsync_peer *peer, u64 id, u64 time)
{
	struct memsync_region *region = peer->region;
	bool news;

	mutex_lock(&region->lock);
	news = id > peer->acked_id;
	if (news) {
		peer->acked_id = id;
		peer->acked_time = time;
		if (!list_empty(&peer->node))
			memsync_session_update(region);
	}
	mutex_unlock(&region->lock);
	if (news)
		memsync_barriers_check(region);
}
