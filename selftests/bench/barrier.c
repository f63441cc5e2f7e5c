// SPDX-License-Identifier: GPL-2.0
/* How long a barrier takes when little has been written. */
#include <stdio.h>
#include <stdlib.h>

#include "source.h"

#define MIB	64

int main(int argc, char **argv)
{
	struct samples whole = {}, inside = {};
	struct source source = {};
	size_t pages, rounds, i, j;
	struct area area;
	uint64_t began;

	if (argc != 4) {
		fputs("usage: barrier PEER PAGES ROUNDS\n", stderr);
		return 2;
	}
	pages = number(argv[2]);
	rounds = number(argv[3]);
	area_map(&area, MIB);
	area_fill(&area);
	source_open(&source, "bench", argv[1], &area);
	source_barrier(&source);
	rest(1000);
	for (i = 0; i < rounds; i++) {
		/* All phases of the interval between passes */
		rest(15 + random_u64() % 10);
		for (j = 0; j < pages; j++)
			write_page(&area, random_u64() % area.pages, random_u64());
		began = now();
		source_barrier(&source);
		samples_add(&whole, now() - began);
		samples_add(&inside, source_stats(&source).last_barrier_ns);
	}
	printf("{\"pages\": %zu, ", pages);
	samples_print(&whole, "call", 1);
	printf(", ");
	samples_print(&inside, "module", 1);
	printf("}\n");
	source_close(&source);
	return 0;
}
