// SPDX-License-Identifier: GPL-2.0
/* A page whose memory breaks with content that was not shipped: the region ends, and says why. */
#include <sys/mman.h>
#include <unistd.h>

#include "torture.h"

#define BROKEN_SIZE	(64 * PAGE)

static const char *end_of(struct pair *p, struct memsync *ms, unsigned char *area, size_t bad)
{
	char reason[MEMSYNC_REASON_MAX + 1];
	struct memsync_range range = { (uintptr_t)area, (uintptr_t)area + BROKEN_SIZE, 0 };
	const char *why = pair_start_ranges(p, ms, "broken", getpid(), &range, 1);

	if (!why)
		why = pair_sync_compare(p);
	if (why)
		return why;
	if (memsync_pause(ms, p->source))
		return memsync_error(ms);
	area[bad]++;
	if (break_page(area + bad / PAGE * PAGE, MADV_HWPOISON))
		return pair_fail("a page could not be broken: %m");
	if (memsync_resume(ms, p->source))
		return memsync_error(ms);
	why = pair_wait_state(p, p->source, MEMSYNC_REGION_GONE, reason, sizeof(reason));
	if (why || strstr(reason, "cannot be read"))
		return why;
	return pair_fail("a region with a broken page has ended by \"%s\"", reason);
}

const char *break_a_page(struct memsync *ms, uint64_t *seed)
{
	unsigned char *area = memory_new(BROKEN_SIZE);
	struct pair pair = { };
	const char *why;

	if (!area)
		return pair_fail("memory to be broken: %m");
	memory_fill(area, BROKEN_SIZE, random_next(seed));
	why = end_of(&pair, ms, area, random_next(seed) % BROKEN_SIZE);
	pair_stop(&pair);
	munmap(area, BROKEN_SIZE);
	return why;
}
