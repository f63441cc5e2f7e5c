// SPDX-License-Identifier: GPL-2.0
/* memsyncctl monitor */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "addr.h"
#include "ctl.h"
#include "shown.h"
#include "units.h"

struct monitor {
	struct ctl *ctl;
	struct memsync_events *events;
};

static void print_time(void)
{
	uint64_t now = out_now();
	time_t seconds = now / 1000000000;
	char text[32];
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%H:%M:%S", &tm);
	printf("%s.%06u  ", text, (unsigned int)(now % 1000000000 / 1000));
}

static int same_listener(const struct memsync_listener *listener, void *arg)
{
	char text[ADDR_TEXT];

	return !strcmp(addr_text(text, &listener->addr), arg);
}

/* The event does not say whether it was added or removed. */
static const char *listener_change(struct monitor *m, const struct memsync_event *event)
{
	char text[ADDR_TEXT];

	addr_text(text, &event->listener->addr);
	return memsync_dump_listeners(m->ctl->ms, same_listener, text) == 1 ?
	       "listening" : "closed";
}

static void region_text(const struct memsync_event *event)
{
	const struct memsync_region *r = event->region;

	printf("%s %s", memsync_role_name(r->role), out_safe(r->name));
	if (event->type == MEMSYNC_EVENT_REGION_DELETED)
		printf(" unregistered");
	else if (event->type == MEMSYNC_EVENT_REGION_STATE)
		printf(" %s%s", memsync_region_state_name(r->state),
		       r->flags & MEMSYNC_REGION_F_PAUSED ? ", paused" : "");
}

static void peer_text(const struct memsync_event *event)
{
	const struct memsync_peer *peer = event->peer;
	char addr[ADDR_TEXT];

	printf(": peer %s%s%s ", addr_text(addr, &peer->addr), peer->name[0] ? "/" : "",
	       out_safe(peer->name));
	if (event->type == MEMSYNC_EVENT_PEER_DELETED)
		printf("removed");
	else
		printf("%s%s", memsync_peer_state_name(peer->state),
		       peer->plaintext ? ", plaintext" : "");
}

static void verify_text(const struct memsync_verify *v)
{
	printf(": verified, %" PRIu64 " pages compared, %" PRIu64 " different, %" PRIu64
	       " changing", v->compared, v->different, v->changing);
}

static void details_text(const struct memsync_event *event)
{
	uint64_t bytes = 0;
	char size[UNIT_TEXT];
	size_t i;

	if (event->peer)
		peer_text(event);
	if (event->verify && !event->error)
		verify_text(event->verify);
	if (event->type == MEMSYNC_EVENT_GEOMETRY) {
		for (i = 0; i < event->nr_lengths; i++)
			bytes += event->lengths[i];
		printf(": a source offers %zu ranges, %s", event->nr_lengths,
		       unit_bytes(size, bytes));
	}
	if (event->type == MEMSYNC_EVENT_BARRIER)
		printf(": barrier %" PRIu64 "%s", event->barrier_id,
		       event->error ? " failed" : " reached");
	if (event->type == MEMSYNC_EVENT_HELD)
		printf(": %s at barrier %" PRIu64, event->error ? "not held" : "held",
		       event->barrier_id);
	if (event->type == MEMSYNC_EVENT_VERIFY && event->error)
		printf(": verify failed");
}

static void event_text(struct monitor *m, const struct memsync_event *event)
{
	char addr[ADDR_TEXT];

	print_time();
	if (event->listener) {
		printf("%s on %s%s", listener_change(m, event),
		       addr_text(addr, &event->listener->addr),
		       event->listener->plaintext ? ", plaintext" : "");
	} else {
		region_text(event);
		details_text(event);
	}
	if (event->error && !*event->reason)
		printf(": %s", strerror(-event->error));
	printf("%s%s\n", *event->reason ? ": " : "", out_safe(event->reason));
}

