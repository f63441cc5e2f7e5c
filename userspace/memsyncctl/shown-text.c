// SPDX-License-Identifier: GPL-2.0
/* Regions for people. */
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "addr.h"
#include "shown.h"
#include "table.h"
#include "units.h"

uint64_t page_bytes(uint64_t pages)
{
	return pages * sysconf(_SC_PAGESIZE);
}

static const char *flag_words(const struct memsync_region *r)
{
	return r->flags & MEMSYNC_REGION_F_PAUSED ? ", paused" : "";
}

const char *shown_summary(char text[SHOWN_SUMMARY], const struct shown *shown)
{
	const struct memsync_region *r = &shown->region;
	char size[UNIT_TEXT];

	snprintf(text, SHOWN_SUMMARY, "%s: region %u, %" PRIu64 " page%s (%s) in %zu range%s",
		 out_safe(r->name), r->id, r->pages, r->pages == 1 ? "" : "s",
		 unit_bytes(size, page_bytes(r->pages)), shown->nr_ranges,
		 shown->nr_ranges == 1 ? "" : "s");
	return text;
}

static void text_peer(const struct memsync_peer *peer, const char *label)
{
	char addr[ADDR_TEXT], lag[UNIT_TEXT];

	out_row(label, "%s%s%s  %s%s, %s behind%s%s", addr_text(addr, &peer->addr),
		peer->name[0] ? "/" : "", out_safe(peer->name),
		memsync_peer_state_name(peer->state), peer->plaintext ? ", plaintext" : "",
		unit_bytes(lag, page_bytes(peer->lag_pages)), peer->reason[0] ? ": " : "",
		out_safe(peer->reason));
}

static void text_peers(const struct shown *shown)
{
	const char *label = shown->region.role == MEMSYNC_ROLE_SINK ? "source" : "peer";
	size_t i;

	for (i = 0; i < shown->nr_peers; i++)
		text_peer(&shown->peers[i], i ? "" : label);
	if (!shown->nr_peers)
		out_row(label, "none");
}

static void text_ranges(const struct shown *shown)
{
	char size[UNIT_TEXT];
	size_t i;

	for (i = 0; i < shown->nr_ranges; i++) {
		const struct memsync_range *range = &shown->ranges[i];

		out_row(i ? "" : "ranges", "0x%" PRIx64 "-0x%" PRIx64 "  %10s  at %" PRIu64,
			range->start, range->end, unit_bytes(size, range->end - range->start),
			range->offset);
	}
}

static void text_from(const struct memsync_region *r)
{
	char text[ADDR_TEXT];
	unsigned int i;

	for (i = 0; i < r->nr_from; i++)
		out_row(i ? "" : "from", "%s", addr_prefix_text(text, &r->from[i]));
}

static void text_barrier(const struct memsync_region *r)
{
	char when[64], took[UNIT_TEXT];
	time_t seconds = r->barrier_time / 1000000000;
	struct tm tm;

	if (!r->barrier_id) {
		out_row("barrier", "none yet%s", r->mid_pass ? "; in the middle of a pass" : "");
		return;
	}
	localtime_r(&seconds, &tm);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S %z", &tm);
	out_row("barrier", "%" PRIu64 " at %s%s%s%s", r->barrier_id, when,
		r->stats.last_barrier_ns ? ", took " : "",
		r->stats.last_barrier_ns ? unit_time(took, r->stats.last_barrier_ns) : "",
		r->mid_pass ? "; in the middle of a later pass" : "");
}

static void text_memory(const struct memsync_region *r)
{
	char size[UNIT_TEXT], dirty[UNIT_TEXT];

	if (r->role == MEMSYNC_ROLE_SINK) {
		out_row("memory", "%s, %" PRIu64 " pages",
			unit_bytes(size, page_bytes(r->pages)), r->pages);
		return;
	}
	out_row("memory", "%s, %" PRIu64 " pages; %s dirty", unit_bytes(size, page_bytes(r->pages)),
		r->pages, unit_bytes(dirty, page_bytes(r->dirty)));
}

