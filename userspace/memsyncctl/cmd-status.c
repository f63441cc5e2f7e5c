// SPDX-License-Identifier: GPL-2.0
/* memsyncctl status */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "addr.h"
#include "ctl.h"
#include "shown.h"

struct connections {
	struct memsync *ms;
	const struct memsync_region *region;
	struct json_object *array;	/* NULL: print */
	unsigned int regions;
	unsigned int nr;
};

static int take_listener(const struct memsync_listener *listener, void *arg)
{
	struct json_object *array = arg, *obj;
	char addr[ADDR_TEXT];

	addr_text(addr, &listener->addr);
	obj = json_object_new_object();
	out_string(obj, "addr", addr);
	out_bool(obj, "plaintext", listener->plaintext);
	json_object_array_add(array, obj);
	return 0;
}

static int take_peer(const struct memsync_peer *peer, void *arg)
{
	struct connections *c = arg;
	struct json_object *obj = peer_json(peer);

	out_string(obj, "region", c->region->name);
	out_string(obj, "role", memsync_role_name(c->region->role));
	json_object_array_add(c->array, obj);
	return 0;
}

static int take_region(const struct memsync_region *region, void *arg)
{
	struct connections *c = arg;
	int err;

	c->regions++;
	c->region = region;
	err = memsync_dump_peers(c->ms, region->id, take_peer, c);
	return err == -ENOENT ? 0 : err;
}

static struct json_object *limits_json(const struct memsync_info *info)
{
	struct json_object *obj = json_object_new_object();

	out_number(obj, "regions", info->max_regions);
	out_number(obj, "ranges", info->max_ranges);
	out_number(obj, "peers", info->max_peers);
	return obj;
}

static struct json_object *wire_json(const struct memsync_info *info)
{
	struct json_object *obj = json_object_new_object();

	out_number(obj, "min", info->wire_min);
	out_number(obj, "max", info->wire_max);
	return obj;
}

static struct json_object *status_json(const struct memsync_info *info)
{
	struct json_object *obj = json_object_new_object();

	out_string(obj, "module", MEMSYNC_GENL_NAME);
	out_string(obj, "version", info->version);
	out_string(obj, "tool_version", MEMSYNC_VERSION);
	json_object_object_add(obj, "wire", wire_json(info));
	out_hex(obj, "features", info->features);
	out_string(obj, "hook", memsync_hook_state_name(info->hook));
	json_object_object_add(obj, "limits", limits_json(info));
	return obj;
}

static const char *member(struct json_object *obj, const char *key)
{
	const char *text = json_object_get_string(json_object_object_get(obj, key));

	return text ? out_safe(text) : "";
}

static bool is_plain(struct json_object *obj)
{
	return json_object_get_boolean(json_object_object_get(obj, "plaintext"));
}

static void text_listeners(struct json_object *array)
{
	size_t i, nr = json_object_array_length(array);

	for (i = 0; i < nr; i++) {
		struct json_object *obj = json_object_array_get_idx(array, i);

		out_row(i ? "" : "listeners", "%s%s", member(obj, "addr"),
			is_plain(obj) ? "  plaintext" : "");
	}
	if (!nr)
		out_row("listeners", "none");
}

static void text_connections(struct json_object *array)
{
	size_t i, nr = json_object_array_length(array);

	for (i = 0; i < nr; i++) {
		struct json_object *obj = json_object_array_get_idx(array, i);

		out_row(i ? "" : "peers", "%s of %s %s  %s%s", member(obj, "addr"),
			member(obj, "role"), member(obj, "region"), member(obj, "state"),
			is_plain(obj) ? ", plaintext" : "");
	}
}

static void print_text(const struct memsync_info *info, struct json_object *listeners,
		       const struct connections *c)
{
	printf("memsync %s\n", out_safe(info->version));
	out_row("tool", "%s", MEMSYNC_VERSION);
	if (info->wire_min == info->wire_max)
		out_row("wire", "version %u", info->wire_max);
	else
		out_row("wire", "versions %u to %u", info->wire_min, info->wire_max);
	out_row("features", "0x%" PRIx64, info->features);
	out_row("hook", "%s", info->hook == MEMSYNC_HOOK_DEAD ?
		"dead: ftrace shut itself down, nothing is tracked" :
		memsync_hook_state_name(info->hook));
	out_row("regions", "%u here; at most %u, with %u ranges and %u peers each", c->regions,
		info->max_regions, info->max_ranges, info->max_peers);
	text_listeners(listeners);
	text_connections(c->array);
}

static void print_status(const struct ctl *ctl, const struct memsync_info *info,
			 struct json_object *listeners, const struct connections *c)
{
	struct json_object *obj;

	if (!ctl->json) {
		print_text(info, listeners, c);
		json_object_put(listeners);
		json_object_put(c->array);
		return;
	}
	obj = status_json(info);
	out_number(obj, "regions", c->regions);
	json_object_object_add(obj, "listeners", listeners);
	json_object_object_add(obj, "connections", c->array);
	out_json(obj);
}

int cmd_status(struct ctl *ctl, int argc, char **argv)
{
	struct json_object *listeners;
	struct connections c = { };
	struct memsync_info *info;

	if (ctl_getopt(ctl, argc, argv, NULL) != -1)
		return ctl->status;
	if (optind < argc)
		return ctl_usage(ctl, "status takes no arguments: %s", argv[optind]);
	if (ctl_open(ctl))
		return EXIT_FAILED;
	if (memsync_info(ctl->ms, &info))
		return ctl_fail_lib(ctl, "status");
	listeners = json_object_new_array();
	c.ms = ctl->ms;
	c.array = json_object_new_array();
	if (memsync_dump_listeners(ctl->ms, take_listener, listeners) ||
	    memsync_dump_regions(ctl->ms, take_region, &c)) {
		json_object_put(listeners);
		json_object_put(c.array);
		free(info);
		return ctl_fail_lib(ctl, "status");
	}
	print_status(ctl, info, listeners, &c);
	free(info);
	return EXIT_DONE;
}
