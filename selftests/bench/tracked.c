// SPDX-License-Identifier: GPL-2.0
/*
 * What it costs to have writes tracked: in each round some pages are written,
 * once each, then the tracker says which ones.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pattern.h"
#include "tracker.h"

static const char usage[] =
	"usage: tracked TRACKER MIB[/BLOCKS[+FIRST]] ROUNDS PATTERN…\n"
	"TRACKER is soft-dirty, wp-async or memsync\n"
	"BLOCKS, FIRST: only so many of 2 MiB, anywhere and at the beginning, are there\n"
	"PATTERN is " PATTERN_USAGE;

static const struct tracker *const trackers[] = { &softdirty, &wpasync, &memsync };

static const struct tracker *find_tracker(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(trackers); i++)
		if (!strcmp(trackers[i]->name, name))
			return trackers[i];
	die("no tracker %s", name);
}

struct result {
	struct samples written, harvested, both;
	size_t needless;	/* pages found that were not written, of all rounds */
};

static void one_round(const struct tracker *tracker, const struct area *area,
		      struct pattern *pattern, struct result *result)
{
	uint64_t write_ns, harvest_ns;
	size_t found;

	pattern->choose(pattern);
	rest(20);
	write_ns = pattern_write(pattern, area);
	harvest_ns = tracker->harvest(&found);
	if (found < pattern->writes)
		die("%s: %zu pages written, %zu found", tracker->name, pattern->writes, found);
	result->needless += found - pattern->writes;
	samples_add(&result->written, write_ns);
	samples_add(&result->harvested, harvest_ns);
	samples_add(&result->both, write_ns + harvest_ns);
}

/* What was needed to warm up does not count, but for what was found needlessly. */
static void warmed_up(struct result *result)
{
	result->written.nr = 0;
	result->harvested.nr = 0;
	result->both.nr = 0;
}

static void measure(const struct tracker *tracker, const struct area *area,
		    const char *text, size_t rounds)
{
	struct result result = {};
	struct pattern pattern;
	size_t i;

	pattern_init(&pattern, text, area);
	for (i = 0; i < pattern.warm_up; i++)
		one_round(tracker, area, &pattern, &result);
	warmed_up(&result);
	for (i = 0; i < rounds; i++)
		one_round(tracker, area, &pattern, &result);
	printf("{\"tracker\": \"%s\", \"mib\": %zu, \"spec\": \"%s\", \"needless\": %zu, ",
	       tracker->name, area->pages * PAGE >> 20, text, result.needless);
	samples_print(&result.written, "write", pattern.writes);
	printf(", ");
	samples_print(&result.harvested, "harvest", 1);
	printf(", ");
	samples_print(&result.both, "both", pattern.writes);
	printf("}\n");
	fflush(stdout);
	pattern_free(&pattern);
}

int main(int argc, char **argv)
{
	const struct tracker *tracker;
	struct area area;
	size_t found;
	int i;

	if (argc < 5) {
		fputs(usage, stderr);
		return 2;
	}
	tracker = find_tracker(argv[1]);
	area_map_as(&area, argv[2]);
	tracker->start(&area);
	rest(2000);
	tracker->harvest(&found);
	for (i = 4; i < argc; i++)
		measure(tracker, &area, argv[i], number(argv[3]));
	return 0;
}
