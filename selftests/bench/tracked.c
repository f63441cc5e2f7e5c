// SPDX-License-Identifier: GPL-2.0
/*
 * What it costs to have writes tracked: in each round some pages are written,
 * once each, then the tracker says which ones.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tracker.h"

static const char usage[] =
	"usage: tracked TRACKER MIB ROUNDS SPEC…\n"
	"TRACKER is soft-dirty, wp-async or memsync\n"
	"SPEC is WRITES:sequential, or WRITES:random, or WRITES:BLOCKS for random pages\n"
	"in that many blocks of 2 MiB\n";

static const struct tracker *const trackers[] = { &softdirty, &wpasync, &memsync };

struct spec {
	const char *text;
	size_t writes;
	size_t blocks;		/* 0: sequential */
};

static const struct tracker *find_tracker(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(trackers); i++)
		if (!strcmp(trackers[i]->name, name))
			return trackers[i];
	die("no tracker %s", name);
}

static struct spec parse(const char *text, size_t pages)
{
	const char *colon = strchr(text, ':');
	struct spec spec = { .text = text, .blocks = pages / BLOCK_PAGES };

	if (!colon)
		die("%s lacks a colon", text);
	spec.writes = number(strndupa(text, colon - text));
	if (!strcmp(colon + 1, "sequential"))
		spec.blocks = 0;
	else if (strcmp(colon + 1, "random"))
		spec.blocks = number(colon + 1);
	if (!spec.writes || spec.writes > (spec.blocks ? spec.blocks * BLOCK_PAGES : pages) ||
	    spec.blocks > pages / BLOCK_PAGES)
		die("%s does not fit", text);
	return spec;
}

/* Brings @nr of @total random numbers to the front. */
static void shuffle(size_t *numbers, size_t total, size_t nr)
{
	size_t i, j, tmp;

	for (i = 0; i < nr; i++) {
		j = i + random_u64() % (total - i);
		tmp = numbers[i];
		numbers[i] = numbers[j];
		numbers[j] = tmp;
	}
}

static size_t *count_up(size_t nr)
{
	size_t *numbers = calloc(nr, sizeof(*numbers));
	size_t i;

	if (!numbers)
		die_errno("numbers");
	for (i = 0; i < nr; i++)
		numbers[i] = i;
	return numbers;
}

struct chooser {
	size_t *blocks;		/* all of the area, in random order */
	size_t *places;		/* pages of those in use, in random order */
	size_t next;		/* sequential */
};

static void choose(struct chooser *c, const struct spec *spec, size_t pages, size_t *chosen)
{
	size_t i;

	if (!spec->blocks) {
		if (c->next + spec->writes > pages)
			c->next = 0;
		for (i = 0; i < spec->writes; i++)
			chosen[i] = c->next++;
		return;
	}
	shuffle(c->blocks, pages / BLOCK_PAGES, spec->blocks);
	shuffle(c->places, spec->blocks * BLOCK_PAGES, spec->writes);
	for (i = 0; i < spec->writes; i++)
		chosen[i] = c->blocks[c->places[i] / BLOCK_PAGES] * BLOCK_PAGES +
			    c->places[i] % BLOCK_PAGES;
}

static uint64_t write_pages(const struct area *area, const size_t *pages, size_t nr)
{
	uint64_t value = random_u64() | 1, began = now();
	size_t i;

	for (i = 0; i < nr; i++)
		write_page(area, pages[i], value);
	return now() - began;
}

static void measure(const struct tracker *tracker, const struct area *area,
		    const struct spec *spec, size_t rounds)
{
	struct chooser c = {
		.blocks = count_up(area->pages / BLOCK_PAGES),
		.places = count_up(spec->blocks * BLOCK_PAGES + 1),
	};
	struct samples written = {}, harvested = {};
	size_t *chosen = count_up(spec->writes);
	size_t i, found;

	for (i = 0; i < rounds; i++) {
		choose(&c, spec, area->pages, chosen);
		rest(20);
		samples_add(&written, write_pages(area, chosen, spec->writes));
		samples_add(&harvested, tracker->harvest(&found));
		if (found < spec->writes)
			die("%s: %zu pages written, %zu found", tracker->name, spec->writes,
			    found);
	}
	printf("{\"tracker\": \"%s\", \"mib\": %zu, \"spec\": \"%s\", \"found\": %zu, ",
	       tracker->name, area->pages * PAGE >> 20, spec->text, found);
	samples_print(&written, "write", spec->writes);
	printf(", ");
	samples_print(&harvested, "harvest", 1);
	printf("}\n");
	fflush(stdout);
	free(c.blocks);
	free(c.places);
	free(chosen);
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
	area_map(&area, number(argv[2]));
	tracker->start(&area);
	rest(2000);
	tracker->harvest(&found);
	for (i = 4; i < argc; i++) {
		struct spec spec = parse(argv[i], area.pages);

		measure(tracker, &area, &spec, number(argv[3]));
	}
	return 0;
}
