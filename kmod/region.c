// SPDX-License-Identifier: GPL-2.0
/* The life of a region: made, given ranges, started, ended. */
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/netlink.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include "region.h"
#include "session.h"
#include "trace.h"
#include "track.h"

const struct memsync_events *memsync_events;

static struct workqueue_struct *end_wq;

void memsync_region_set_events(const struct memsync_events *events)
{
	memsync_events = events;
}

/* ---- state ---- */

void memsync_region_set_state(struct memsync_region *region, enum memsync_region_state state,
			      const char *reason)
{
	lockdep_assert_held(&region->lock);
	if (!reason)
		reason = "";
	if (region->state == MEMSYNC_REGION_GONE)
		return;
	if (region->state == state && !strcmp(region->reason, reason))
		return;
	trace_memsync_region_state(region->id, region->name, region->state, state);
	WRITE_ONCE(region->state, state);
	strscpy(region->reason, reason, sizeof(region->reason));
	memsync_events->region_state(region);
}

int memsync_region_check_live(const struct memsync_region *region, struct netlink_ext_ack *extack)
{
	lockdep_assert_held(&region->lock);
	if (region->state != MEMSYNC_REGION_GONE)
		return 0;
	NL_SET_ERR_MSG_FMT(extack, "region has ended: %.60s", region->reason);
	return -ESHUTDOWN;
}

/* ---- start ---- */

static void track_ended(void *owner, const char *reason)
{
	memsync_region_end_async(owner, reason);
}

/* Never asked for with memsync_track_arm(). */
static void track_dirtied(void *owner)
{
}

static const struct memsync_track_ops track_ops = {
	.dirtied = track_dirtied,
	.ended = track_ended,
};

unsigned int memsync_region_how(const struct memsync_region *region)
{
	unsigned int how = 0;

	if (region->flags & MEMSYNC_REGION_F_FOLLOW)
		how |= MEMSYNC_TRACK_FOLLOW;
	if (region->flags & MEMSYNC_REGION_F_FOLLOW_FILES)
		how |= MEMSYNC_TRACK_FOLLOW_FILES;
	if (region->flags & MEMSYNC_REGION_F_COMPARE)
		how |= MEMSYNC_TRACK_COMPARE;
	return how;
}

static int start_tracking(struct memsync_region *region, bool all_dirty,
			  struct netlink_ext_ack *extack)
{
	unsigned int how = memsync_region_how(region) | (all_dirty ? MEMSYNC_TRACK_ALL_DIRTY : 0);
	struct memsync_track *track;

	track = memsync_track_start(region->mm, region->ranges, region->nr_ranges, how,
				    &track_ops, region, extack);
	if (IS_ERR(track))
		return PTR_ERR(track);
	region->track = track;
	return 0;
}

int memsync_region_watch(struct memsync_region *region, struct netlink_ext_ack *extack)
{
	lockdep_assert_held(&region->lock);
	if (region->track)
		return 0;
	if (region->state == MEMSYNC_REGION_GONE)
		return -ESRCH;
	return start_tracking(region, false, extack);
}

void memsync_region_unwatch(struct memsync_region *region)
{
	lockdep_assert_held(&region->lock);
	if (!region->track)
		return;
	region->past_write_faults += memsync_track_write_faults(region->track);
	memsync_track_stop(region->track);
	region->track = NULL;
}

static int check_startable(const struct memsync_region *region, struct netlink_ext_ack *extack)
{
	int err = memsync_region_check_open(region, extack);

	if (err)
		return err;
	if (!region->nr_ranges) {
		NL_SET_ERR_MSG(extack, "region has no ranges");
		return -ENODATA;
	}
	return 0;
}

/* An open sink is watched since it was made. */
static int begin(struct memsync_region *region, struct netlink_ext_ack *extack)
{
	if (region->role == MEMSYNC_ROLE_SOURCE)
		return start_tracking(region, region->flags & MEMSYNC_REGION_F_SHIPPED, extack);
	return region->watch ? 0 : memsync_sink_watch(region, extack);
}

static int check_ranges(const struct memsync_region *region, const unsigned int *order,
			struct netlink_ext_ack *extack)
{
	return memsync_region_check_offer(region, order, extack) ?:
	       memsync_ranges_check(region->mm, region->ranges, region->nr_ranges,
				    memsync_region_use(region), extack);
}

static int start(struct memsync_region *region, struct netlink_ext_ack *extack)
{
	bool running = region->nr_accepted;
	unsigned int *order;
	int err;

	err = check_startable(region, extack);
	if (err)
		return err;
	order = memsync_region_order(region);
	if (!order)
		return -ENOMEM;
	err = check_ranges(region, order, extack);
	if (!err && !running)
		err = begin(region, extack);
	if (err) {
		kvfree(order);
		return err;
	}
	memsync_region_accept(region, order);
	if (!running)
		memsync_region_set_state(region, MEMSYNC_REGION_ATTACHED, NULL);
	return 0;
}

int memsync_region_start(struct memsync_region *region, struct netlink_ext_ack *extack)
{
	int err;

	mutex_lock(&region->lock);
	err = start(region, extack);
	mutex_unlock(&region->lock);
	if (!err)
		wake_up_all(&region->answered);
	return err;
}

/* ---- changes while it lives ---- */

