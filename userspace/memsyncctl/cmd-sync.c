// SPDX-License-Identifier: GPL-2.0
/* memsyncctl sync */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "ctl.h"
#include "out.h"
#include "units.h"

#define DEFAULT_TIMEOUT_MS	30000

static void print_done(const struct ctl *ctl, const struct memsync_region *region, uint64_t id,
		       uint64_t ns)
{
	char took[UNIT_TEXT];
	struct json_object *obj;

	if (!ctl->json) {
		printf("%s: barrier %" PRIu64 " reached in %s\n", out_safe(region->name), id,
		       unit_time(took, ns));
		return;
	}
	obj = json_object_new_object();
	out_number(obj, "id", region->id);
	out_string(obj, "name", region->name);
	out_number(obj, "barrier", id);
	out_number(obj, "duration_ns", ns);
	out_json(obj);
}

static int run(struct ctl *ctl, const struct memsync_region *region, int timeout_ms)
{
	uint64_t id = 0, begin = out_monotonic();
	int err;

	if (region->role == MEMSYNC_ROLE_SINK)
		return ctl_fail(ctl, "%s is a sink: a barrier is asked for at its source",
				out_safe(region->name));
	err = memsync_barrier(ctl->ms, region->id, timeout_ms, &id);
	if (err == -ETIMEDOUT)
		return ctl_timeout(ctl, "%s: barrier %" PRIu64 " was not reached within %.3g s",
				   out_safe(region->name), id, timeout_ms / 1e3);
	if (err)
		return ctl_fail_lib(ctl, "sync %s", region->name);
	print_done(ctl, region, id, out_monotonic() - begin);
	return EXIT_DONE;
}

int cmd_sync(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {
		{ "timeout", required_argument, NULL, 't' },
		{ },
	};
	int c, status, timeout_ms = DEFAULT_TIMEOUT_MS;
	struct memsync_region *region;
	const char *name;
	struct problem p = { };

	while ((c = ctl_getopt(ctl, argc, argv, options)) != -1) {
		if (c != 't')
			return ctl->status;
		if (unit_read_timeout(optarg, &timeout_ms, "--timeout", &p))
			return ctl_usage(ctl, "%s", p.text);
	}
	name = ctl_name_arg(ctl, argc, argv);
	if (!name)
		return ctl->status;
	status = ctl_find(ctl, name, false, &region);
	if (!status)
		status = run(ctl, region, timeout_ms);
	free(region);
	return status;
}
