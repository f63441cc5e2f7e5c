// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "pattern.h"

#define LONGEST		16	/* run, and gap, pages */
#define HOT_WARM_UP	24	/* rounds until all that is hot is known to be */

/* The @nth page of the blocks. */
static size_t page_at(const struct pattern *p, size_t nth)
{
	return p->blocks[nth / BLOCK_PAGES] * BLOCK_PAGES + nth % BLOCK_PAGES;
}

static size_t nr_pages(const struct pattern *p)
{
	return p->nr_blocks * BLOCK_PAGES;
}

static void choose_random(struct pattern *p)
{
	size_t i;

	shuffle(p->blocks, p->nr_blocks, p->used_blocks);
	shuffle(p->places, p->used_blocks * BLOCK_PAGES, p->writes);
	for (i = 0; i < p->writes; i++)
		p->chosen[i] = page_at(p, p->places[i]);
}

static void choose_once(struct pattern *p)
{
	if (!p->next++)
		choose_random(p);
}

static void choose_sequential(struct pattern *p)
{
	size_t i;

	if (p->next + p->writes > nr_pages(p))
		p->next = 0;
	for (i = 0; i < p->writes; i++)
		p->chosen[i] = page_at(p, p->next++);
}

/* From somewhere on, runs of at most @longest pages, and gaps as long. */
static void choose_runs_of(struct pattern *p, size_t longest)
{
	size_t room = p->writes * (longest + 1), at = random_u64() % (nr_pages(p) - room);
	size_t i = 0, run;

	while (i < p->writes) {
		for (run = 1 + random_u64() % longest; run && i < p->writes; run--)
			p->chosen[i++] = page_at(p, at++);
		at += 1 + random_u64() % longest;
	}
}

static void choose_alternate(struct pattern *p)
{
	choose_runs_of(p, 1);
}

static void choose_runs(struct pattern *p)
{
	choose_runs_of(p, LONGEST);
}

/* @room: pages that the area must have for each that is written */
static const struct kind {
	const char *name;
	void (*choose)(struct pattern *pattern);
	size_t room;
	size_t warm_up;
} kinds[] = {
	{ "random", choose_random, 1, 0 },
	{ "hot", choose_once, 1, HOT_WARM_UP },
	{ "sequential", choose_sequential, 1, 0 },
	{ "alternate", choose_alternate, 3, 0 },
	{ "runs", choose_runs, LONGEST + 2, 0 },
};

static const struct kind *find_kind(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(name, kinds[i].name))
			return &kinds[i];
	return NULL;
}

static void parse(struct pattern *p, const char *text)
{
	const char *colon = strchr(text, ':');
	const struct kind *kind;

	if (!colon)
		die("%s lacks a colon", text);
	p->text = text;
	p->writes = number(strndupa(text, colon - text));
	kind = find_kind(colon + 1);
	if (!kind) {
		kind = find_kind("random");
		p->used_blocks = number(colon + 1);
	}
	p->choose = kind->choose;
	p->warm_up = kind->warm_up;
	if (!p->writes || p->used_blocks > p->nr_blocks ||
	    p->writes * kind->room > p->used_blocks * BLOCK_PAGES)
		die("%s does not fit", text);
}

void pattern_init(struct pattern *pattern, const char *text, const struct area *area)
{
	*pattern = (struct pattern){ .nr_blocks = area->nr_blocks,
				     .used_blocks = area->nr_blocks };
	parse(pattern, text);
	pattern->chosen = count_up(pattern->writes);
	pattern->blocks = count_up(area->nr_blocks);
	memcpy(pattern->blocks, area->blocks, area->nr_blocks * sizeof(*area->blocks));
	pattern->places = count_up(pattern->used_blocks * BLOCK_PAGES);
}

void pattern_free(struct pattern *pattern)
{
	free(pattern->chosen);
	free(pattern->blocks);
	free(pattern->places);
}

uint64_t pattern_write(struct pattern *pattern, const struct area *area)
{
	uint64_t value = random_u64() | 1, began = now();
	size_t i;

	for (i = 0; i < pattern->writes; i++)
		write_page(area, pattern->chosen[i], value);
	return now() - began;
}
