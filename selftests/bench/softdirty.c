// SPDX-License-Identifier: GPL-2.0
/* The soft-dirty bits of /proc/PID/pagemap, reset through clear_refs. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "tracker.h"

#define SOFT_DIRTY	(1ULL << 55)

static int clear_refs, pagemap;
static size_t first, nr;
static uint64_t *entries;
static uint64_t *found;

static void reset(void)
{
	if (write(clear_refs, "4", 1) != 1)
		die_errno("clear_refs");
}

static void start(const struct area *area)
{
	first = (uintptr_t)area->start / PAGE;
	nr = area->pages;
	entries = calloc(nr, sizeof(*entries));
	found = calloc(nr, sizeof(*found));
	clear_refs = open("/proc/self/clear_refs", O_WRONLY);
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (!entries || !found || clear_refs < 0 || pagemap < 0)
		die_errno("soft-dirty");
	reset();
}

static uint64_t harvest(size_t *pages)
{
	uint64_t began = now();
	size_t i, n = 0, size = nr * sizeof(*entries);

	if (pread(pagemap, entries, size, first * sizeof(*entries)) != (ssize_t)size)
		die_errno("pagemap");
	for (i = 0; i < nr; i++)
		if (entries[i] & SOFT_DIRTY)
			found[n++] = i;
	reset();
	*pages = n;
	return now() - began;
}

const struct tracker softdirty = {
	.name = "soft-dirty",
	.start = start,
	.harvest = harvest,
};
