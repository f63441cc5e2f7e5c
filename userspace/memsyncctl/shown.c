// SPDX-License-Identifier: GPL-2.0
/* Collects what there is to tell of a region. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shown.h"

static int add_range(const struct memsync_range *range, void *arg)
{
	struct shown *shown = arg;
	struct memsync_range *items;

	items = reallocarray(shown->ranges, shown->nr_ranges + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	shown->ranges = items;
	items[shown->nr_ranges++] = *range;
	return 0;
}

static int add_peer(const struct memsync_peer *peer, void *arg)
{
	struct shown *shown = arg;
	struct memsync_peer *items;

	items = reallocarray(shown->peers, shown->nr_peers + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	shown->peers = items;
	items[shown->nr_peers++] = *peer;
	return 0;
}

int shown_load(struct memsync *ms, const struct memsync_region *region, struct shown *shown)
{
	int err;

	memset(shown, 0, sizeof(*shown));
	shown->region = *region;
	err = memsync_dump_ranges(ms, region->id, add_range, shown);
	if (!err)
		err = memsync_dump_peers(ms, region->id, add_peer, shown);
	if (err)
		shown_free(shown);
	return err;
}

void shown_free(struct shown *shown)
{
	free(shown->ranges);
	free(shown->peers);
	memset(shown, 0, sizeof(*shown));
}
