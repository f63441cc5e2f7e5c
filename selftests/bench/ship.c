// SPDX-License-Identifier: GPL-2.0
/* How fast a first pass is, and how many bytes go to the peer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source.h"

static const char usage[] =
	"usage: ship PEER MIB random|zero [DIRTY…]\n"
	"prints what the first pass took, then what it took to ship DIRTY pages\n";

/* Distinct pages all over the area. */
static void dirty(const struct area *area, size_t nr)
{
	size_t i, step = area->pages / nr;

	for (i = 0; i < nr; i++)
		write_page(area, i * step + random_u64() % step, random_u64() | 1);
}

static void again(struct source *source, const struct area *area, size_t nr)
{
	struct memsync_stats before, after;

	source_barrier(source);
	source_pause(source);
	before = source_stats(source);
	dirty(area, nr);
	source_resume(source);
	source_barrier(source);
	after = source_stats(source);
	if (after.shipped_pages - before.shipped_pages < nr)
		die("%zu pages written, %ju shipped", nr,
		    (uintmax_t)(after.shipped_pages - before.shipped_pages));
	printf("{\"dirty\": %zu, \"pages\": %ju, \"bytes\": %ju}\n", nr,
	       (uintmax_t)(after.shipped_pages - before.shipped_pages),
	       (uintmax_t)(after.shipped_bytes - before.shipped_bytes));
}

static void first(struct source *source, const char *peer, const struct area *area)
{
	uint64_t took, began = now();
	struct memsync_stats stats;

	source_open(source, "bench", peer, area);
	source_barrier(source);
	took = now() - began;
	stats = source_stats(source);
	if (stats.shipped_pages + stats.zero_pages < area->pages)
		die("%zu pages, %ju shipped", area->pages,
		    (uintmax_t)(stats.shipped_pages + stats.zero_pages));
	printf("{\"mib\": %zu, \"ns\": %ju, \"bytes\": %ju, \"tracking\": %ju}\n",
	       area->pages * PAGE >> 20, (uintmax_t)took, (uintmax_t)stats.shipped_bytes,
	       (uintmax_t)stats.tracking_bytes);
}

int main(int argc, char **argv)
{
	struct source source = {};
	struct area area;
	int i;

	if (argc < 4 || (strcmp(argv[3], "random") && strcmp(argv[3], "zero"))) {
		fputs(usage, stderr);
		return 2;
	}
	area_map(&area, number(argv[2]));
	if (!strcmp(argv[3], "random"))
		area_fill(&area);
	first(&source, argv[1], &area);
	for (i = 4; i < argc; i++)
		again(&source, &area, number(argv[i]));
	source_close(&source);
	return 0;
}
