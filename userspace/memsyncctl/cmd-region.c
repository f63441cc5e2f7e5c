// SPDX-License-Identifier: GPL-2.0
/* memsyncctl unregister, pause, resume */
#include <inttypes.h>
#include <stdlib.h>

#include "ctl.h"
#include "out.h"
#include "units.h"

struct change {
	const char *name;
	bool sink;
	uint64_t interval_ns;
};

static int parse(struct ctl *ctl, int argc, char **argv, bool interval, struct change *change)
{
	static const struct option all[] = {
		{ "sink", no_argument, NULL, 's' },
		{ "interval", required_argument, NULL, 'i' },
		{ },
	};
	static const struct option plain[] = { { "sink", no_argument, NULL, 's' }, { } };
	struct problem p;
	int c;

	while ((c = ctl_getopt(ctl, argc, argv, interval ? all : plain)) != -1) {
		if (c == 's') {
			change->sink = true;
			continue;
		}
		if (c != 'i')
			return -1;
		if (unit_read_interval(optarg, &change->interval_ns, &p)) {
			ctl->status = ctl_usage(ctl, "%s", p.text);
			return -1;
		}
	}
	change->name = ctl_name_arg(ctl, argc, argv);
	return change->name ? 0 : -1;
}

static void print_done(const struct ctl *ctl, const struct memsync_region *region,
		       const char *what)
{
	struct json_object *obj;

	if (!ctl->json)
		return;
	obj = json_object_new_object();
	out_number(obj, "id", region->id);
	out_string(obj, "name", region->name);
	out_string(obj, "role", memsync_role_name(region->role));
	out_string(obj, "done", what);
	out_json(obj);
}

typedef int (*change_fn)(struct memsync *ms, uint32_t id);

static int run(struct ctl *ctl, const struct change *change, change_fn fn)
{
	struct memsync_region *region;
	int err, status;

	status = ctl_find(ctl, change->name, change->sink, &region);
	if (status)
		return status;
	err = change->interval_ns ?
	      memsync_set_interval(ctl->ms, region->id, change->interval_ns / 1000) : 0;
	if (!err)
		err = fn(ctl->ms, region->id);
	if (err)
		status = ctl_fail_lib(ctl, "%s %s", ctl->command->name, change->name);
	else
		print_done(ctl, region, ctl->command->name);
	free(region);
	return status;
}

int cmd_unregister(struct ctl *ctl, int argc, char **argv)
{
	struct change change = { };

	if (parse(ctl, argc, argv, false, &change))
		return ctl->status;
	return run(ctl, &change, memsync_unregister);
}

int cmd_pause(struct ctl *ctl, int argc, char **argv)
{
	struct change change = { };

	if (parse(ctl, argc, argv, false, &change))
		return ctl->status;
	return run(ctl, &change, memsync_pause);
}

int cmd_resume(struct ctl *ctl, int argc, char **argv)
{
	struct change change = { };

	if (parse(ctl, argc, argv, true, &change))
		return ctl->status;
	return run(ctl, &change, memsync_resume);
}
