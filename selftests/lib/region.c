// SPDX-License-Identifier: GPL-2.0
/*
 * For the shell tests, which would spend their time in jq:
 *
 *	region HOST NAME ROLE get FIELD	prints it; nothing if there is none
 *	region HOST NAME ROLE wait STATE S	by events, at most S seconds
 *	region HOST NAME ROLE spans		START LENGTH of each range, in order of the replica
 *	region HOST NAME ROLE memory		the process's number, and then the same
 *	region HOST clear			unregisters all, and takes no more connections
 *
 * HOST is a network namespace of ip-netns(8), or "".
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <memsync.h>

#define PAGE	4096

static struct memsync *ms;
static const char *name;
static enum memsync_role role;

static int enter(const char *host)
{
	char path[256];
	int err, fd;

	if (!*host)
		return 0;
	snprintf(path, sizeof(path), "/run/netns/%s", host);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	err = fd < 0 || setns(fd, CLONE_NEWNET);
	close(fd);
	if (err)
		perror(path);
	return err;
}

static struct memsync_region *find(void)
{
	struct memsync_region *region;

	return memsync_region_find(ms, name, role, &region) ? NULL : region;
}

static int get(const char *field)
{
	struct memsync_region *r = find();
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {		/* up to the one without a name */
		{ "id", r ? r->id : 0 },
		{ "pid", r ? r->pid : 0 },
		{ "pages", r ? r->pages : 0 },
		{ "dirty", r ? r->dirty : 0 },
		{ "mid_pass", r ? r->mid_pass : 0 },
		{ "barrier", r ? r->barrier_id : 0 },
		{ "passes", r ? r->stats.passes : 0 },
		{ "shipped_pages", r ? r->stats.shipped_pages : 0 },
		{ "shipped_bytes", r ? r->stats.shipped_bytes : 0 },
		{ "applied_pages", r ? r->stats.applied_pages : 0 },
		{ "reconnects", r ? r->stats.reconnects : 0 },
		{ }
	}, *n;

	if (!r)
		return 1;
	if (!strcmp(field, "state"))
		return puts(memsync_region_state_name(r->state)) < 0;
	if (!strcmp(field, "reason"))
		return puts(r->reason) < 0;
	for (n = numbers; n->name; n++)
		if (!strcmp(field, n->name))
			return printf("%" PRIu64 "\n", n->value) < 0;
	fprintf(stderr, "region: no field %s\n", field);
	return 2;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static int is_in(const char *state)
{
	struct memsync_region *r = find();
	int is = r && !strcmp(memsync_region_state_name(r->state), state);

	free(r);
	return is;
}

static int wait_for(const char *state, int seconds)
{
	int64_t left, end = now_ms() + seconds * 1000LL;
	const struct memsync_event *event;
	struct memsync_events *events;
	struct memsync_region *r;

	if (memsync_events_open(ms, &events)) {
		fprintf(stderr, "region: events: %s\n", memsync_error(ms));
		return 1;
	}
	while (!is_in(state)) {
		left = end - now_ms();
		if (left <= 0) {
			r = find();
			printf("%s is %s (%s), not %s\n", name,
			       r ? memsync_region_state_name(r->state) : "not there",
			       r ? r->reason : "", state);
			return 1;
		}
		memsync_events_wait(events, left, &event);
	}
	memsync_events_close(events);
	return 0;
}

static int print_span(const struct memsync_range *range, void *arg)
{
	return printf("0x%" PRIx64 " %" PRIu64 "\n", range->start, range->end - range->start) < 0;
}

static int spans(int with_pid)
{
	struct memsync_region *r = find();

	if (r && with_pid)
		printf("%d\n", (int)r->pid);
	return !r || memsync_dump_ranges(ms, r->id, print_span, NULL);
}

static int unregister(const struct memsync_region *region, void *arg)
{
	memsync_unregister(ms, region->id);
	return 0;
}

static int unlisten(const struct memsync_listener *listener, void *arg)
{
	memsync_unlisten(ms, &listener->addr);
	return 0;
}

int main(int argc, char **argv)
{
	int err;

	if (argc < 3 || enter(argv[1]))
		return 2;
	err = memsync_open(&ms);
	if (err) {
		fprintf(stderr, "region: memsync_open: %s\n", strerror(-err));
		return 1;
	}
	if (argc == 3 && !strcmp(argv[2], "clear"))
		return memsync_dump_regions(ms, unregister, NULL) ||
		       memsync_dump_listeners(ms, unlisten, NULL);
	if (argc < 5)
		return 2;
	name = argv[2];
	role = !strcmp(argv[3], "sink") ? MEMSYNC_ROLE_SINK : MEMSYNC_ROLE_SOURCE;
	if (argc == 6 && !strcmp(argv[4], "get"))
		return get(argv[5]);
	if (argc == 7 && !strcmp(argv[4], "wait"))
		return wait_for(argv[5], atoi(argv[6]));
	if (!strcmp(argv[4], "spans") || !strcmp(argv[4], "memory"))
		return spans(*argv[4] == 'm');
	return 2;
}
