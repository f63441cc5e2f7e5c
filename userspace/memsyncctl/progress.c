// SPDX-License-Identifier: GPL-2.0
/* How far a first pass has come. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "out.h"
#include "progress.h"
#include "shown.h"
#include "units.h"

#define TICK_MS		250
#define IDLE_MS		5000

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

/* Pages that are at the sink, as far as it is known. */
static uint64_t pages_done(const struct memsync_region *region, uint64_t lag)
{
	uint64_t done = region->stats.applied_pages;

	if (region->role == MEMSYNC_ROLE_SOURCE)
		return region->pages > lag ? region->pages - lag : 0;
	return done < region->pages ? done : region->pages;
}

static void print_rate(const struct progress *pr, uint64_t done, uint64_t left)
{
	uint64_t ns = out_monotonic() - pr->begin_ns, pages = done - pr->begin_pages;
	char rate[UNIT_TEXT], rest[UNIT_TEXT];
	double per_second;

	if (done <= pr->begin_pages || ns < 1000000)
		return;
	per_second = pages / (ns / 1e9);
	fprintf(stderr, ", %s/s", unit_bytes(rate, page_bytes(per_second)));
	if (left)
		fprintf(stderr, ", %s left", unit_time(rest, left / per_second * 1e9));
}

void progress_show(struct progress *pr, const struct memsync_region *region, uint64_t lag)
{
	uint64_t done = pages_done(region, lag);
	char size[UNIT_TEXT];

	if (!pr->on || !region->pages)
		return;
	if (!pr->begin_ns || done < pr->begin_pages) {
		pr->begin_ns = out_monotonic();
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
