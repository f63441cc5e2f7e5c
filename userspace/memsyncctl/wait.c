// SPDX-License-Identifier: GPL-2.0
/* Waits for a region's first pass. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "out.h"
#include "progress.h"
#include "wait.h"

struct waiting {
	struct ctl *ctl;
	struct memsync_events *events;
	uint32_t id;
	struct progress progress;
	bool done;
};

static int64_t now_ms(void)
{
	return out_monotonic() / 1000000;
}

struct peers {
	uint64_t lag;			/* of the slowest */
	struct memsync_peer failed;	/* one that refused for good */
	bool any_failed;
};

static int take_peer(const struct memsync_peer *peer, void *arg)
{
	struct peers *peers = arg;

	if (peer->lag_pages > peers->lag)
		peers->lag = peer->lag_pages;
	if (peer->state == MEMSYNC_PEER_FAILED) {
		peers->failed = *peer;
		peers->any_failed = true;
	}
	return 0;
}

/* A peer that refused for good will not come: the rest would be waiting in vain. */
static int check_peers(struct waiting *w, const struct memsync_region *region)
{
	struct peers peers = { };
	char addr[ADDR_TEXT];

	if (memsync_dump_peers(w->ctl->ms, w->id, take_peer, &peers)) {
		progress_clear(&w->progress);
		return ctl_fail_lib(w->ctl, "%s", region->name);
	}
	if (!peers.any_failed) {
		progress_show(&w->progress, region, peers.lag);
		return EXIT_DONE;
	}
	progress_clear(&w->progress);
	return ctl_fail(w->ctl, "%s stays registered, but peer %s refused it: %s", region->name,
			addr_text(addr, &peers.failed.addr),
			peers.failed.reason[0] ? peers.failed.reason : "no reason");
}

static int judge(struct waiting *w, const struct memsync_region *region)
{
	if (region->state == MEMSYNC_REGION_SYNCED) {
		w->done = true;
		return EXIT_DONE;
	}
	if (region->state != MEMSYNC_REGION_GONE)
		return check_peers(w, region);
	progress_clear(&w->progress);
	return ctl_fail(w->ctl, "%s ended: %s", region->name,
			region->reason[0] ? region->reason : "no reason");
}

static int look(struct waiting *w)
{
	struct memsync_region *region;
	int status;

	if (memsync_region_get(w->ctl->ms, w->id, &region)) {
		progress_clear(&w->progress);
		return ctl_fail_lib(w->ctl, "region %u", w->id);
	}
	status = judge(w, region);
	free(region);
	return status;
}

/* 0 once there is reason to look again. */
static int await(struct waiting *w, int64_t until)
{
	int64_t next = now_ms() + progress_interval(&w->progress);
	const struct memsync_event *event;
	int ret;

	if (until >= 0 && until < next)
		next = until;
	do {
		ret = memsync_events_wait(w->events, next > now_ms() ? next - now_ms() : 0, &event);
		if (ret < 0 && ret != -ENOBUFS && ret != -EINTR)
			return ctl_fail_lib(w->ctl, "waiting");
	} while (ret == 1 && event->region->id != w->id);
	return EXIT_DONE;
}

int wait_synced(struct ctl *ctl, struct memsync_events *events, uint32_t id, int timeout_ms)
{
	struct waiting w = { .ctl = ctl, .events = events, .id = id };
	int64_t until = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
	int status;

	progress_init(&w.progress, ctl);
	for (;;) {
		status = look(&w);
		if (status || w.done)
			break;
		if (until >= 0 && now_ms() >= until) {
			progress_clear(&w.progress);
			return ctl_timeout(ctl, "region %u is registered, not synced after %.3g s",
					   id, timeout_ms / 1e3);
		}
		status = await(&w, until);
		if (status)
			break;
	}
	progress_clear(&w.progress);
	return status;
}
