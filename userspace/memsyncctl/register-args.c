// SPDX-License-Identifier: GPL-2.0
/* The options of memsyncctl register. */
#include <limits.h>
#include <string.h>

#include "name.h"
#include "register-args.h"
#include "units.h"

static int read_pid(const char *text, pid_t *pid, struct problem *p)
{
	uint64_t value;

	if (unit_read_u64(text, "--pid", &value, p))
		return -1;
	if (!value || value > INT_MAX)
		return problem(p, "--pid %s is no process", text);
	*pid = value;
	return 0;
}

int from_args_add(struct from_args *from, const char *text, struct problem *p)
{
	if (from->nr == MEMSYNC_MAX_FROM)
		return problem(p, "more than %d --from", MEMSYNC_MAX_FROM);
	return addr_read_from(text, &from->items[from->nr++], p);
}

static int add_peer(struct register_args *args, const char *text, struct problem *p)
{
	struct peer_arg peer;

	if (args->nr_peers == MAX_PEER_ARGS)
		return problem(p, "more than %d --peer", MAX_PEER_ARGS);
	if (addr_read_peer(text, &peer, p))
		return -1;
	args->peers[args->nr_peers] = peer.addr;
	strcpy(args->peer_names[args->nr_peers++], peer.name);
	return 0;
}

static int take_value(struct register_args *args, int c, struct problem *p)
{
	switch (c) {
	case 'P':
		return read_pid(optarg, &args->pid, p);
	case 'a':
		return range_args_parse(optarg, &args->ranges, p);
	case 'n':
		args->name = optarg;
		return name_check(optarg, p);
	case 'e':
		return add_peer(args, optarg, p);
	case 'f':
		return from_args_add(&args->from, optarg, p);
	case 'i':
		return unit_read_interval(optarg, &args->interval_ns, p);
	default:
		return unit_read_timeout(optarg, &args->timeout_ms, "--timeout", p);
	}
}

static int take_option(struct register_args *args, int c, struct problem *p)
{
	switch (c) {
	case 's':
		args->sink = true;
		return 0;
	case 'p':
		args->plaintext = true;
		return 0;
	case 'F':
		args->follow = true;
		return 0;
	case 'C':
		args->compare = true;
		return 0;
	case 'w':
		args->wait = true;
		return 0;
	default:
		return take_value(args, c, p);
	}
}

static const char *contradiction(const struct register_args *args)
{
	if (!args->pid)
		return "register needs --pid PID";
	if (!args->ranges.nr)
		return "register needs --addr RANGE";
	if (args->sink && !args->name)
		return "a sink needs --name NAME: its source's, or that of --peer HOST/NAME there";
	if (args->sink && args->nr_peers)
		return "--peer is for a source; a sink names its sources with --from";
	if (args->sink && args->interval_ns)
		return "--interval is for a source";
	if (!args->sink && args->from.nr)
		return "--from is for a sink";
	if (args->follow && args->sink)
		return "--follow is for a source";
	if (args->compare && args->sink)
		return "--compare is for a source";
	if (args->follow && !range_args_any_sort(&args->ranges))
		return "--follow is for --addr anon or --addr all";
	if (args->wait && !args->sink && !args->nr_peers)
		return "--wait needs a --peer to wait for";
	if (args->timeout_ms >= 0 && !args->wait)
		return "--timeout is for --wait";
	return NULL;
}

int register_args_parse(struct ctl *ctl, int argc, char **argv, struct register_args *args)
{
	static const struct option options[] = {
		{ "pid", required_argument, NULL, 'P' },
		{ "addr", required_argument, NULL, 'a' },
		{ "name", required_argument, NULL, 'n' },
		{ "peer", required_argument, NULL, 'e' },
		{ "sink", no_argument, NULL, 's' },
		{ "from", required_argument, NULL, 'f' },
		{ "plaintext", no_argument, NULL, 'p' },
		{ "interval", required_argument, NULL, 'i' },
		{ "follow", no_argument, NULL, 'F' },
		{ "compare", no_argument, NULL, 'C' },
		{ "wait", no_argument, NULL, 'w' },
		{ "timeout", required_argument, NULL, 't' },
		{ },
	};
	struct problem p = { };
	const char *wrong;
	int c;

	memset(args, 0, sizeof(*args));
	args->timeout_ms = -1;
	while ((c = ctl_getopt(ctl, argc, argv, options)) != -1) {
		if (c == '?')
			return -1;
		if (take_option(args, c, &p)) {
			ctl->status = ctl_problem(ctl, &p);
			return -1;
		}
	}
	wrong = contradiction(args);
	if (optind < argc)
		ctl->status = ctl_usage(ctl, "register: unexpected argument %s", argv[optind]);
	else if (wrong)
		ctl->status = ctl_usage(ctl, "%s", wrong);
	return ctl->status ? -1 : 0;
}
