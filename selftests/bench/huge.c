// SPDX-License-Identifier: GPL-2.0
/* Do huge pages that are only read stay huge in a region, and reading them as cheap? */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "source.h"

#define MIB		64UL	/* of huge pages, and of others beside them */
#define SIZE		(MIB << 20)
#define STEP		256	/* bytes: a sweep is to end before the next tick */
#define SWEEPS		30
#define PASSES		10
#define PASS_PAGES	100

static unsigned char *add_huge(struct area *area)
{
	unsigned char *huge = area->start + area->pages * PAGE;

	if (mmap(huge, SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != huge ||
	    madvise(huge, SIZE, MADV_HUGEPAGE))
		die_errno("huge pages");
	memset(huge, 1, SIZE);
	area->pages += SIZE / PAGE;
	return huge;
}

/* KiB of the mapping that are in huge pages. */
static size_t in_huge_pages(const unsigned char *start)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	unsigned long from, to, value;
	char line[512];
	bool inside = false;

	if (!smaps)
		die_errno("smaps");
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = from == (uintptr_t)start;
		else if (inside && sscanf(line, "AnonHugePages: %lu kB", &value) == 1)
			break;
	}
	if (!inside || feof(smaps))
		die("smaps does not have the huge pages");
	fclose(smaps);
	return value;
}

static void sweep(const unsigned char *huge, const char *name)
{
	struct samples samples = {};
	uint64_t began;
	size_t i, at;

	for (i = 0; i < SWEEPS; i++) {
		rest(20);
		began = now();
		for (at = 0; at < SIZE; at += STEP)
			*(const volatile uint64_t *)(huge + at);
		samples_add(&samples, now() - began);
	}
	samples_print(&samples, name, 1);
}

static void pass(struct source *source, const struct area *area)
{
	size_t i, plain = area->pages - SIZE / PAGE;

	for (i = 0; i < PASS_PAGES; i++)
		write_page(area, random_u64() % plain, random_u64());
	source_barrier(source);
}

int main(int argc, char **argv)
{
	struct source source = {};
	unsigned char *huge;
	struct area area;
	size_t i;

	if (argc != 2) {
		fputs("usage: huge PEER\n", stderr);
		return 2;
	}
	area_map(&area, MIB);
	huge = add_huge(&area);
	printf("{\"mib\": %lu, \"passes\": %d, \"kib_before\": %zu, ", MIB, PASSES,
	       in_huge_pages(huge));
	sweep(huge, "without");
	source_open(&source, "bench", argv[1], &area);
	for (i = 0; i < PASSES; i++)
		pass(&source, &area);
	printf(", ");
	sweep(huge, "with");
	printf(", \"kib_after\": %zu}\n", in_huge_pages(huge));
	source_close(&source);
	return 0;
}
