// SPDX-License-Identifier: GPL-2.0
/*
 * memsync: what a region asks of its sessions.
 *
 * Threads take region->lock, so nobody joins one while holding it: a peer that
 * is deleted is told to stop and is released by the reaper (thread.c), and
 * memsync_session_stop() waits without the lock.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/netlink.h>
#include <linux/random.h>
#include <linux/slab.h>
#include "conn.h"
#include "peer.h"

/* ---- the peers of a region ---- */

static void dirtied(void *owner)
{
	struct memsync_peer *peer = owner;

	WRITE_ONCE(peer->dirtied, true);
	wake_up_all(&peer->thread.wq);
}

static void ended(void *owner, const char *reason)
{
	struct memsync_peer *peer = owner;

	memsync_region_end_async(peer->region, reason);
}

static const struct memsync_track_ops track_ops = {
	.dirtied = dirtied,
	.ended = ended,
};

static void peer_free(struct memsync_peer *peer)
{
	if (peer->track)
		memsync_track_stop(peer->track);
	memsync_pass_free(peer);
	memsync_region_put(peer->region);
	kfree(peer);
}

/* From the reaper: its thread is gone, and it is on no list. */
static void peer_release(struct memsync_thread *thread)
{
	struct memsync_peer *peer = container_of(thread, struct memsync_peer, thread);
	struct memsync_region *region = peer->region;

	memsync_barriers_check(region);
	memsync_events->peer_deleted(region, peer);
	peer_free(peer);
}

static struct memsync_peer *peer_new(struct memsync_region *region,
				     const struct sockaddr_storage *addr, const char *name)
{
	struct memsync_peer *peer = kzalloc(sizeof(*peer), GFP_KERNEL);

	if (!peer)
		return NULL;
	peer->region = memsync_region_get(region);
	peer->addr = *addr;
	strscpy(peer->name, name, sizeof(peer->name));
	get_random_bytes(peer->session, sizeof(peer->session));
	spin_lock_init(&peer->lock);
	INIT_LIST_HEAD(&peer->node);
	peer->state = MEMSYNC_PEER_CONNECTING;
	peer->tcp.owner = &peer->thread;
	peer->tcp.shipped = &region->stats.shipped_bytes;
	memsync_thread_init(&peer->thread, NULL, memsync_peer_run, peer_release);
	peer->thread.region = region;
	if (!memsync_pass_alloc(peer))
		return peer;
	peer_free(peer);
	return NULL;
}

static struct memsync_peer *find(struct memsync_region *region,
				 const struct sockaddr_storage *addr, const char *name)
{
	struct memsync_peer *peer;

	list_for_each_entry(peer, &region->peers, node)
		if (memsync_addr_equal(&peer->addr, addr) && !strcmp(peer->name, name))
			return peer;
	return NULL;
}

static int check_new(struct memsync_region *region, const struct sockaddr_storage *addr,
		     const char *name, struct netlink_ext_ack *extack)
{
	if (region->role != MEMSYNC_ROLE_SOURCE) {
		NL_SET_ERR_MSG(extack, "a sink has no peers");
		return -EINVAL;
	}
	if (region->state == MEMSYNC_REGION_NEW || region->state == MEMSYNC_REGION_GONE) {
		NL_SET_ERR_MSG(extack, "the region is not running");
		return -EINVAL;
	}
	if (find(region, addr, name)) {
		NL_SET_ERR_MSG(extack, "the region has this peer");
		return -EEXIST;
	}
	if (region->nr_peers >= MEMSYNC_MAX_PEERS) {
		NL_SET_ERR_MSG(extack, "too many peers");
		return -ENOSPC;
	}
	if (!memsync_addr_loopback(addr) && !(region->flags & MEMSYNC_REGION_F_PLAINTEXT)) {
		NL_SET_ERR_MSG(extack, "a peer off loopback needs TLS, or plaintext allowed");
		return -EPERM;
	}
	return 0;
}

