// SPDX-License-Identifier: GPL-2.0
/* A region as JSON: the keys that scripts rely on. */
#include <arpa/inet.h>
#include <stdlib.h>

#include "../memsyncctl/shown.h"
#include "tap.h"

static struct memsync_range ranges[] = {
	{ 0x7f0000000000, 0x7f0000003000, 0 },
	{ 0x555500000000, 0x555500001000, 0x3000 },
};

static struct memsync_peer peers[1];

static void fill(struct shown *shown)
{
	peers[0].addr.in.sin_family = AF_INET;
	peers[0].addr.in.sin_port = htons(7420);
	inet_pton(AF_INET, "10.42.0.2", &peers[0].addr.in.sin_addr);
	peers[0].state = MEMSYNC_PEER_CONNECTED;
	peers[0].lag_pages = 3;
	peers[0].plaintext = true;
	*shown = (struct shown){
		.region = {
			.id = 1, .pid = 4242, .role = MEMSYNC_ROLE_SOURCE,
			.state = MEMSYNC_REGION_SYNCED, .interval_us = 10000, .pages = 4,
			.dirty = 2, .barrier_id = 7, .barrier_time = 1700000000000000000,
			.name = "redis", .stats = { .shipped_pages = 99 },
		},
		.ranges = ranges, .nr_ranges = 2, .peers = peers, .nr_peers = 1,
	};
}

static struct json_object *member(struct json_object *obj, const char *key)
{
	struct json_object *value = NULL;

	if (!json_object_object_get_ex(obj, key, &value))
		printf("# no key %s\n", key);
	return value;
}

static const char *text(struct json_object *obj, const char *key)
{
	return json_object_get_string(member(obj, key));
}

static uint64_t number(struct json_object *obj, const char *key)
{
	return json_object_get_uint64(member(obj, key));
}

static void test_source(void)
{
	static const char * const stats[] = {
		"write_faults", "passes", "harvest_ns", "harvested_pages", "shipped_pages",
		"shipped_bytes", "zero_pages", "applied_pages", "reconnects", "resync_pages",
	};
	struct json_object *obj, *part;
	struct shown shown;
	size_t i;

	fill(&shown);
	obj = shown_json(&shown);
	CHECK(number(obj, "id") == 1 && number(obj, "pid") == 4242, "id and pid");
	CHECK_SAME(text(obj, "name"), "redis", "name");
	CHECK_SAME(text(obj, "role"), "source", "role");
	CHECK_SAME(text(obj, "state"), "synced", "state");
	CHECK(!json_object_object_get(obj, "reason"), "no reason");
	CHECK(number(obj, "pages") == 4 && number(obj, "dirty") == 2, "pages");
	part = json_object_array_get_idx(member(obj, "ranges"), 1);
	CHECK_SAME(text(part, "start"), "0x555500000000", "a range's start");
	CHECK_SAME(text(part, "end"), "0x555500001000", "and end");
	CHECK(json_object_is_type(member(part, "offset"), json_type_int) &&
	      number(part, "offset") == 0x3000, "and offset, a number");
	part = json_object_array_get_idx(member(obj, "peers"), 0);
	CHECK_SAME(text(part, "addr"), "10.42.0.2:7420", "a peer's address");
	CHECK_SAME(text(part, "state"), "connected", "and state");
	CHECK(number(part, "lag_pages") == 3, "and lag");
	CHECK(json_object_get_boolean(member(part, "plaintext")), "and that it is plain");
	part = member(obj, "last_barrier");
	CHECK(number(part, "id") == 7, "the last barrier");
	CHECK_SAME(text(part, "time"), "2023-11-14T22:13:20.000000Z", "and its time");
	CHECK(json_object_is_type(member(obj, "mid_pass"), json_type_boolean), "mid_pass");
	part = member(obj, "stats");
	for (i = 0; i < ARRAY_SIZE(stats); i++)
		CHECK(json_object_is_type(member(part, stats[i]), json_type_int), stats[i]);
	CHECK(number(part, "shipped_pages") == 99, "a counter's value");
	json_object_put(obj);
}

static void test_bare(void)
{
	struct json_object *obj;
	struct shown shown = { .region = { .id = 2, .role = MEMSYNC_ROLE_SINK,
		.state = MEMSYNC_REGION_GONE, .name = "x", .reason = "process exited" } };

	obj = shown_json(&shown);
	CHECK_SAME(text(obj, "reason"), "process exited", "a reason");
	CHECK(!member(obj, "last_barrier"), "no barrier is null");
	CHECK(!member(obj, "pid"), "no process is null");
	CHECK(json_object_array_length(member(obj, "ranges")) == 0 &&
	      json_object_array_length(member(obj, "peers")) == 0, "empty arrays");
	json_object_put(obj);
	shown.region.state = MEMSYNC_REGION_WAITING;
	obj = shown_json(&shown);
	CHECK_SAME(text(obj, "state"), "waiting", "a sink that waits");
	json_object_put(obj);
}

static void test_left_out(void)
{
	struct left_out out = { 0x1000, 0x2000, (char *)"/lib/x", (char *)"shared" };
	struct ranges all = { .left_out = &out, .nr_left_out = 1 };
	struct json_object *array = left_out_json(&all), *obj;

	obj = json_object_array_get_idx(array, 0);
	CHECK_SAME(text(obj, "start"), "0x1000", "what was left out");
	CHECK_SAME(text(obj, "name"), "/lib/x", "what it is");
	CHECK_SAME(text(obj, "reason"), "shared", "and why");
	json_object_put(array);
}

int main(void)
{
	test_source();
	test_bare();
	test_left_out();
	return tap_done();
}
