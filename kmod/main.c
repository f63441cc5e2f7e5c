// SPDX-License-Identifier: GPL-2.0
/* memsync: keeps a region of a process's memory in step with a peer. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/genetlink.h>
#include <linux/module.h>
#include <uapi/linux/memsync.h>
#include "netlink.h"
#include "region.h"
#include "session.h"
#include "track.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/* From what is asked to what asks: each may use those above it. */
static const struct part {
	int (*init)(void);
	void (*exit)(void);
} parts[] = {
	{ memsync_track_init, memsync_track_exit },
	{ memsync_session_init, memsync_session_exit },
	{ memsync_netlink_event_init, memsync_netlink_event_exit },
	{ memsync_region_init, memsync_region_exit },
	{ memsync_region_table_init, memsync_region_table_exit },
	{ memsync_netlink_init, memsync_netlink_exit },
};

static void exit_parts(size_t nr)
{
	while (nr--)
		parts[nr].exit();
}

static int __init memsync_init(void)
{
	size_t i;
	int err;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		err = parts[i].init();
		if (err) {
			exit_parts(i);
			return err;
		}
	}
	pr_info("version %s\n", THIS_MODULE->version);
	return 0;
}

/*
 * The regions that there are now end first, while events can tell of it. The
 * family goes next, so that no request comes any more, and then the regions
 * that were made meanwhile, listeners, sessions and tracking.
 */
static void __exit memsync_exit(void)
{
	memsync_region_end_all("module unloaded");
	exit_parts(ARRAY_SIZE(parts));
}

module_init(memsync_init);
module_exit(memsync_exit);

MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
MODULE_DESCRIPTION("Keeps a region of a process's memory in step with a peer");
MODULE_ALIAS_GENL_FAMILY(MEMSYNC_GENL_NAME);
