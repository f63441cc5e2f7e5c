// SPDX-License-Identifier: GPL-2.0
/*
 * memsync: letting a sink rest at a barrier, so that its replica can be saved.
 *
 *	none --hold--> ASKED --barrier--> HELD --release or time is up--> none
 *	                 `--time is up or source lost--> none
 *
 * Between passes ASKED is HELD at once. Whether one is there and whether a pass
 * is being applied (region->mid_pass) is decided under region->lock.
 */
#include <linux/netlink.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include "conn.h"

/**
 * struct memsync_hold - one hold; region->hold, under region->lock
 * @region: held
 * @expire: ends it. Whoever takes the hold off its region frees it, but when
 *	the work runs already, the work does.
 * @held: in force; else it waits for the end of a pass
 */
struct memsync_hold {
	struct memsync_region *region;
	struct delayed_work expire;
	bool held;
};

static void hold_free(struct memsync_hold *hold)
{
	memsync_region_put(hold->region);
	kfree(hold);
}

/* Off its region: the sink goes on. */
static void detach(struct memsync_region *region)
{
	lockdep_assert_held(&region->lock);
	region->hold = NULL;
	if (region->source)
		wake_up_all(&region->source->thread.wq);
}

static void expire(struct work_struct *work)
{
	struct memsync_hold *hold = container_of(to_delayed_work(work), struct memsync_hold,
						 expire);
	struct memsync_region *region = hold->region;
	bool mine, held;
	u64 id;

	mutex_lock(&region->lock);
	mine = region->hold == hold;
	held = hold->held;
	id = region->barrier_id;
	if (mine) {
		detach(region);
		memsync_events->held(region, id, -ETIMEDOUT,
				     held ? "the hold ran out" : "the pass did not end in time");
	}
	mutex_unlock(&region->lock);
	hold_free(hold);
}

/* Takes the hold off; returns whether it was in force. -ENOENT: there is none. */
static int take_off(struct memsync_region *region)
{
	struct memsync_hold *hold = region->hold;
	bool held;

	if (!hold)
		return -ENOENT;
	held = hold->held;
	detach(region);
	if (cancel_delayed_work(&hold->expire))
		hold_free(hold);
	return held;
}

static int check(struct memsync_region *region, struct netlink_ext_ack *extack)
{
	if (region->role != MEMSYNC_ROLE_SINK) {
		NL_SET_ERR_MSG(extack, "only a sink can be held");
		return -EINVAL;
	}
	switch (region->state) {
	case MEMSYNC_REGION_ATTACHED:
	case MEMSYNC_REGION_SYNCING:
	case MEMSYNC_REGION_SYNCED:
	case MEMSYNC_REGION_DISCONNECTED:
		break;
	default:
		NL_SET_ERR_MSG(extack, "the sink is not running");
		return -EINVAL;
	}
	if (region->hold) {
		NL_SET_ERR_MSG(extack, "the sink is held already");
		return -EBUSY;
	}
	if (region->mid_pass && !region->source) {
		NL_SET_ERR_MSG(extack, "only part of a pass was applied, and the source is gone");
		return -ENOTCONN;
	}
	return 0;
}

int memsync_sink_hold(struct memsync_region *region, u32 timeout_ms,
		      struct netlink_ext_ack *extack)
{
	struct memsync_hold *hold;
	int err;

	lockdep_assert_held(&region->lock);
	err = check(region, extack);
	if (err)
		return err;
	hold = kzalloc(sizeof(*hold), GFP_KERNEL);
	if (!hold)
		return -ENOMEM;
	INIT_DELAYED_WORK(&hold->expire, expire);
	hold->region = memsync_region_get(region);
	hold->held = !region->mid_pass;
	region->hold = hold;
	queue_delayed_work(memsync_thread_wq, &hold->expire, msecs_to_jiffies(timeout_ms));
	if (hold->held)
		memsync_events->held(region, region->barrier_id, 0, NULL);
	return 0;
}

int memsync_sink_release(struct memsync_region *region, struct netlink_ext_ack *extack)
{
	lockdep_assert_held(&region->lock);
	if (take_off(region) > 0)
		return 0;
	NL_SET_ERR_MSG(extack, "the sink was not held any more");
	return -ETIMEDOUT;
}

bool memsync_hold_off(const struct memsync_region *region)
{
	lockdep_assert_held(&region->lock);
	return region->hold && region->hold->held;
}

bool memsync_hold_begin(struct memsync_region *region)
{
	lockdep_assert_held(&region->lock);
	if (!region->hold || region->hold->held)
		return false;
	region->hold->held = true;
	return true;
}

void memsync_hold_end(struct memsync_region *region, int err, const char *reason)
{
	mutex_lock(&region->lock);
	if (take_off(region) >= 0)
		memsync_events->held(region, region->barrier_id, err, reason);
	mutex_unlock(&region->lock);
}

void memsync_hold_source_lost(struct memsync_region *region)
{
	lockdep_assert_held(&region->lock);
	if (!region->hold || region->hold->held)
		return;
	take_off(region);
	memsync_events->held(region, region->barrier_id, -ENOTCONN,
			     "the source was lost in the middle of a pass");
}
