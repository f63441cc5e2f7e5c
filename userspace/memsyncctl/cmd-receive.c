// SPDX-License-Identifier: GPL-2.0
/* memsyncctl receive */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "name.h"
#include "out.h"
#include "receive.h"
#include "units.h"

#define REFUSE_NS	3000000000ULL

static int found(const struct memsync_peer *peer, void *arg)
{
	(void)peer;
	(void)arg;
	return 1;
}

/* The reason has to reach the source before the region goes, and its connection with it. */
static void refuse(struct receiving *rx, const char *reason)
{
	uint64_t end = out_monotonic() + REFUSE_NS;

	if (memsync_sink_refuse(rx->sink, reason))
		return;
	while (memsync_dump_peers(rx->ctl->ms, memsync_sink_id(rx->sink), found, NULL) == 1 &&
	       out_monotonic() < end)
		usleep(20000);
}

/* The first source's offer. With no, it is over. */
static int take_first(struct receiving *rx, const uint64_t *lengths, size_t nr)
{
	struct problem p = { };

	if (replica_map(&rx->replica, lengths, nr, rx->args->max_size, &p)) {
		refuse(rx, p.text);
		return ctl_problem(rx->ctl, &p);
	}
	if (memsync_sink_accept(rx->sink, rx->replica.ranges, rx->replica.nr_ranges))
		return ctl_fail_lib(rx->ctl, "receive %s", rx->args->name);
	receive_print_source(rx);
	return EXIT_DONE;
}

/*
 * What the source's process has got since. Without it the replica stays as it
 * was, and the source tries again.
 */
static void take_more(struct receiving *rx, const uint64_t *lengths, size_t nr)
{
	struct problem p = { };

	if (replica_map(&rx->replica, lengths, nr, rx->args->max_size, &p)) {
		if (memsync_sink_refuse(rx->sink, p.text))
			return;	/* it has gone meanwhile */
		progress_clear(&rx->progress);
		ctl_note("%s cannot grow with its source: %s", rx->args->name, p.text);
	} else if (memsync_sink_accept(rx->sink, rx->replica.ranges, rx->replica.nr_ranges)) {
		replica_unmap(&rx->replica);
	}
}

static int answer(struct receiving *rx)
{
	const uint64_t *lengths;
	size_t nr;

	if (memsync_sink_offered(rx->sink, &lengths, &nr))
		return ctl_fail_lib(rx->ctl, "receive %s", rx->args->name);
	if (!nr)	/* not yet, or gone again */
		return EXIT_DONE;
	if (!rx->replica.nr_parts)
		return take_first(rx, lengths, nr);
	take_more(rx, lengths, nr);
	return EXIT_DONE;
}

static int take_event(struct receiving *rx, const struct memsync_event *event)
{
	if (event->region->id != memsync_sink_id(rx->sink))
		return EXIT_DONE;
	if (event->type == MEMSYNC_EVENT_GEOMETRY)
		return answer(rx);
	if (event->type == MEMSYNC_EVENT_REGION_DELETED) {
		rx->ended = true;
		receive_print_end(rx, "unregistered");
	} else if (event->type == MEMSYNC_EVENT_REGION_STATE) {
		rx->last = *event->region;
		receive_print_state(rx, event->region);
	}
	return EXIT_DONE;
}

static int take_events(struct receiving *rx)
{
	const struct memsync_event *event;
	int ret, status = EXIT_DONE;

	while (!status && !rx->ended) {
		ret = memsync_events_next(memsync_sink_events(rx->sink), &event);
		if (!ret)
			break;
		if (ret == 1)
			status = take_event(rx, event);
		else if (ret != -ENOBUFS)
			status = ctl_fail_lib(rx->ctl, "receive %s", rx->args->name);
		else	/* an offer may be among those lost */
			status = answer(rx);
	}
	return status;
}

/* The region ended by itself: that is no failure if what it left is whole. */
static int gone(struct receiving *rx)
{
	rx->ended = true;
	if (receive_print_end(rx, rx->last.reason[0] ? rx->last.reason : "the region ended"))
		return EXIT_DONE;
	return EXIT_FAILED;
}

static int look(struct receiving *rx)
{
	struct memsync_region *region;
	int err;

	err = memsync_region_get(rx->ctl->ms, memsync_sink_id(rx->sink), &region);
	if (err == -ENOENT) {
		rx->ended = true;
		receive_print_end(rx, "unregistered");
		return EXIT_DONE;
	}
	if (err)
		return ctl_fail_lib(rx->ctl, "receive %s", rx->args->name);
	rx->last = *region;
	free(region);
	if (rx->last.state == MEMSYNC_REGION_GONE)
		return gone(rx);
	if (rx->last.state == MEMSYNC_REGION_SYNCING)
		progress_show(&rx->progress, &rx->last, 0);
	return EXIT_DONE;
}

