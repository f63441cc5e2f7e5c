// SPDX-License-Identifier: GPL-2.0
/* memsyncctl peer add, peer del */
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "ctl.h"
#include "name.h"
#include "out.h"

struct peer_change {
	bool add;
	const char *region;
	struct peer_arg peer;
};

static int parse(struct ctl *ctl, int argc, char **argv, struct peer_change *change)
{
	struct problem p = { };

	if (argc - optind != 3)
		return ctl_usage(ctl, "peer needs add or del, a NAME and HOST[:PORT][/NAME]");
	change->add = !strcmp(argv[optind], "add");
	if (!change->add && strcmp(argv[optind], "del"))
		return ctl_usage(ctl, "peer: %s is neither add nor del", argv[optind]);
	change->region = argv[optind + 1];
	if (name_check(change->region, &p) || addr_read_peer(argv[optind + 2], &change->peer, &p))
		return ctl_problem(ctl, &p);
	return EXIT_DONE;
}

static void print_done(const struct ctl *ctl, const struct peer_change *change)
{
	struct json_object *obj;
	char addr[ADDR_TEXT];

	if (!ctl->json)
		return;
	obj = json_object_new_object();
	out_string(obj, "name", change->region);
	out_string(obj, "done", change->add ? "peer add" : "peer del");
	out_string(obj, "addr", addr_text(addr, &change->peer.addr));
	out_string(obj, "peer_name", change->peer.name);
	out_json(obj);
}

static int run(struct ctl *ctl, const struct peer_change *change)
{
	const char *name = change->peer.name[0] ? change->peer.name : NULL;
	struct memsync_region *region;
	int err, status;

	status = ctl_find(ctl, change->region, false, &region);
	if (status)
		return status;
	if (change->add)
		err = memsync_peer_add(ctl->ms, region->id, &change->peer.addr, name);
	else
		err = memsync_peer_del(ctl->ms, region->id, &change->peer.addr, name);
	free(region);
	if (err)
		return ctl_fail_lib(ctl, "peer %s %s", change->add ? "add" : "del", change->region);
	print_done(ctl, change);
	return EXIT_DONE;
}

int cmd_peer(struct ctl *ctl, int argc, char **argv)
{
	struct peer_change change = { };
	int status;

	if (ctl_getopt(ctl, argc, argv, NULL) != -1)
		return ctl->status;
	status = parse(ctl, argc, argv, &change);
	return status ? status : run(ctl, &change);
}
