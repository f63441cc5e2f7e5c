// SPDX-License-Identifier: GPL-2.0
/* memsync: a source tells its peer what its ranges are, and when they become more. */
#include <linux/overflow.h>
#include <linux/slab.h>
#include "peer.h"

int memsync_geometry_send(struct memsync_peer *peer, unsigned int first)
{
	unsigned int total = memsync_track_nr_ranges(peer->track);
	unsigned int most = min_t(unsigned int, total - first, MEMSYNC_WIRE_GEOMETRY_LENGTHS);
	struct memsync_wire_geometry *w;
	unsigned int nr, i;
	int err = 0;

	/* Not in peer->control: in a pass, frames may come in while this one goes out. */
	w = kvmalloc(struct_size(w, lengths, most), GFP_KERNEL);
	if (!w)
		return -ENOMEM;
	for (; first < total && !err; first += nr) {
		nr = min_t(unsigned int, total - first, MEMSYNC_WIRE_GEOMETRY_LENGTHS);
		w->first = cpu_to_le32(first);
		w->nr = cpu_to_le32(nr);
		for (i = 0; i < nr; i++)
			w->lengths[i] = cpu_to_le64(memsync_track_length(peer->track, first + i));
		err = memsync_tcp_send(&peer->tcp, MEMSYNC_WIRE_GEOMETRY, 0, w,
				       struct_size(w, lengths, nr), first + nr < total);
	}
	kvfree(w);
	return err;
}

static int send_grown(struct memsync_peer *peer, unsigned int first)
{
	struct memsync_wire_grow w = {
		.size = cpu_to_le64(memsync_track_size(peer->track)),
		.nr_ranges = cpu_to_le32(memsync_track_nr_ranges(peer->track)),
	};

	if (!(peer->features & MEMSYNC_WIRE_FEATURE_GROW))
		return memsync_peer_fail(peer, MEMSYNC_WIRE_OTHER_GEOMETRY,
					 "the process has new mappings, which the peer's memsync cannot take");
	return memsync_tcp_send(&peer->tcp, MEMSYNC_WIRE_GROW, 0, &w, sizeof(w), true) ?:
	       memsync_geometry_send(peer, first);
}

/* Nobody else looks at the track meanwhile: they hold the lock. */
static int grow_track(struct memsync_peer *peer)
{
	struct memsync_region *region = peer->region;
	struct memsync_track *track = peer->track;

	mutex_lock(&region->lock);
	if (memsync_track_nr_ranges(track) < region->nr_ranges)
		track = memsync_track_grow(track, region->ranges, region->nr_ranges);
	if (!IS_ERR(track))
		peer->track = track;
	mutex_unlock(&region->lock);
	return PTR_ERR_OR_ZERO(track);
}

int memsync_geometry_follow(struct memsync_peer *peer)
{
	unsigned int before = memsync_track_nr_ranges(peer->track);
	struct memsync_region *region = peer->region;
	int err;

	if (!(READ_ONCE(region->flags) & MEMSYNC_REGION_F_FOLLOW))
		return 0;
	memsync_track_looked(peer->track);
	err = memsync_region_follow(region) ?: grow_track(peer);
	if (err == -E2BIG)
		memsync_region_end_async(region, "it has more memory than can be followed");
	if (err)
		return err;
	return memsync_track_nr_ranges(peer->track) == before ? 0 : send_grown(peer, before);
}