/* What counts is the state in which the region ended: a pass may have begun since we looked. */
static int stop(struct receiving *rx)
{
	const struct memsync_event *event;
	int ret;

	memsync_sink_end(rx->sink);
	do {
		ret = memsync_events_next(memsync_sink_events(rx->sink), &event);
		if (ret == 1 && event->type == MEMSYNC_EVENT_REGION_STATE &&
		    event->region->id == memsync_sink_id(rx->sink))
			rx->last = *event->region;
	} while (ret == 1 || ret == -ENOBUFS);
	rx->ended = true;
	receive_print_end(rx, "stopped by a signal");
	return EXIT_DONE;
}

static int loop(struct receiving *rx)
{
	struct pollfd fds[2] = {
		{ .fd = memsync_events_fd(memsync_sink_events(rx->sink)), .events = POLLIN },
		{ .fd = rx->signals, .events = POLLIN },
	};
	int status = EXIT_DONE;

	while (!status && !rx->ended) {
		status = take_events(rx);
		if (!status && !rx->ended)
			status = look(rx);
		if (status || rx->ended)
			break;
		if (poll(fds, 2, progress_interval(&rx->progress)) < 0 && errno != EINTR)
			return ctl_fail(rx->ctl, "receive: %s", strerror(errno));
		if (fds[1].revents)
			status = stop(rx);
	}
	return status;
}

static int open_sink(struct receiving *rx)
{
	const struct receive_args *args = rx->args;
	struct memsync_sink_opts opts = {
		.size = sizeof(opts),
		.name = args->name,
		.flags = args->plaintext ? MEMSYNC_REGION_F_PLAINTEXT : 0,
		.max_size = args->max_size,
		.from = args->from.items,
		.nr_from = args->from.nr,
	};

	if (ctl_open(rx->ctl))
		return EXIT_FAILED;
	if (memsync_sink_open(rx->ctl->ms, &opts, &rx->sink))
		return ctl_fail_lib(rx->ctl, "receive %s", args->name);
	return EXIT_DONE;
}

static int open_signals(struct receiving *rx)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	rx->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return rx->signals < 0 ? ctl_fail(rx->ctl, "signalfd: %s", strerror(errno)) : EXIT_DONE;
}

static int run(struct ctl *ctl, const struct receive_args *args)
{
	struct receiving rx = { .ctl = ctl, .args = args };
	struct problem p = { };
	int status;

	progress_init(&rx.progress, ctl);
	if (replica_open(&rx.replica, args->file, args->resume, &p))
		return ctl_problem(ctl, &p);
	status = open_signals(&rx);
	if (!status)
		status = open_sink(&rx);
	if (!status) {
		receive_print_ready(&rx);
		status = loop(&rx);
	}
	progress_clear(&rx.progress);
	memsync_sink_close(rx.sink);
	if (replica_close(&rx.replica, &p) && !status)
		status = ctl_problem(ctl, &p);
	return status;
}

static int take_option(struct receive_args *args, int c, struct problem *p)
{
	switch (c) {
	case 'n':
		args->name = optarg;
		return name_check(optarg, p);
	case 'F':
		args->file = optarg;
		return 0;
	case 'r':
		args->resume = true;
		return 0;
	case 'm':
		return unit_read_bytes(optarg, "--max-size", &args->max_size, p);
	case 'p':
		args->plaintext = true;
		return 0;
	default:
		return from_args_add(&args->from, optarg, p);
	}
}

int cmd_receive(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "file", required_argument, NULL, 'F' },
		{ "resume", no_argument, NULL, 'r' },
		{ "max-size", required_argument, NULL, 'm' },
		{ "from", required_argument, NULL, 'f' },
		{ "plaintext", no_argument, NULL, 'p' },
		{ },
	};
	struct receive_args args = { };
	struct problem p = { };
	int c;

	while ((c = ctl_getopt(ctl, argc, argv, options)) != -1) {
		if (c == '?')
			return ctl->status;
		if (take_option(&args, c, &p))
			return ctl_problem(ctl, &p);
	}
	if (optind < argc)
		return ctl_usage(ctl, "receive: unexpected argument %s", argv[optind]);
	if (!args.name)
		return ctl_usage(ctl, "receive needs --name NAME");
	if (args.resume && !args.file)
		return ctl_usage(ctl, "--resume is for --file");
	return run(ctl, &args);
}
