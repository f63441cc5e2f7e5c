// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reading what there is: collect a whole answer, then hand it out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netlink.h>

#include "internal.h"

#define DUMP_TRIES	5

typedef int (*parse_fn)(struct nlmsghdr *nlh, struct nlattr **tb, void *item);
typedef int (*item_fn)(const void *item, void *arg);

struct list {
	parse_fn parse;
	size_t item_size;
	size_t nr;
	size_t room;
	char *items;
};

static int collect(struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *tb[MEMSYNC_A_MAX + 1];
	struct list *list = arg;
	int err;

	err = ms_parse(nlh, tb);
	if (err)
		return err;
	if (list->nr == list->room) {
		size_t room = list->room ? 2 * list->room : 8;
		char *items = reallocarray(list->items, room, list->item_size);

		if (!items)
			return -ENOMEM;
		list->items = items;
		list->room = room;
	}
	return list->parse(nlh, tb, list->items + list->item_size * list->nr++);
}

/* Asks again where the kernel says that the answer changed under the dump. */
static int dump(struct memsync *ms, int cmd, uint32_t id, struct list *list)
{
	int err = -EAGAIN, tries = DUMP_TRIES;
	struct nl_msg *msg;

	while (err == -EAGAIN && tries--) {
		list->nr = 0;
		msg = id ? ms_region_msg(ms, cmd, NLM_F_DUMP, id) : ms_msg(ms, cmd, NLM_F_DUMP);
		err = ms_exchange(ms, msg, collect, list);
	}
	if (err == -EAGAIN)	/* a busy system: what came last will do */
		err = 0;
	return err;
}

static int dump_each(struct memsync *ms, int cmd, uint32_t id, struct list *list, item_fn fn,
		     void *arg)
{
	size_t i;
	int err;

	err = dump(ms, cmd, id, list);
	for (i = 0; !err && i < list->nr; i++)
		err = fn(list->items + list->item_size * i, arg);
	free(list->items);
	return err;
}

static int parse_region(struct nlmsghdr *nlh, struct nlattr **tb, void *item)
{
	return ms_parse_region(nlh, tb, item);
}

static int parse_range(struct nlmsghdr *nlh, struct nlattr **tb, void *item)
{
	struct ms_range *r = item;

	(void)nlh;
	r->range.start = ms_u64(tb[MEMSYNC_A_START]);
	r->range.end = ms_u64(tb[MEMSYNC_A_END]);
	r->range.offset = ms_u64(tb[MEMSYNC_A_OFFSET]);
	r->length = ms_u64(tb[MEMSYNC_A_LENGTH]);
	return 0;
}

static int parse_peer(struct nlmsghdr *nlh, struct nlattr **tb, void *item)
{
	(void)nlh;
	return ms_parse_peer(tb, item);
}

static int parse_listener(struct nlmsghdr *nlh, struct nlattr **tb, void *item)
{
	(void)nlh;
	return ms_parse_listener(tb, item);
}

/* Calls the function that the caller of the library gave with its own types. */
struct call {
	union {
		memsync_region_fn region;
		memsync_peer_fn peer;
		memsync_listener_fn listener;
	};
	void *arg;
};

static int call_region(const void *item, void *arg)
{
	const struct call *call = arg;

	return call->region(item, call->arg);
}

static int call_peer(const void *item, void *arg)
{
	const struct call *call = arg;

	return call->peer(item, call->arg);
}

static int call_listener(const void *item, void *arg)
{
	const struct call *call = arg;

	return call->listener(item, call->arg);
}

int memsync_dump_regions(struct memsync *ms, memsync_region_fn fn, void *arg)
{
	struct list list = { .parse = parse_region, .item_size = sizeof(struct memsync_region) };
	struct call call = { .region = fn, .arg = arg };

	return dump_each(ms, MEMSYNC_CMD_REGION_GET, 0, &list, call_region, &call);
}

static int by_offset(const void *a, const void *b)
{
	const struct ms_range *x = a, *y = b;

	return x->range.offset < y->range.offset ? -1 : x->range.offset > y->range.offset;
}