static int peer_start(struct memsync_peer *peer, struct netlink_ext_ack *extack)
{
	struct memsync_region *region = peer->region;
	struct memsync_track *track;
	int err;

	track = memsync_track_start(region->mm, region->ranges, region->nr_ranges,
				    memsync_region_how(region) | MEMSYNC_TRACK_ALL_DIRTY |
				    MEMSYNC_TRACK_PASSES,
				    &track_ops, peer, extack);
	if (IS_ERR(track))
		return PTR_ERR(track);
	peer->track = track;
	list_add_tail(&peer->node, &region->peers);
	region->nr_peers++;
	err = memsync_thread_start(&peer->thread, "memsync/%u", region->id);
	if (err) {
		list_del_init(&peer->node);
		region->nr_peers--;
		return err;
	}
	memsync_region_unwatch(region);
	memsync_session_update(region);
	return 0;
}

int memsync_peer_add(struct memsync_region *region, const struct sockaddr_storage *addr,
		     const char *name, struct netlink_ext_ack *extack)
{
	struct memsync_peer *peer;
	int err;

	lockdep_assert_held(&region->lock);
	name = name ?: region->name;
	err = check_new(region, addr, name, extack);
	if (err)
		return err;
	peer = peer_new(region, addr, name);
	if (!peer)
		return -ENOMEM;
	err = peer_start(peer, extack);
	if (err)
		peer_free(peer);
	return err;
}

/* What only this peer's track has seen is kept, so that the count never falls. */
static void peer_unlink(struct memsync_peer *peer)
{
	struct memsync_region *region = peer->region;
	u64 faults = memsync_session_write_faults(region);

	lockdep_assert_held(&region->lock);
	list_del_init(&peer->node);
	region->nr_peers--;
	region->past_write_faults += faults - memsync_session_write_faults(region);
	memsync_thread_stop(&peer->thread);
}

int memsync_peer_del(struct memsync_region *region, const struct sockaddr_storage *addr,
		     const char *name, struct netlink_ext_ack *extack)
{
	struct memsync_peer *peer;
	int err = 0;

	lockdep_assert_held(&region->lock);
	peer = find(region, addr, name ?: region->name);
	if (!peer) {
		NL_SET_ERR_MSG(extack, "the region has no such peer");
		return -ENOENT;
	}
	if (list_is_singular(&region->peers))	/* its process is watched all the time */
		err = memsync_region_watch(region, extack);
	if (err)
		return err;
	peer_unlink(peer);
	memsync_session_update(region);
	return 0;
}

void memsync_peer_fill(struct memsync_peer *peer, struct memsync_peer_info *info)
{
	u64 acked, shipped;

	memset(info, 0, sizeof(*info));
	info->addr = peer->addr;
	strscpy(info->name, peer->name, sizeof(info->name));
	spin_lock(&peer->lock);
	info->state = peer->state;
	strscpy(info->reason, peer->reason, sizeof(info->reason));
	info->plaintext = peer->plaintext;
	spin_unlock(&peer->lock);
	/* a reconnect between the two sets both to zero */
	acked = READ_ONCE(peer->acked_pages);
	shipped = READ_ONCE(peer->shipped_pages);
	info->lag_pages = memsync_track_dirty_pages(peer->track) + shipped - min(acked, shipped);
}

bool memsync_peer_info(struct memsync_region *region, unsigned int index,
		       struct memsync_peer_info *info)
{
	struct memsync_peer *peer;

	lockdep_assert_held(&region->lock);
	list_for_each_entry(peer, &region->peers, node) {
		if (index--)
			continue;
		memsync_peer_fill(peer, info);
		return true;
	}
	return false;
}

/* ---- the region as its peers make it ---- */