static void region_json(struct json_object *obj, const struct memsync_event *event)
{
	const struct memsync_region *r = event->region;

	out_number(obj, "id", r->id);
	out_string(obj, "name", r->name);
	out_string(obj, "role", memsync_role_name(r->role));
	if (event->type != MEMSYNC_EVENT_REGION_STATE)
		return;
	out_string(obj, "state", memsync_region_state_name(r->state));
	out_bool(obj, "paused", r->flags & MEMSYNC_REGION_F_PAUSED);
	out_number(obj, "pages", r->pages);
	out_number(obj, "dirty", r->dirty);
	json_object_object_add(obj, "last_barrier", barrier_json(r->barrier_id, r->barrier_time));
	out_bool(obj, "mid_pass", r->mid_pass);
}

static void listener_json(struct json_object *obj, struct monitor *m,
			  const struct memsync_event *event)
{
	char addr[ADDR_TEXT];

	out_string(obj, "addr", addr_text(addr, &event->listener->addr));
	out_string(obj, "state", listener_change(m, event));
	out_bool(obj, "plaintext", event->listener->plaintext);
}

static struct json_object *lengths_json(const struct memsync_event *event)
{
	struct json_object *array = json_object_new_array();
	size_t i;

	for (i = 0; i < event->nr_lengths; i++)
		json_object_array_add(array, json_object_new_uint64(event->lengths[i]));
	return array;
}

static void details_json(struct json_object *obj, const struct memsync_event *event)
{
	if (event->peer)
		json_object_object_add(obj, "peer", peer_json(event->peer));
	if (event->type == MEMSYNC_EVENT_GEOMETRY)
		json_object_object_add(obj, "lengths", lengths_json(event));
	if (event->type == MEMSYNC_EVENT_BARRIER || event->type == MEMSYNC_EVENT_HELD)
		out_number(obj, "barrier", event->barrier_id);
	if (event->verify) {
		out_number(obj, "compared", event->verify->compared);
		out_number(obj, "different", event->verify->different);
		out_number(obj, "changing", event->verify->changing);
	}
}

static void event_json(struct monitor *m, const struct memsync_event *event)
{
	struct json_object *obj = json_object_new_object();

	out_string(obj, "event", memsync_event_name(event->type));
	out_time(obj, "time", out_now());
	out_number(obj, "seq", event->seq);
	if (event->listener)
		listener_json(obj, m, event);
	else
		region_json(obj, event);
	details_json(obj, event);
	if (event->error)
		out_string(obj, "error", strerror(-event->error));
	out_string(obj, "reason", event->reason);
	out_json_line(obj);
}

static void print_lost(const struct monitor *m, uint64_t lost)
{
	struct json_object *obj;

	if (!m->ctl->json) {
		print_time();
		printf("%" PRIu64 " events were lost here\n", lost);
		return;
	}
	obj = json_object_new_object();
	out_string(obj, "event", "lost");
	out_time(obj, "time", out_now());
	out_number(obj, "lost", lost);
	out_json_line(obj);
}

static int loop(struct monitor *m)
{
	const struct memsync_event *event;
	int ret;

	for (;;) {
		ret = memsync_events_wait(m->events, -1, &event);
		if (ret == -ENOBUFS || ret == -EINTR || !ret)
			continue;	/* the next one says how many were lost */
		if (ret < 0)
			return ctl_fail_lib(m->ctl, "monitor");
		if (event->lost)
			print_lost(m, event->lost);
		if (m->ctl->json)
			event_json(m, event);
		else
			event_text(m, event);
		if (fflush(stdout))
			return EXIT_FAILED;
	}
}

int cmd_monitor(struct ctl *ctl, int argc, char **argv)
{
	struct monitor m = { .ctl = ctl };
	int status;

	if (ctl_getopt(ctl, argc, argv, NULL) != -1)
		return ctl->status;
	if (optind < argc)
		return ctl_usage(ctl, "monitor takes no arguments: %s", argv[optind]);
	if (ctl_open(ctl))
		return EXIT_FAILED;
	if (memsync_events_open(ctl->ms, &m.events))
		return ctl_fail_lib(ctl, "monitor");
	ctl_note("watching");
	status = loop(&m);
	memsync_events_close(m.events);
	return status;
}
