// SPDX-License-Identifier: GPL-2.0
/* How far a first pass has come. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "out.h"
#include "progress.h"
#include "shown.h"
#include "units.h"

#define TICK_MS		250
#define IDLE_MS		5000

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

void progress_init(struct progress *pr, const struct ctl *ctl)
{
	*pr = (struct progress){
		.on = !ctl->json && isatty(STDOUT_FILENO) && isatty(STDERR_FILENO),
	};
}

int progress_interval(const struct progress *pr)
{
	return pr->on ? TICK_MS : IDLE_MS;
}

uint64_t progress_done(const struct memsync_region *region)
{
	uint64_t done = region->stats.applied_pages;

	if (region->role == MEMSYNC_ROLE_SOURCE)
		return region->pages > region->lag_pages ? region->pages - region->lag_pages : 0;
	return done < region->pages ? done : region->pages;
}

static void print_rate(const struct progress *pr, uint64_t done, uint64_t left)
{
	uint64_t ns = now_ns() - pr->begin_ns, pages = done - pr->begin_pages;
	char rate[UNIT_TEXT], rest[UNIT_TEXT];
	double per_second;

	if (done <= pr->begin_pages || ns < 1000000)
		return;
	per_second = pages / (ns / 1e9);
	fprintf(stderr, ", %s/s", unit_bytes(rate, page_bytes(per_second)));
	if (left)
		fprintf(stderr, ", %s left", unit_time(rest, left / per_second * 1e9));
}

void progress_show(struct progress *pr, const struct memsync_region *region)
{
	uint64_t done = progress_done(region);
	char size[UNIT_TEXT];

	if (!pr->on || !region->pages)
		return;
	if (!pr->begin_ns || done < pr->begin_pages) {
		pr->begin_ns = now_ns();
		pr->begin_pages = done;
	}
	fprintf(stderr, "\r\033[K%s: %s, %" PRIu64 " of %" PRIu64 " pages (%s), %u %%",
		out_safe(region->name), memsync_region_state_name(region->state), done,
		region->pages, unit_bytes(size, page_bytes(region->pages)),
		(unsigned int)(100 * (double)done / region->pages));
	print_rate(pr, done, region->pages - done);
	fflush(stderr);
	pr->shown = true;
}

void progress_clear(struct progress *pr)
{
	if (pr->shown)
		fputs("\r\033[K", stderr);
	pr->shown = false;
}
