// SPDX-License-Identifier: GPL-2.0
/* memsyncctl show */
#include <errno.h>
#include <stdlib.h>

#include "ctl.h"
#include "name.h"
#include "shown.h"

struct listing {
	struct memsync *ms;
	struct shown *items;
	size_t nr;
};

static int add_region(const struct memsync_region *region, void *arg)
{
	struct listing *list = arg;
	struct shown *items;
	int err;

	items = reallocarray(list->items, list->nr + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	list->items = items;
	err = shown_load(list->ms, region, &items[list->nr]);
	if (err == -ENOENT)	/* unregistered since it was listed */
		return 0;
	if (!err)
		list->nr++;
	return err;
}

static void print_listing(const struct ctl *ctl, const struct listing *list, bool details)
{
	struct json_object *array;
	size_t i;

	if (ctl->json) {
		array = json_object_new_array();
		for (i = 0; i < list->nr; i++)
			json_object_array_add(array, shown_json(&list->items[i]));
		out_json(array);
	} else if (details) {
		for (i = 0; i < list->nr; i++)
			shown_text(&list->items[i]);
	} else if (list->nr) {
		shown_table(list->items, list->nr);
	} else {
		puts("no regions");
	}
}

static int load_one(struct ctl *ctl, const char *name, bool sink, struct listing *list)
{
	struct memsync_region *region;
	int status, err;

	status = ctl_find(ctl, name, sink, &region);
	if (status)
		return status;
	list->ms = ctl->ms;
	err = add_region(region, list);
	free(region);
	if (!err && !list->nr)
		return ctl_fail(ctl, "%s: no such region", name);
	return err ? ctl_fail_lib(ctl, "%s", name) : EXIT_DONE;
}

static int load_all(struct ctl *ctl, struct listing *list)
{
	if (ctl_open(ctl))
		return EXIT_FAILED;
	list->ms = ctl->ms;
	if (memsync_dump_regions(ctl->ms, add_region, list))
		return ctl_fail_lib(ctl, "show");
	return EXIT_DONE;
}

int cmd_show(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {
		{ "sink", no_argument, NULL, 's' },
		{ },
	};
	struct listing list = { };
	const char *name = NULL;
	bool sink = false;
	int c, status;

	while ((c = ctl_getopt(ctl, argc, argv, options)) != -1) {
		if (c != 's')
			return ctl->status;
		sink = true;
	}
	if (optind < argc || sink) {
		name = ctl_name_arg(ctl, argc, argv);
		if (!name)
			return ctl->status;
	}
	status = name ? load_one(ctl, name, sink, &list) : load_all(ctl, &list);
	if (!status)
		print_listing(ctl, &list, name);
	while (list.nr)
		shown_free(&list.items[--list.nr]);
	free(list.items);
	return status;
}
