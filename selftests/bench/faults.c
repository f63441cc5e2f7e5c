// SPDX-License-Identifier: GPL-2.0
/* What page faults cost that have nothing to do with memsync. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#endif

#define FAULTS		256	/* in a round, which is to end before the next tick */
#define AROUND		16	/* pages that one fault on a file maps */

static int clear_refs;

static void drop(const struct area *area)
{
	if (madvise(area->start, area->pages * PAGE, MADV_DONTNEED))
		die_errno("MADV_DONTNEED");
}

static void protect(const struct area *area)
{
	(void)area;
	if (write(clear_refs, "4", 1) != 1)
		die_errno("clear_refs");
}

static void write_each(const struct area *area, size_t step)
{
	size_t i;

	for (i = 0; i < area->pages; i += step)
		write_page(area, i, i);
}

static void read_each(const struct area *area, size_t step)
{
	size_t i;

	for (i = 0; i < area->pages; i += step)
		*(volatile uint64_t *)(area->start + i * PAGE);
}

static void populate(const struct area *area, size_t step)
{
	(void)step;
	if (madvise(area->start, area->pages * PAGE, MADV_POPULATE_READ))
		die_errno("MADV_POPULATE_READ");
}

static void map_anonymous(struct area *area)
{
	area_map(area, FAULTS * PAGE >> 20 ?: 1);
	area->pages = FAULTS;
}

static void map_file(struct area *area)
{
	size_t size = FAULTS * AROUND * PAGE;
	int fd = memfd_create("bench", 0);

	if (fd < 0 || ftruncate(fd, size))
		die_errno("memfd");
	area->start = mmap(AREA_ADDRESS, size, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_POPULATE | MAP_FIXED_NOREPLACE, fd, 0);
	if (area->start == MAP_FAILED)
		die_errno("mmap of a memfd");
	area->pages = FAULTS * AROUND;
	write_each(area, 1);
}

/**
 * struct kind - a kind of fault
 * @map: makes the memory
 * @prepare: makes it fault
 * @touch: FAULTS faults, one in @step pages
 */
static const struct kind {
	const char *name;
	void (*map)(struct area *area);
	void (*prepare)(const struct area *area);
	void (*touch)(const struct area *area, size_t step);
	size_t step;
} kinds[] = {
	{ "anonymous-write", map_anonymous, drop, write_each, 1 },
	{ "protected-write", map_anonymous, protect, write_each, 1 },
	{ "zero-page-read", map_anonymous, drop, read_each, 1 },
	{ "zero-page-populate", map_anonymous, drop, populate, 1 },
	{ "file-read", map_file, drop, read_each, AROUND },
};

static void measure(const struct kind *kind, size_t rounds)
{
	struct samples samples = {};
	struct area area;
	uint64_t began;
	size_t i;

	kind->map(&area);
	for (i = 0; i < rounds; i++) {
		kind->prepare(&area);
		rest(5);
		began = now();
		kind->touch(&area, kind->step);
		samples_add(&samples, now() - began);
	}
	munmap(area.start, area.pages * PAGE);
	printf("{\"fault\": \"%s\", ", kind->name);
	samples_print(&samples, "cost", FAULTS);
	printf("}\n");
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc != 2) {
		fputs("usage: faults ROUNDS\n", stderr);
		return 2;
	}
	clear_refs = open("/proc/self/clear_refs", O_WRONLY);
	if (clear_refs < 0)
		die_errno("clear_refs");
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		measure(&kinds[i], number(argv[1]));
	return 0;
}