int ms_ranges(struct memsync *ms, uint32_t id, struct ms_range **ranges, size_t *nr)
{
	struct list list = { .parse = parse_range, .item_size = sizeof(struct ms_range) };
	int err;

	err = dump(ms, MEMSYNC_CMD_RANGE_GET, id, &list);
	if (err) {
		free(list.items);
		return err;
	}
	*ranges = (struct ms_range *)list.items;
	*nr = list.nr;
	if (list.nr)
		qsort(list.items, list.nr, list.item_size, by_offset);
	return 0;
}

int memsync_dump_ranges(struct memsync *ms, uint32_t id, memsync_range_fn fn, void *arg)
{
	struct ms_range *ranges;
	size_t i, nr;
	int err;

	err = ms_ranges(ms, id, &ranges, &nr);
	if (err)
		return err;
	for (i = 0; !err && i < nr; i++)
		if (!ranges[i].length)
			err = fn(&ranges[i].range, arg);
	free(ranges);
	return err;
}

int memsync_dump_peers(struct memsync *ms, uint32_t id, memsync_peer_fn fn, void *arg)
{
	struct list list = { .parse = parse_peer, .item_size = sizeof(struct memsync_peer) };
	struct call call = { .peer = fn, .arg = arg };

	return dump_each(ms, MEMSYNC_CMD_PEER_GET, id, &list, call_peer, &call);
}

int memsync_dump_listeners(struct memsync *ms, memsync_listener_fn fn, void *arg)
{
	struct list list = { .parse = parse_listener,
			     .item_size = sizeof(struct memsync_listener) };
	struct call call = { .listener = fn, .arg = arg };

	return dump_each(ms, MEMSYNC_CMD_LISTENER_GET, 0, &list, call_listener, &call);
}

static int take_region(struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *tb[MEMSYNC_A_MAX + 1];

	if (ms_parse(nlh, tb))
		return -EPROTO;
	return ms_parse_region(nlh, tb, arg);
}

static int get_region(struct memsync *ms, struct nl_msg *msg, struct memsync_region **out)
{
	struct memsync_region *region = calloc(1, sizeof(*region));
	int err;

	*out = NULL;
	if (!region) {
		nlmsg_free(msg);
		return ms_fail(ms, -ENOMEM, "out of memory");
	}
	err = ms_exchange(ms, msg, take_region, region);
	if (err)
		free(region);
	else
		*out = region;
	return err;
}

int memsync_region_get(struct memsync *ms, uint32_t id, struct memsync_region **region)
{
	return get_region(ms, ms_region_msg(ms, MEMSYNC_CMD_REGION_GET, 0, id), region);
}

int memsync_region_find(struct memsync *ms, const char *name, enum memsync_role role,
			struct memsync_region **region)
{
	struct nl_msg *msg = ms_msg(ms, MEMSYNC_CMD_REGION_GET, 0);

	if (msg) {
		nla_put_string(msg, MEMSYNC_A_NAME, name);
		if (role)
			nla_put_u32(msg, MEMSYNC_A_ROLE, role);
	}
	return get_region(ms, msg, region);
}

static int take_info(struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *tb[MEMSYNC_A_MAX + 1];
	struct memsync_info *info = arg;

	if (ms_parse(nlh, tb))
		return -EPROTO;
	info->wire_min = ms_u32(tb[MEMSYNC_A_WIRE_MIN]);
	info->wire_max = ms_u32(tb[MEMSYNC_A_WIRE_MAX]);
	info->features = ms_u64(tb[MEMSYNC_A_FEATURES]);
	info->hook = ms_u32(tb[MEMSYNC_A_HOOK_STATE]);
	info->max_regions = ms_u32(tb[MEMSYNC_A_MAX_REGIONS]);
	info->max_ranges = ms_u32(tb[MEMSYNC_A_MAX_RANGES]);
	info->max_peers = ms_u32(tb[MEMSYNC_A_MAX_PEERS]);
	ms_copy_string(info->version, sizeof(info->version), tb[MEMSYNC_A_MODULE_VERSION]);
	return 0;
}

int memsync_info(struct memsync *ms, struct memsync_info **out)
{
	struct memsync_info *info = calloc(1, sizeof(*info));
	int err;

	*out = NULL;
	if (!info)
		return ms_fail(ms, -ENOMEM, "out of memory");
	err = ms_exchange(ms, ms_msg(ms, MEMSYNC_CMD_INFO, 0), take_info, info);
	if (err)
		free(info);
	else
		*out = info;
	return err;
}
