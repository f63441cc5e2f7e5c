// SPDX-License-Identifier: GPL-2.0
/* A region as JSON. Scripts rely on these keys. */
#include "addr.h"
#include "shown.h"

struct json_object *barrier_json(uint64_t id, uint64_t time)
{
	struct json_object *obj;

	if (!id)
		return NULL;
	obj = json_object_new_object();
	out_number(obj, "id", id);
	out_time(obj, "time", time);
	return obj;
}

struct json_object *peer_json(const struct memsync_peer *peer)
{
	struct json_object *obj = json_object_new_object();
	char addr[ADDR_TEXT];

	out_string(obj, "addr", addr_text(addr, &peer->addr));
	out_string(obj, "name", peer->name);
	out_string(obj, "state", memsync_peer_state_name(peer->state));
	if (peer->reason[0])
		out_string(obj, "reason", peer->reason);
	out_number(obj, "lag_pages", peer->lag_pages);
	out_bool(obj, "plaintext", peer->plaintext);
	return obj;
}

static struct json_object *ranges_json(const struct shown *shown)
{
	struct json_object *array = json_object_new_array();
	size_t i;

	for (i = 0; i < shown->nr_ranges; i++) {
		struct json_object *obj = json_object_new_object();

		out_hex(obj, "start", shown->ranges[i].start);
		out_hex(obj, "end", shown->ranges[i].end);
		out_number(obj, "offset", shown->ranges[i].offset);
		json_object_array_add(array, obj);
	}
	return array;
}

static struct json_object *peers_json(const struct shown *shown)
{
	struct json_object *array = json_object_new_array();
	size_t i;

	for (i = 0; i < shown->nr_peers; i++)
		json_object_array_add(array, peer_json(&shown->peers[i]));
	return array;
}

static struct json_object *from_json(const struct memsync_region *region)
{
	struct json_object *array = json_object_new_array();
	char text[ADDR_TEXT];
	unsigned int i;

	for (i = 0; i < region->nr_from; i++) {
		addr_prefix_text(text, &region->from[i]);
		json_object_array_add(array, json_object_new_string(text));
	}
	return array;
}

static struct json_object *stats_json(const struct memsync_stats *s)
{
	struct json_object *obj = json_object_new_object();

	out_number(obj, "write_faults", s->write_faults);
	out_number(obj, "passes", s->passes);
	out_number(obj, "harvest_ns", s->harvest_ns);
	out_number(obj, "harvested_pages", s->harvested_pages);
	out_number(obj, "shipped_pages", s->shipped_pages);
	out_number(obj, "shipped_bytes", s->shipped_bytes);
	out_number(obj, "zero_pages", s->zero_pages);
	out_number(obj, "applied_pages", s->applied_pages);
	out_number(obj, "reconnects", s->reconnects);
	out_number(obj, "resync_pages", s->resync_pages);
	out_number(obj, "tracking_bytes", s->tracking_bytes);
	out_number(obj, "last_barrier_ns", s->last_barrier_ns);
	return obj;
}

struct json_object *shown_json(const struct shown *shown)
{
	struct json_object *obj = json_object_new_object();
	const struct memsync_region *r = &shown->region;

	out_number(obj, "id", r->id);
	out_string(obj, "name", r->name);
	json_object_object_add(obj, "pid", r->pid ? json_object_new_int(r->pid) : NULL);
	out_string(obj, "role", memsync_role_name(r->role));
	out_string(obj, "state", memsync_region_state_name(r->state));
	if (r->reason[0])
		out_string(obj, "reason", r->reason);
	out_bool(obj, "paused", r->flags & MEMSYNC_REGION_F_PAUSED);
	out_bool(obj, "plaintext", r->flags & MEMSYNC_REGION_F_PLAINTEXT);
	out_bool(obj, "open", r->flags & MEMSYNC_REGION_F_OPEN);
	out_bool(obj, "follow", r->flags & MEMSYNC_REGION_F_FOLLOW);
	out_bool(obj, "follow_files", r->flags & MEMSYNC_REGION_F_FOLLOW_FILES);
	out_bool(obj, "compare", r->flags & MEMSYNC_REGION_F_COMPARE);
	out_number(obj, "interval_us", r->interval_us);
	if (r->max_size)
		out_number(obj, "max_size", r->max_size);
	json_object_object_add(obj, "ranges", ranges_json(shown));
	out_number(obj, "pages", r->pages);
	out_number(obj, "dirty", r->dirty);
	json_object_object_add(obj, "from", from_json(r));
	json_object_object_add(obj, "peers", peers_json(shown));
	json_object_object_add(obj, "last_barrier", barrier_json(r->barrier_id, r->barrier_time));
	out_bool(obj, "mid_pass", r->mid_pass);
	json_object_object_add(obj, "stats", stats_json(&r->stats));
	return obj;
}

struct json_object *left_out_json(const struct ranges *ranges)
{
	struct json_object *array = json_object_new_array();
	size_t i;

	for (i = 0; i < ranges->nr_left_out; i++) {
		struct json_object *obj = json_object_new_object();

		out_hex(obj, "start", ranges->left_out[i].start);
		out_hex(obj, "end", ranges->left_out[i].end);
		out_string(obj, "name", ranges->left_out[i].name);
		out_string(obj, "reason", ranges->left_out[i].why);
		json_object_array_add(array, obj);
	}
	return array;
}
