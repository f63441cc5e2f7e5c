// SPDX-License-Identifier: GPL-2.0
/* memsyncctl verify */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "ctl.h"
#include "shown.h"
#include "units.h"

/* The address at which the region has that offset of the replica, 0 if none. */
static uint64_t address_of(const struct shown *shown, const struct memsync_mismatch *m)
{
	size_t i;

	if (m->start)
		return m->start;
	for (i = 0; i < shown->nr_ranges; i++) {
		const struct memsync_range *r = &shown->ranges[i];

		if (m->offset >= r->offset && m->offset - r->offset < r->end - r->start)
			return r->start + (m->offset - r->offset);
	}
	return 0;
}

static struct json_object *mismatches_json(const struct shown *shown,
					   const struct memsync_verify *v)
{
	struct json_object *array = json_object_new_array();
	size_t i;

	for (i = 0; i < v->nr_mismatches; i++) {
		struct json_object *obj = json_object_new_object();

		out_hex(obj, "start", address_of(shown, &v->mismatches[i]));
		out_number(obj, "offset", v->mismatches[i].offset);
		out_number(obj, "length", v->mismatches[i].length);
		json_object_array_add(array, obj);
	}
	return array;
}

static void verify_json(const struct shown *shown, const struct memsync_verify *v)
{
	struct json_object *obj = json_object_new_object();

	out_number(obj, "id", shown->region.id);
	out_string(obj, "name", shown->region.name);
	out_bool(obj, "equal", !v->different);
	out_number(obj, "compared", v->compared);
	out_number(obj, "different", v->different);
	out_number(obj, "changing", v->changing);
	json_object_object_add(obj, "mismatches", mismatches_json(shown, v));
	out_json(obj);
}

static void verify_text(const struct shown *shown, const struct memsync_verify *v)
{
	uint64_t listed = 0;
	char size[UNIT_TEXT];
	size_t i;

	printf("%s: ", out_safe(shown->region.name));
	if (v->different)
		printf("DIFFERENT in %" PRIu64 " of %" PRIu64 " pages", v->different, v->compared);
	else
		printf("equal, %" PRIu64 " pages compared", v->compared);
	if (v->changing)
		printf("; %" PRIu64 " pages changed meanwhile and were left out", v->changing);
	putchar('\n');
	for (i = 0; i < v->nr_mismatches; i++) {
		const struct memsync_mismatch *m = &v->mismatches[i];

		printf("  0x%" PRIx64 "  %10s  at %" PRIu64 "\n", address_of(shown, m),
		       unit_bytes(size, m->length), m->offset);
		listed += m->length / page_bytes(1);
	}
	if (listed < v->different && v->nr_mismatches)
		printf("  and %" PRIu64 " pages more\n", v->different - listed);
}

static int judge(struct ctl *ctl, const struct memsync_region *region,
		 const struct memsync_verify *v)
{
	struct shown shown;

	if (!v->compared && region->pages)
		return ctl_fail(ctl, "%s: nothing compared: %" PRIu64 " pages were changing",
				region->name, v->changing);
	if (shown_load(ctl->ms, region, &shown))
		return ctl_fail_lib(ctl, "verify %s", region->name);
	if (ctl->json)
		verify_json(&shown, v);
	else
		verify_text(&shown, v);
	shown_free(&shown);
	return v->different ? EXIT_DIFFERENT : EXIT_DONE;
}

static int run(struct ctl *ctl, const struct memsync_region *region, int timeout_ms)
{
	const struct memsync_event *event;
	struct memsync_op *op;
	int err, status;

	if (memsync_verify_start(ctl->ms, region->id, &op))
		return ctl_fail_lib(ctl, "verify %s", region->name);
	err = memsync_op_wait(op, timeout_ms, &event);
	if (err == -ETIMEDOUT)
		status = ctl_timeout(ctl, "%s: not compared within %.3g s", region->name,
				     timeout_ms / 1e3);
	else if (err)
		status = ctl_fail_lib(ctl, "verify %s", region->name);
	else
		status = judge(ctl, region, event->verify);
	memsync_op_free(op);
	return status;
}

int cmd_verify(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {
		{ "timeout", required_argument, NULL, 't' },
		{ },
	};
	struct memsync_region *region;
	int c, status, timeout_ms = -1;
	struct problem p = { };
	const char *name;

	while ((c = ctl_getopt(ctl, argc, argv, options)) != -1) {
		if (c != 't')
			return ctl->status;
		if (unit_read_timeout(optarg, &timeout_ms, "--timeout", &p))
			return ctl_problem(ctl, &p);
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
