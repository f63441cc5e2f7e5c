// SPDX-License-Identifier: GPL-2.0
/*
 * memsync: a sink's process must not go unnoticed.
 *
 * A source is watched by its track. A sink may rest for days with no connection,
 * so it gets an MMU notifier, which the kernel calls when the last user of
 * the mm is gone: at exit, and at exec. Its mm is pinned only while a frame is
 * applied, so that cannot delay it for long.
 */
#include <linux/mmu_notifier.h>
#include <linux/netlink.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include "conn.h"
#include "mm.h"

struct memsync_sink_watch {
	struct mmu_notifier notifier;
	struct memsync_region *region;	/* outlives this */
	bool off;			/* unregistering calls release() too */
};

static void release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	struct memsync_sink_watch *watch = container_of(notifier, struct memsync_sink_watch,
							notifier);

	if (!READ_ONCE(watch->off))
		memsync_region_end_async(watch->region, "process exited");
}

static const struct mmu_notifier_ops ops = {
	.release = release,
};

int memsync_sink_watch(struct memsync_region *region, struct netlink_ext_ack *extack)
{
	struct memsync_sink_watch *watch;
	int err;

	lockdep_assert_held(&region->lock);
	if (!mmget_not_zero(region->mm)) {
		NL_SET_ERR_MSG(extack, "the process has exited");
		return -ESRCH;
	}
	watch = kzalloc(sizeof(*watch), GFP_KERNEL);
	err = watch ? 0 : -ENOMEM;
	if (!err) {
		watch->region = region;
		watch->notifier.ops = &ops;
		err = memsync_mm_own(&watch->notifier) ?:
		      mmu_notifier_register(&watch->notifier, region->mm);
	}
	if (!err) {
		region->watch = watch;
	} else if (watch) {
		memsync_mm_disown(&watch->notifier);
		kfree(watch);
	}
	mmput_async(region->mm);
	return err;
}

void memsync_sink_unwatch(struct memsync_region *region)
{
	struct memsync_sink_watch *watch;

	mutex_lock(&region->lock);
	watch = region->watch;
	region->watch = NULL;
	mutex_unlock(&region->lock);
	if (!watch)
		return;
	WRITE_ONCE(watch->off, true);
	memsync_mm_disown(&watch->notifier);
	mmu_notifier_unregister(&watch->notifier, region->mm);
	kfree(watch);
}
