// SPDX-License-Identifier: GPL-2.0
/* memsync: keeps a region of a process's memory in step with a peer. */
#include <linux/module.h>

#define CREATE_TRACE_POINTS
#include "trace.h"

static int __init memsync_init(void)
{
	return 0;
}

static void __exit memsync_exit(void)
{
}

module_init(memsync_init);
module_exit(memsync_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Keeps a region of a process's memory in step with a peer");
