/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _PATTERN_H
#define _PATTERN_H

#include "bench.h"

/* What a pattern's text says. */
#define PATTERN_USAGE \
	"WRITES:random, WRITES:BLOCKS for random pages in that many blocks of 2 MiB,\n" \
	"WRITES:sequential, WRITES:alternate for every second page, WRITES:runs for runs\n" \
	"with gaps, or WRITES:hot for random pages that are the same in each round\n"

/**
 * struct pattern - which pages of an area are written in a round, once each
 * @text: as it was given
 * @writes: how many
 * @warm_up: rounds after which it is what it is to be
 * @chosen: the pages
 */
struct pattern {
	const char *text;
	size_t writes;
	size_t warm_up;
	size_t *chosen;

	void (*choose)(struct pattern *pattern);
	size_t *blocks;		/* those of the area, in random order where that is wanted */
	size_t nr_blocks;
	size_t used_blocks;	/* so many of them are written to */
	size_t *places;		/* pages of those in use, in random order */
	size_t next;		/* sequential */
};

void pattern_init(struct pattern *pattern, const char *text, const struct area *area);
void pattern_free(struct pattern *pattern);
/* Returns how long it took, ns. */
uint64_t pattern_write(struct pattern *pattern, const struct area *area);

#endif /* _PATTERN_H */