static void text_stats(const struct memsync_region *r)
{
	const struct memsync_stats *s = &r->stats;
	char bytes[UNIT_TEXT], harvest[UNIT_TEXT], tracking[UNIT_TEXT];

	if (r->role == MEMSYNC_ROLE_SINK) {
		out_row("applied", "%" PRIu64 " pages, %" PRIu64 " of them zero",
			s->applied_pages, s->zero_pages);
	} else {
		out_row("shipped", "%" PRIu64 " pages, %" PRIu64 " of them zero; %s on the wire",
			s->shipped_pages, s->zero_pages, unit_bytes(bytes, s->shipped_bytes));
		out_row("tracking", "%" PRIu64 " write faults, %" PRIu64 " passes, %" PRIu64
			" pages harvested in %s; takes %s", s->write_faults, s->passes,
			s->harvested_pages, unit_time(harvest, s->harvest_ns),
			unit_bytes(tracking, s->tracking_bytes));
	}
	if (s->reconnects)
		out_row("reconnects", "%" PRIu64 ", %" PRIu64 " pages sent again",
			s->reconnects, s->resync_pages);
}

void shown_text(const struct shown *shown)
{
	const struct memsync_region *r = &shown->region;
	char interval[UNIT_TEXT];

	printf("%s (%s, region %u): %s%s%s%s\n", out_safe(r->name), memsync_role_name(r->role),
	       r->id, memsync_region_state_name(r->state), flag_words(r),
	       r->reason[0] ? ": " : "", out_safe(r->reason));
	if (r->pid)
		out_row("process", "%d", r->pid);
	text_memory(r);
	text_ranges(shown);
	text_peers(shown);
	text_from(r);
	text_barrier(r);
	if (r->role == MEMSYNC_ROLE_SOURCE && r->interval_us)
		out_row("interval", "%s", unit_time(interval, r->interval_us * 1000ULL));
	text_stats(r);
}

/* Pages that the slowest peer has not got. */
static uint64_t most_behind(const struct shown *shown)
{
	uint64_t most = shown->nr_peers ? 0 : shown->region.dirty;
	size_t i;

	for (i = 0; i < shown->nr_peers; i++)
		if (shown->peers[i].lag_pages > most)
			most = shown->peers[i].lag_pages;
	return most;
}

static void table_region(struct table *t, const struct shown *shown)
{
	const struct memsync_region *r = &shown->region;
	char pid[16] = "-", size[UNIT_TEXT], behind[UNIT_TEXT], addr[ADDR_TEXT] = "-";
	char peer[ADDR_TEXT + 24];

	if (r->pid)
		snprintf(pid, sizeof(pid), "%d", r->pid);
	if (shown->nr_peers)
		addr_text(addr, &shown->peers[0].addr);
	snprintf(peer, sizeof(peer), "%s", addr);
	if (shown->nr_peers > 1)
		snprintf(peer, sizeof(peer), "%s +%zu", addr, shown->nr_peers - 1);
	table_row(t, out_safe(r->name), memsync_role_name(r->role),
		  r->flags & MEMSYNC_REGION_F_PAUSED ? "paused" :
		  memsync_region_state_name(r->state), pid,
		  unit_bytes(size, page_bytes(r->pages)),
		  r->role == MEMSYNC_ROLE_SINK ? "-" :
		  unit_bytes(behind, page_bytes(most_behind(shown))), peer, NULL);
}

void shown_table(const struct shown *shown, size_t nr)
{
	struct table t;
	size_t i;

	table_init(&t);
	table_row(&t, "NAME", "ROLE", "STATE", "PID", "MEMORY", "BEHIND", "PEER", NULL);
	for (i = 0; i < nr; i++)
		table_region(&t, &shown[i]);
	table_print(&t);
	for (i = 0; i < nr; i++)
		if (shown[i].region.reason[0])
			printf("%s: %s\n", out_safe(shown[i].region.name),
			       out_safe(shown[i].region.reason));
}
