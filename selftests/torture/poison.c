// SPDX-License-Identifier: GPL-2.0
/*
 * A page whose memory breaks. If what was new in it had not been shipped, its region ends, and
 * says why.
 */
#include <signal.h>
#include <sys/mman.h>

#include "torture.h"

#define BROKEN_SIZE	(64 * PAGE)

static unsigned char *area;

/* Some kernels tell at once whoever breaks it. */
static void on_bus(int sig, siginfo_t *info, void *context)
{
	size_t at = (unsigned char *)info->si_addr - area;

	if (at >= BROKEN_SIZE)
		signal(SIGBUS, SIG_DFL);
}

static int break_told(unsigned char *page)
{
	struct sigaction catch = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO }, old;
	int err;

	sigaction(SIGBUS, &catch, &old);
	err = break_page(page, MADV_HWPOISON);
	sigaction(SIGBUS, &old, NULL);
	return err;
}

/* What is mapped must not come to lie in another thread's hole. */
static const char *begin(struct torture *t, struct pair *p, struct memsync *ms, uint64_t seed)
{
	struct memsync_range range = { };
	const char *why = NULL;

	pthread_mutex_lock(&t->holes);
	area = memory_new(BROKEN_SIZE);
	if (!area) {
		why = pair_fail("memory to be broken: %m");
	} else {
		memory_fill(area, BROKEN_SIZE, seed);
		range.start = (uintptr_t)area;
		range.end = range.start + BROKEN_SIZE;
		why = pair_start_ranges(p, ms, "broken", getpid(), &range, 1);
	}
	pthread_mutex_unlock(&t->holes);
	return why ? why : pair_sync_compare(p);
}

/* A pass that had begun before the pause may still have had it. */
static const char *judge(struct torture *t, struct pair *p, size_t bad, unsigned char is)
{
	char reason[MEMSYNC_REASON_MAX + 1];
	const char *why;

	t->broken++;
	if (!pair_sync(p))
		return p->replica[bad] == is ? NULL :
		       pair_fail("a broken page was lost, and its region goes on");
	why = pair_wait_state(p, p->source, MEMSYNC_REGION_GONE, reason, sizeof(reason));
	if (why)
		return why;
	t->ended++;
	return strstr(reason, "cannot be read") ? NULL :
	       pair_fail("a region with a broken page has ended by \"%s\"", reason);
}

static const char *break_one(struct torture *t, struct pair *p, struct memsync *ms, size_t bad)
{
	unsigned char is;

	if (memsync_pause(ms, p->source))
		return memsync_error(ms);
	is = ++area[bad];
	if (break_told(area + bad / PAGE * PAGE))
		return pair_fail("a page could not be broken: %m");
	/* It may have ended by now. */
	memsync_resume(ms, p->source);
	return judge(t, p, bad, is);
}

const char *break_a_page(struct torture *t, struct memsync *ms, uint64_t *seed)
{
	struct pair pair = { };
	const char *why;

	why = begin(t, &pair, ms, random_next(seed));
	if (!why)
		why = break_one(t, &pair, ms, random_next(seed) % BROKEN_SIZE);
	if (pair.ms)
		pair_stop(&pair);
	if (area)
		munmap(area, BROKEN_SIZE);
	return why;
}
