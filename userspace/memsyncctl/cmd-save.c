// SPDX-License-Identifier: GPL-2.0
/* memsyncctl save */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "image.h"
#include "name.h"
#include "shown.h"
#include "units.h"

#define DEFAULT_TIMEOUT_MS	30000
/*
 * A lease for slow disks; it ends when the copy does, so length costs nothing.
 * It begins before the pass under way has ended. An hour is the module's limit.
 */
#define LEASE_MS		30000
#define LEASE_BYTES_PER_MS	(16 << 10)
#define LEASE_MAX_MS		3600000

struct save {
	struct ctl *ctl;
	const char *name;
	const char *path;
	int timeout_ms;
	int lease_ms;		/* negative: by the region's size */
	struct shown shown;
	struct image image;
	uint64_t barrier;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

/* Without SA_RESTART, so that waiting ends: what is held is released and the file removed. */
static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

static uint32_t lease(const struct save *save)
{
	uint64_t ms = LEASE_MS + save->timeout_ms +
		      page_bytes(save->shown.region.pages) / LEASE_BYTES_PER_MS;

	if (save->lease_ms >= 0)
		return save->lease_ms;
	return ms < LEASE_MAX_MS ? ms : LEASE_MAX_MS;
}

static int hold(struct save *save)
{
	const struct memsync_event *event;
	struct memsync_op *op;
	int err, status = EXIT_DONE;

	if (memsync_hold_start(save->ctl->ms, save->shown.region.id, lease(save), &op))
		return ctl_fail_lib(save->ctl, "save %s", save->name);
	err = memsync_op_wait(op, save->timeout_ms, &event);
	if (!err)
		save->barrier = event->barrier_id;
	else if (err == -ETIMEDOUT)
		status = ctl_timeout(save->ctl, "%s: the pass under way did not end within %.3g s",
				     save->name, save->timeout_ms / 1e3);
	else
		status = ctl_fail_lib(save->ctl, "save %s", save->name);
	if (!err && !save->barrier)
		status = ctl_fail(save->ctl, "%s has not reached a barrier yet", save->name);
	if (status)
		memsync_release(save->ctl->ms, save->shown.region.id);
	memsync_op_free(op);
	return status;
}

static int copy(struct save *save)
{
	struct problem p = { };
	int err, status = EXIT_DONE;

	if (image_copy(&save->image, save->shown.ranges, save->shown.nr_ranges, &interrupted, &p))
		status = ctl_problem(save->ctl, &p);
	err = memsync_release(save->ctl->ms, save->shown.region.id);
	if (err == -ETIMEDOUT && !status)
		return ctl_fail(save->ctl, "save %s: the hold of %.3g s ran out: see --lease",
				save->name, lease(save) / 1e3);
	if (err && !status)
		return ctl_fail_lib(save->ctl, "save %s", save->name);
	return status;
}

static void print_saved(const struct save *save)
{
	uint64_t bytes = page_bytes(save->shown.region.pages);
	char size[UNIT_TEXT];
	struct json_object *obj;

	if (!save->ctl->json) {
		printf("%s: barrier %" PRIu64 " saved to %s (%s)\n", out_safe(save->name),
		       save->barrier, out_safe(save->path), unit_bytes(size, bytes));
		return;
	}
	obj = json_object_new_object();
	out_number(obj, "id", save->shown.region.id);
	out_string(obj, "name", save->name);
	out_string(obj, "file", save->path);
	out_number(obj, "bytes", bytes);
	out_number(obj, "barrier", save->barrier);
	out_json(obj);
}

/* It may have grown until it was held. */
static int look_again(struct save *save)
{
	struct memsync_region *region;
	struct shown shown;
	int err;

	err = memsync_region_get(save->ctl->ms, save->shown.region.id, &region);
	if (!err) {
		err = shown_load(save->ctl->ms, region, &shown);
		free(region);
	}
	if (err) {
		err = ctl_fail_lib(save->ctl, "save %s", save->name);
		memsync_release(save->ctl->ms, save->shown.region.id);
		return err;
	}
	shown_free(&save->shown);
	save->shown = shown;
	return EXIT_DONE;
}

static int save_held(struct save *save)
{
	struct problem p = { };
	int status;

	status = look_again(save);
	if (status)
		return status;
	status = copy(save);
	if (status)
		return status;
	if (image_finish(&save->image, &p))
		return ctl_problem(save->ctl, &p);
	print_saved(save);
	return EXIT_DONE;
}

static int save_region(struct save *save)
{
	const struct memsync_region *region = &save->shown.region;
	struct problem p = { };
	int status;

	if (!region->pid || !save->shown.nr_ranges)
		return ctl_fail(save->ctl, "%s has no memory to save: %s", save->name,
				memsync_region_state_name(region->state));
	catch_signals();
	if (image_open(&save->image, save->path, region->pid, region->pid_start, &p)) {
		status = ctl_problem(save->ctl, &p);
	} else {
		status = hold(save);
		if (!status)
			status = save_held(save);
	}
	image_close(&save->image);
	return status;
}

static int run(struct save *save)
{
	struct memsync_region *region;
	int err, status;

	status = ctl_find(save->ctl, save->name, true, &region);
	if (status)
		return status;
	err = shown_load(save->ctl->ms, region, &save->shown);
	free(region);
	if (err)
		return ctl_fail_lib(save->ctl, "save %s", save->name);
	status = save_region(save);
	shown_free(&save->shown);
	return status;
}

int cmd_save(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {
		{ "sink", no_argument, NULL, 's' },
		{ "timeout", required_argument, NULL, 't' },
		{ "lease", required_argument, NULL, 'l' },
		{ },
	};
	struct save save = { .ctl = ctl, .timeout_ms = DEFAULT_TIMEOUT_MS, .lease_ms = -1 };
	struct problem p = { };
	bool sink = false;
	int c;

	while ((c = ctl_getopt(ctl, argc, argv, options)) != -1) {
		if (c == '?')
			return ctl->status;
		if (c == 's')
			sink = true;
		else if (unit_read_timeout(optarg, c == 't' ? &save.timeout_ms : &save.lease_ms,
					   c == 't' ? "--timeout" : "--lease", &p))
			return ctl_problem(ctl, &p);
	}
	if (argc - optind != 2 || !sink)
		return ctl_usage(ctl, "save needs NAME --sink PATH");
	if (!save.lease_ms || save.lease_ms > LEASE_MAX_MS)
		return ctl_usage(ctl, "--lease is not between 1ms and an hour");
	save.name = argv[optind];
	save.path = argv[optind + 1];
	if (name_check(save.name, &p))
		return ctl_problem(ctl, &p);
	return run(&save);
}
