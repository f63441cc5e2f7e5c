// SPDX-License-Identifier: GPL-2.0
/* What memsyncctl receive says while it runs: a line, or a JSON object a line. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "receive.h"
#include "addr.h"
#include "shown.h"
#include "units.h"

static int print_listener(const struct memsync_listener *listener, void *arg)
{
	char addr[ADDR_TEXT];
	bool *any = arg;

	printf("%s%s", *any ? ", " : " at ", addr_text(addr, &listener->addr));
	*any = true;
	return 0;
}

static int add_listener(const struct memsync_listener *listener, void *arg)
{
	char addr[ADDR_TEXT];

	json_object_array_add(arg, json_object_new_string(addr_text(addr, &listener->addr)));
	return 0;
}

static struct json_object *event_json(const char *event)
{
	struct json_object *obj = json_object_new_object();

	out_string(obj, "event", event);
	return obj;
}

static void ready_json(struct receiving *rx)
{
	struct json_object *obj = event_json("ready"), *array = json_object_new_array();

	memsync_dump_listeners(rx->ctl->ms, add_listener, array);
	out_number(obj, "id", memsync_sink_id(rx->sink));
	out_string(obj, "name", rx->args->name);
	out_number(obj, "pid", getpid());
	out_string(obj, "file", rx->args->file);
	json_object_object_add(obj, "listeners", array);
	out_json_line(obj);
}

void receive_print_ready(struct receiving *rx)
{
	bool any = false;

	if (rx->ctl->json) {
		ready_json(rx);
		return;
	}
	printf("listening for a source of %s", out_safe(rx->args->name));
	memsync_dump_listeners(rx->ctl->ms, print_listener, &any);
	printf(" (pid %d)\n", getpid());
	fflush(stdout);
	if (!any)
		ctl_note("nothing listens yet: memsyncctl listen");
}

void receive_print_source(struct receiving *rx)
{
	struct memsync_region *region;
	struct json_object *obj;
	struct shown shown;
	int err;

	if (memsync_region_get(rx->ctl->ms, memsync_sink_id(rx->sink), &region))
		return;
	err = shown_load(rx->ctl->ms, region, &shown);
	free(region);
	if (err)
		return;
	progress_clear(&rx->progress);
	if (rx->ctl->json) {
		obj = event_json("source");
		json_object_object_add(obj, "region", shown_json(&shown));
		out_json_line(obj);
	} else {
		puts("a source came:");
		shown_text(&shown);
		fflush(stdout);
	}
	shown_free(&shown);
}

static void state_json(const struct memsync_region *region)
{
	struct json_object *obj = event_json("state");

	out_string(obj, "name", region->name);
	out_string(obj, "state", memsync_region_state_name(region->state));
	out_string(obj, "reason", region->reason);
	out_number(obj, "pages", region->pages);
	json_object_object_add(obj, "last_barrier",
			       barrier_json(region->barrier_id, region->barrier_time));
	out_json_line(obj);
}

void receive_print_state(struct receiving *rx, const struct memsync_region *region)
{
	char size[UNIT_TEXT];

	if (region->state == rx->told || region->state <= MEMSYNC_REGION_ATTACHED)
		return;
	rx->told = region->state;
	progress_clear(&rx->progress);
	if (rx->ctl->json) {
		state_json(region);
		return;
	}
	printf("%s", memsync_region_state_name(region->state));
	if (region->state == MEMSYNC_REGION_SYNCED)
		printf(": %" PRIu64 " pages (%s)", region->pages,
		       unit_bytes(size, page_bytes(region->pages)));
	if (region->reason[0])
		printf(": %s", out_safe(region->reason));
	putchar('\n');
	fflush(stdout);
}

static void end_json(const struct receiving *rx, const char *why, bool consistent)
{
	struct json_object *obj = event_json("end");
	const struct memsync_region *last = &rx->last;

	out_string(obj, "name", rx->args->name);
	out_string(obj, "reason", why);
	out_string(obj, "file", rx->args->file);
	out_bool(obj, "consistent", consistent);
	json_object_object_add(obj, "last_barrier",
			       barrier_json(last->barrier_id, last->barrier_time));
	out_bool(obj, "mid_pass", last->mid_pass);
	out_json_line(obj);
}

static void end_text(const struct receiving *rx, const char *why, bool consistent)
{
	const char *what = rx->args->file ? out_safe(rx->args->file) : "the replica";
	char when[OUT_TIME_TEXT];

	printf("ended: %s\n", out_safe(why));
	if (!rx->replica.nr_parts)
		puts("no source came");
	else if (consistent)
		printf("%s is a consistent image: barrier %" PRIu64 " at %s\n", what,
		       rx->last.barrier_id, out_iso_time(when, rx->last.barrier_time));
	else
		printf("%s is NOT a consistent image: %s\n", what, rx->last.mid_pass ?
		       "it ends in the middle of a pass" : "no barrier was reached");
	fflush(stdout);
}

bool receive_print_end(struct receiving *rx, const char *why)
{
	bool consistent = rx->last.barrier_id && !rx->last.mid_pass;

	progress_clear(&rx->progress);
	if (rx->ctl->json)
		end_json(rx, why, consistent);
	else
		end_text(rx, why, consistent);
	return consistent;
}
