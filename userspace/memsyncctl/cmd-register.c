// SPDX-License-Identifier: GPL-2.0
/* memsyncctl register */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "out.h"
#include "process.h"
#include "register-args.h"
#include "shown.h"
#include "wait.h"

/* The module names the mapping, which is listed with it anyway, and says what it is. */
static bool left_out(struct memsync *ms, size_t index, void *arg)
{
	const char *why = memsync_error(ms), *is = strstr(why, " is ");
	struct ranges *ranges = arg;
	struct problem p;

	return ranges->names[index] &&
	       !ranges_leave_out(ranges, index, is ? is + 4 : why, &p);
}

static void set_opts(const struct register_args *args, const struct process *process,
		     struct ranges *ranges, const char **peer_names,
		     struct memsync_register_opts *opts)
{
	size_t i;

	for (i = 0; i < args->nr_peers; i++)
		peer_names[i] = args->peer_names[i][0] ? args->peer_names[i] : NULL;
	*opts = (struct memsync_register_opts){
		.size = sizeof(*opts),
		.name = args->name ? args->name : process->name,
		.role = args->sink ? MEMSYNC_ROLE_SINK : MEMSYNC_ROLE_SOURCE,
		.pid = process->pid,
		.pid_start = process->start,
		.flags = (args->plaintext ? MEMSYNC_REGION_F_PLAINTEXT : 0) |
			 (args->follow ? MEMSYNC_REGION_F_FOLLOW : 0) |
			 (args->follow && range_args_any_all(&args->ranges) ?
			  MEMSYNC_REGION_F_FOLLOW_FILES : 0) |
			 (args->compare ? MEMSYNC_REGION_F_COMPARE : 0),
		.interval_us = args->interval_ns / 1000,
		.ranges = ranges->items,
		.nr_ranges = ranges->nr,
		.peers = args->peers,
		.peer_names = peer_names,
		.nr_peers = args->nr_peers,
		.from = args->from.items,
		.nr_from = args->from.nr,
		.left_out = left_out,
		.arg = ranges,
	};
}

/* A signal in the middle would leave half a region behind. */
static int register_whole(struct ctl *ctl, const struct memsync_register_opts *opts, uint32_t *id)
{
	sigset_t block, before;
	int err;

	sigemptyset(&block);
	sigaddset(&block, SIGINT);
	sigaddset(&block, SIGTERM);
	sigaddset(&block, SIGHUP);
	sigprocmask(SIG_BLOCK, &block, &before);
	err = memsync_register(ctl->ms, opts, id);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return err;
}

static void note_left_out(const struct ranges *ranges)
{
	size_t i;

	for (i = 0; i < ranges->nr_left_out; i++) {
		const struct left_out *out = &ranges->left_out[i];

		ctl_note("left out: 0x%" PRIx64 "-0x%" PRIx64 " %s (%s)", out->start, out->end,
			 out->name, out->why);
	}
}

static int print_registered(struct ctl *ctl, uint32_t id, const struct ranges *ranges)
{
	struct memsync_region *region;
	char text[SHOWN_SUMMARY];
	struct json_object *obj;
	struct shown shown;
	int err;

	err = memsync_region_get(ctl->ms, id, &region);
	if (err)
		return ctl_fail_lib(ctl, "region %u", id);
	err = shown_load(ctl->ms, region, &shown);
	free(region);
	if (err)
		return ctl_fail_lib(ctl, "region %u", id);
	if (ctl->json) {
		obj = shown_json(&shown);
		json_object_object_add(obj, "left_out", left_out_json(ranges));
		out_json(obj);
	} else {
		printf("%s: %s\n", shown_summary(text, &shown),
		       memsync_region_state_name(shown.region.state));
	}
	shown_free(&shown);
	return EXIT_DONE;
}

static int run(struct ctl *ctl, const struct register_args *args, const struct process *process,
	       struct ranges *ranges)
{
	const char *peer_names[MAX_PEER_ARGS];
	struct memsync_events *events = NULL;
	struct memsync_register_opts opts;
	int status = EXIT_DONE;
	uint32_t id;

	if (ctl_open(ctl))
		return EXIT_FAILED;
	set_opts(args, process, ranges, peer_names, &opts);
	if (args->wait && memsync_events_open(ctl->ms, &events))
		return ctl_fail_lib(ctl, "register %s", opts.name);
	if (register_whole(ctl, &opts, &id))
		status = ctl_fail_lib(ctl, "register %s", opts.name);
	if (!status && !ctl->json)
		note_left_out(ranges);
	if (!status && args->wait)
		status = wait_synced(ctl, events, id, args->timeout_ms);
	if (!status)
		status = print_registered(ctl, id, ranges);
	memsync_events_close(events);
	return status;
}

int cmd_register(struct ctl *ctl, int argc, char **argv)
{
	struct register_args args;
	struct ranges ranges = { };
	struct process process;
	struct problem p = { };
	int status;

	if (register_args_parse(ctl, argc, argv, &args)) {
		range_args_free(&args.ranges);
		return ctl->status;
	}
	if (process_look(args.pid, &process, &p) ||
	    process_ranges(&process, &args.ranges, &ranges, &p))
		status = ctl_problem(ctl, &p);
	else
		status = run(ctl, &args, &process, &ranges);
	ranges_free(&ranges);
	range_args_free(&args.ranges);
	return status;
}
