// SPDX-License-Identifier: GPL-2.0
/*
 * memsync with a sink on this host, paused but for the harvests. Its harvest is
 * timed by the module: what a barrier takes besides is the shipping.
 */
#include <stdlib.h>
#include <unistd.h>

#include "source.h"
#include "tracker.h"

static struct source source;
static struct memsync_stats before;

static void start(const struct area *area)
{
	source_open(&source, "bench", "127.0.0.1", area);
	source_barrier(&source);
	source_pause(&source);
	before = source_stats(&source);
}

static uint64_t harvest(size_t *pages)
{
	struct memsync_stats after;
	uint64_t ns;

	source_resume(&source);
	source_barrier(&source);
	source_pause(&source);
	after = source_stats(&source);
	*pages = after.harvested_pages - before.harvested_pages;
	ns = after.harvest_ns - before.harvest_ns;
	before = after;
	return ns;
}

const struct tracker memsync = {
	.name = "memsync",
	.start = start,
	.harvest = harvest,
};