static enum memsync_region_state seen_by(const struct memsync_peer *peer)
{
	switch (READ_ONCE(peer->state)) {
	case MEMSYNC_PEER_CONNECTED:
		return peer->first_id && peer->acked_id >= peer->first_id ?
		       MEMSYNC_REGION_SYNCED : MEMSYNC_REGION_SYNCING;
	case MEMSYNC_PEER_CONNECTING:
		/* the first try is not a failure yet */
		return peer->reason[0] ? MEMSYNC_REGION_DISCONNECTED : MEMSYNC_REGION_SYNCING;
	default:
		return MEMSYNC_REGION_DISCONNECTED;
	}
}

static bool worse(enum memsync_region_state a, enum memsync_region_state b)
{
	static const u8 rank[] = {
		[MEMSYNC_REGION_ATTACHED] = 0,
		[MEMSYNC_REGION_SYNCED] = 1,
		[MEMSYNC_REGION_SYNCING] = 2,
		[MEMSYNC_REGION_DISCONNECTED] = 3,
	};

	return rank[a] > rank[b];
}

void memsync_session_update(struct memsync_region *region)
{
	enum memsync_region_state state = MEMSYNC_REGION_ATTACHED;
	struct memsync_peer *peer;
	const char *reason = "";

	lockdep_assert_held(&region->lock);
	if (region->state == MEMSYNC_REGION_GONE)
		return;
	list_for_each_entry(peer, &region->peers, node) {
		if (!worse(seen_by(peer), state))
			continue;
		state = seen_by(peer);
		reason = state == MEMSYNC_REGION_DISCONNECTED ? peer->reason : "";
	}
	if (region->state != state || strcmp(region->reason, reason))
		memsync_region_set_state(region, state, reason[0] ? reason : NULL);
}

void memsync_session_kick(struct memsync_region *region)
{
	struct memsync_peer *peer;

	lockdep_assert_held(&region->lock);
	if (region->role == MEMSYNC_ROLE_SINK)
		return;
	list_for_each_entry(peer, &region->peers, node)
		wake_up_all(&peer->thread.wq);
}

u64 memsync_session_dirty_pages(struct memsync_region *region)
{
	struct memsync_peer *peer;
	u64 most = 0;

	lockdep_assert_held(&region->lock);
	list_for_each_entry(peer, &region->peers, node)
		most = max(most, memsync_track_dirty_pages(peer->track));
	return most;
}

u64 memsync_session_write_faults(struct memsync_region *region)
{
	struct memsync_peer *peer;
	u64 most = 0;

	lockdep_assert_held(&region->lock);
	list_for_each_entry(peer, &region->peers, node)
		most = max(most, memsync_track_write_faults(peer->track));
	return most;
}

size_t memsync_session_tracking_bytes(struct memsync_region *region)
{
	struct memsync_peer *peer;
	size_t sum = 0;

	lockdep_assert_held(&region->lock);
	list_for_each_entry(peer, &region->peers, node)
		sum += memsync_track_bytes(peer->track) + memsync_digests_bytes(&peer->digests);
	return sum;
}

/* ---- the end ---- */

void memsync_session_stop(struct memsync_region *region, const char *reason)
{
	struct memsync_peer *peer, *next;

	mutex_lock(&region->lock);
	if (region->role == MEMSYNC_ROLE_SOURCE)
		list_for_each_entry_safe(peer, next, &region->peers, node)
			peer_unlink(peer);
	mutex_unlock(&region->lock);

	memsync_threads_stop_region(region);
	if (region->role == MEMSYNC_ROLE_SOURCE) {
		memsync_barriers_fail(region, -ENOTCONN, reason);
	} else {
		memsync_hold_end(region, -ENOTCONN, reason);
		memsync_sink_unwatch(region);
	}
}

int memsync_session_init(void)
{
	int err = memsync_ahead_init();

	if (err)
		return err;
	err = memsync_threads_init();
	if (err)
		memsync_ahead_exit();
	return err;
}

void memsync_session_exit(void)
{
	memsync_listeners_exit();
	memsync_threads_exit();
	memsync_ahead_exit();
}
