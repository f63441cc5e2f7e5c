// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "source.h"

#define BARRIER_TIMEOUT_MS	120000

static void check(struct source *source, int err, const char *what)
{
	if (err)
		die("%s: %s (%s)", what, memsync_error(source->ms), strerror(-err));
}

void source_open(struct source *source, const char *name, const char *peer,
		 const struct area *area)
{
	struct memsync_addr addr = {
		.in = { .sin_family = AF_INET, .sin_port = htons(MEMSYNC_DEFAULT_PORT) },
	};
	struct memsync_range range = {
		.start = (uintptr_t)area->start,
		.end = (uintptr_t)area->start + area->pages * PAGE,
	};
	struct memsync_register_opts opts = {
		.size = sizeof(opts),
		.name = name,
		.role = MEMSYNC_ROLE_SOURCE,
		.ranges = &range,
		.nr_ranges = 1,
		.peers = &addr,
		.nr_peers = 1,
		.flags = MEMSYNC_REGION_F_PLAINTEXT,
	};
	int err = memsync_open(&source->ms);

	if (err)
		die("the module: %s", strerror(-err));
	if (inet_pton(AF_INET, peer, &addr.in.sin_addr) != 1)
		die("%s is not an IPv4 address", peer);
	check(source, memsync_register(source->ms, &opts, &source->id), "register");
}

void source_close(struct source *source)
{
	check(source, memsync_unregister(source->ms, source->id), "unregister");
	memsync_close(source->ms);
}

void source_pause(struct source *source)
{
	check(source, memsync_pause(source->ms, source->id), "pause");
}

void source_resume(struct source *source)
{
	check(source, memsync_resume(source->ms, source->id), "resume");
}

void source_barrier(struct source *source)
{
	check(source, memsync_barrier(source->ms, source->id, BARRIER_TIMEOUT_MS, NULL),
	      "barrier");
}

struct memsync_stats source_stats(struct source *source)
{
	struct memsync_region *region;
	struct memsync_stats stats;

	check(source, memsync_region_get(source->ms, source->id, &region), "show");
	if (region->state != MEMSYNC_REGION_SYNCED)
		die("the region is %s: %s", memsync_region_state_name(region->state),
		    region->reason);
	if (region->stats.reconnects)
		die("the connection was lost in between");
	stats = region->stats;
	free(region);
	return stats;
}