static int check_flags(const struct memsync_region *region, u32 flags,
		       struct netlink_ext_ack *extack)
{
	if (flags & ~MEMSYNC_REGION_F_PAUSED & ~region->flags) {
		NL_SET_ERR_MSG(extack, "only the paused flag can be changed");
		return -EINVAL;
	}
	if (flags & MEMSYNC_REGION_F_PAUSED && region->role != MEMSYNC_ROLE_SOURCE) {
		NL_SET_ERR_MSG(extack, "a sink ships nothing that could be paused");
		return -EOPNOTSUPP;
	}
	return 0;
}

static void set_paused(struct memsync_region *region, bool paused)
{
	u32 flags = region->flags & ~MEMSYNC_REGION_F_PAUSED;

	WRITE_ONCE(region->flags, paused ? flags | MEMSYNC_REGION_F_PAUSED : flags);
}

int memsync_region_set(struct memsync_region *region, const u32 *flags, const u32 *interval_us,
		       struct netlink_ext_ack *extack)
{
	int err;

	mutex_lock(&region->lock);
	err = memsync_region_check_live(region, extack);
	if (!err && flags)
		err = check_flags(region, *flags, extack);
	if (err)
		goto unlock;
	if (flags)
		set_paused(region, *flags & MEMSYNC_REGION_F_PAUSED);
	if (interval_us)
		WRITE_ONCE(region->interval_us, *interval_us);
	memsync_session_kick(region);
	memsync_events->region_state(region);
unlock:
	mutex_unlock(&region->lock);
	return err;
}

/* ---- end ---- */

static void mark_gone(struct memsync_region *region, const char *reason)
{
	mutex_lock(&region->lock);
	memsync_region_set_state(region, MEMSYNC_REGION_GONE, reason);
	mutex_unlock(&region->lock);
	wake_up_all(&region->answered);
}

static void stop_tracking(struct memsync_region *region)
{
	mutex_lock(&region->lock);
	memsync_region_unwatch(region);
	mutex_unlock(&region->lock);
}

static void drop_memory(struct memsync_region *region)
{
	mutex_lock(&region->lock);
	mmdrop(region->mm);
	region->mm = NULL;
	mutex_unlock(&region->lock);
}

/*
 * Teardown, in stages:
 *
 * 1. GONE: no request that looks at the state does anything with it any more.
 *    Requests, peers' threads and connections may be under way.
 * 2. Its sessions are stopped, without the lock, as their threads take it. No
 *    thread uses the ranges or the mm now; upcalls of the region's own
 *    track may still come, and find the end asked for or under way.
 * 3. That track is stopped: the fault path knows the region no longer.
 * 4. The mm is let go. The object itself stays, listed, for whoever wants to
 *    know why it ended, until memsync_region_del(); a dump or a late end_work
 *    may hold it a little longer.
 */
void memsync_region_end(struct memsync_region *region, const char *reason)
{
	mutex_lock(&region->end_lock);
	if (region->mm) {
		mark_gone(region, reason);
		memsync_session_stop(region, reason);
		stop_tracking(region);
		drop_memory(region);
	}
	mutex_unlock(&region->end_lock);
}

static void end_work(struct work_struct *work)
{
	struct memsync_region *region = container_of(work, struct memsync_region, end_work);

	memsync_region_end(region, region->end_reason);
	memsync_region_put(region);
}

void memsync_region_end_async(struct memsync_region *region, const char *reason)
{
	if (atomic_xchg(&region->end_asked, 1))
		return;
	strscpy(region->end_reason, reason, sizeof(region->end_reason));
	memsync_region_get(region);
	queue_work(end_wq, &region->end_work);
}

/* ---- the object ---- */

struct memsync_region *memsync_region_alloc(struct net *net,
					    const struct memsync_region_params *p)
{
	struct memsync_region *region = kzalloc(sizeof(*region), GFP_KERNEL_ACCOUNT);

	if (!region) {
		kfree(p->from);
		return NULL;
	}
	kref_init(&region->ref);
	mutex_init(&region->end_lock);
	INIT_WORK(&region->end_work, end_work);
	mutex_init(&region->lock);
	INIT_LIST_HEAD(&region->peers);
	init_waitqueue_head(&region->answered);
	strscpy(region->name, p->name, sizeof(region->name));
	region->net = net;
	region->role = p->role;
	region->flags = p->flags;
	region->interval_us = p->interval_us;
	region->max_size = p->max_size;
	region->pid = get_pid(p->pid);
	region->pid_nr = p->pid_nr;
	region->pid_start = p->pid_start;
	region->user_ns = get_user_ns(p->user_ns);
	region->from = p->from;
	region->nr_from = p->nr_from;
	mmgrab(p->mm);
	region->mm = p->mm;
	region->state = p->flags & MEMSYNC_REGION_F_OPEN ? MEMSYNC_REGION_WAITING :
							   MEMSYNC_REGION_NEW;
	return region;
}

/* Nobody but look-ups under RCU, which fail from now on, knows it any more. */
static void release(struct kref *ref)
{
	struct memsync_region *region = container_of(ref, struct memsync_region, ref);

	if (region->mm)		/* was never listed */
		mmdrop(region->mm);
	put_user_ns(region->user_ns);
	put_pid(region->pid);
	kvfree(region->ranges);
	kvfree(region->order);
	kvfree(region->offered);
	kfree(region->from);
	kfree_rcu(region, rcu);
}

void memsync_region_put(struct memsync_region *region)
{
	kref_put(&region->ref, release);
}

int memsync_region_init(void)
{
	end_wq = alloc_workqueue("memsync_end", WQ_UNBOUND, 0);
	return end_wq ? 0 : -ENOMEM;
}

void memsync_region_exit(void)
{
	destroy_workqueue(end_wq);
}
