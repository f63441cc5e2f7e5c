// SPDX-License-Identifier: GPL-2.0
/* Many threads write while passes run, and nothing is ever lost. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "delay.h"
#include "test.h"

#define THREADS		8
#define BURST		16	/* few wake-ups: they cost more than the writes */

struct race;

struct writer {
	pthread_t thread;
	struct race *race;
	unsigned int nr;
	uint64_t seed;
	const char *why;	/* what this one's share of the comparison found */
};

/**
 * struct race - writers that stop at a gate
 * @gate: all writers and the test meet here
 * @running: write, or come to the gate
 * @ending: after the gate, leave
 * @rest: microseconds after every %BURST writes; without, they outrun any network
 * @size: of the memory
 * @pair: whose source it is
 * @writers: each has a stripe to compare, and all of the memory to write
 */
struct race {
	pthread_barrier_t gate;
	atomic_bool running;
	atomic_bool ending;
	unsigned int rest;
	unsigned char *area;
	size_t size;
	struct pair *pair;
	struct writer writers[THREADS];
};

static void write_at_random(struct writer *w)
{
	struct race *r = w->race;
	unsigned int written = 0;
	uint64_t n;

	while (atomic_load_explicit(&r->running, memory_order_relaxed)) {
		n = random_next(&w->seed);
		/* Mostly scattered words; now and then a run of whole pages. */
		if (n % 64)
			*(uint64_t *)(r->area + (n >> 16) % r->size / 8 * 8) = n;
		else
			memset(r->area + (n >> 16) % (r->size / PAGE - 8) * PAGE, n >> 8, 8 * PAGE);
		if (r->rest && ++written % BURST == 0)
			usleep(r->rest);
	}
}

static const char *compare_stripe(struct writer *w)
{
	size_t stripe = w->race->size / THREADS;

	return pair_compare_direct(w->race->pair, w->nr * stripe, stripe);
}

static void *writer(void *arg)
{
	struct writer *w = arg;
	struct race *r = w->race;

	for (;;) {
		pthread_barrier_wait(&r->gate);		/* go */
		if (atomic_load(&r->ending))
			return NULL;
		write_at_random(w);
		pthread_barrier_wait(&r->gate);		/* stopped */
		pthread_barrier_wait(&r->gate);		/* the replica is there */
		w->why = compare_stripe(w);
		pthread_barrier_wait(&r->gate);		/* compared */
	}
}

static void race_start(struct race *r, unsigned char *area, size_t size, struct pair *pair)
{
	unsigned int i;

	memset(r, 0, sizeof(*r));
	r->area = area;
	r->size = size;
	r->pair = pair;
	pthread_barrier_init(&r->gate, NULL, THREADS + 1);
	for (i = 0; i < THREADS; i++) {
		r->writers[i] = (struct writer) { .race = r, .nr = i, .seed = i };
		pthread_create(&r->writers[i].thread, NULL, writer, &r->writers[i]);
	}
}

/* Lets them write during @meanwhile, then takes a barrier and compares everything. */
static const char *race_round(struct race *r, const char *(*meanwhile)(struct race *r))
{
	const char *why, *before;
	unsigned int i;

	atomic_store(&r->running, true);
	pthread_barrier_wait(&r->gate);
	before = meanwhile(r);
	atomic_store(&r->running, false);
	pthread_barrier_wait(&r->gate);
	why = pair_sync(r->pair);
	pthread_barrier_wait(&r->gate);
	pthread_barrier_wait(&r->gate);
	for (i = 0; i < THREADS && !why; i++)
		why = r->writers[i].why;
	return before ? before : why;
}

static void race_end(struct race *r)
{
	unsigned int i;

	atomic_store(&r->ending, true);
	pthread_barrier_wait(&r->gate);
	for (i = 0; i < THREADS; i++)
		pthread_join(r->writers[i].thread, NULL);
	pthread_barrier_destroy(&r->gate);
}

FIXTURE(race) {
	struct memsync *ms;
	struct pair pair;
	struct race race;
	unsigned char *area;
	size_t size;
};

FIXTURE_VARIANT(race) {
	bool huge;
};

FIXTURE_VARIANT_ADD(race, small) {
	.huge = false,
};

FIXTURE_VARIANT_ADD(race, huge) {
	.huge = true,
};

FIXTURE_SETUP(race)
{
	self->size = sized(32 * MIB, 8 * MIB);
	self->area = variant->huge ? memory_new_huge(self->size) : memory_new(self->size);
	ASSERT_NE(NULL, self->area);
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, self->size));
	race_start(&self->race, self->area, self->size, &self->pair);
}

FIXTURE_TEARDOWN(race)
{
	race_end(&self->race);
	pair_stop(&self->pair);
	memsync_close(self->ms);
}

/* Passes run by themselves, and barriers are taken while all write. */
static const char *barriers(struct race *r)
{
	unsigned int i;
	const char *why = NULL;

	for (i = 0; i < 3 && !why; i++)
		why = pair_sync(r->pair);
	return why;
}

/* The first ones as fast as the writers can, the others at what a network can follow. */
static const char *race_rounds(struct race *r, const char *(*meanwhile)(struct race *),
			       unsigned int fast, unsigned int all)
{
	const char *why = NULL;
	unsigned int i;

	for (i = 0; i < all && !why; i++) {
		r->rest = i < fast ? 0 : 1600;
		why = race_round(r, meanwhile);
	}
	return why;
}

TEST_F(race, barriers)
{
	ASSERT_OK(race_rounds(&self->race, barriers, sized(3, 2), sized(11, 6)));
}

static const char *forks(struct race *r)
{
	pid_t pid = fork();
	const char *why;

	if (!pid)
		_exit(0);
	why = pair_sync(r->pair);
	waitpid(pid, NULL, 0);
	return why;
}

TEST_F(race, forks)
{
	ASSERT_OK(race_rounds(&self->race, forks, 1, sized(12, 5)));
}

static const char *drops(struct race *r)
{
	uint64_t seed = r->writers[0].seed;
	unsigned int i;

	for (i = 0; i < 20; i++) {
		size_t at = random_next(&seed) % (r->size / 2 / PAGE) * PAGE;

		madvise(r->area + at, random_next(&seed) % (r->size / 4 / PAGE) * PAGE,
			i % 4 ? MADV_DONTNEED : MADV_FREE);
		sched_yield();
	}
	return NULL;
}

TEST_F(race, dropped_memory)
{
	ASSERT_OK(race_rounds(&self->race, drops, 1, sized(12, 5)));
}

/* Where a build for tests can be made to wait: see kmod/delay.h. */
static const char * const points[] = {
	"entry", "exit", "start", "end", "taken", "protected", "found", NULL
};

static const char *rounds_delayed(struct race *r, const char *point)
{
	const char *why;

	if (delay_put(point, 1500))
		return point;
	why = race_rounds(r, forks, 0, 2);
	if (!why)
		why = race_rounds(r, drops, 0, 2);
	delay_put(point, 0);
	return why;
}

TEST_F(race, delayed)
{
	unsigned int i;

	if (!delays_built())
		SKIP(return, "only a build for tests can be made to wait");
	for (i = 0; points[i]; i++)
		ASSERT_OK(rounds_delayed(&self->race, points[i]));
}

static const char *merges(struct race *r)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		madvise(r->area, r->size, 25 /* MADV_COLLAPSE */);
		file_put("/proc/self/clear_refs", "4");
		sched_yield();
	}
	return pair_sync(r->pair);
}

/* Collapsed to huge pages, and write-protected by somebody else, while they write. */
TEST_F(race, collapses_and_soft_dirty)
{
	madvise(self->area, self->size, MADV_HUGEPAGE);
	ASSERT_OK(race_rounds(&self->race, merges, 1, sized(6, 4)));
}

/* Pages move about: compaction migrates what it can. */
static const char *compacts(struct race *r)
{
	file_put("/proc/sys/vm/compact_memory", "1");
	return pair_sync(r->pair);
}

TEST_F(race, compaction)
{
	long moved = pages_migrated();

	ASSERT_OK(race_rounds(&self->race, compacts, 1, sized(6, 4)));
	EXPECT_LT(moved, pages_migrated());
}

/* ---- a barrier while the writers go on ---- */

#define COUNTERS	4096	/* one a page */

struct counter {
	pthread_t thread;
	unsigned char *area;
	unsigned int first;
	atomic_bool *stop;
};

static atomic_ulong *counter_at(unsigned char *area, unsigned int nr)
{
	return (atomic_ulong *)(area + nr * PAGE + nr % 500 * 8);
}

static void *count_up(void *arg)
{
	struct counter *c = arg;
	uint64_t seed = c->first;
	unsigned int written = 0;

	while (!atomic_load(c->stop)) {
		unsigned int nr = random_next(&seed) % (COUNTERS / THREADS) * THREADS + c->first;

		atomic_fetch_add(counter_at(c->area, nr), 1);
		if (++written % BURST == 0)
			usleep(400);
	}
	return NULL;
}

/* What was written before the barrier is in the replica, though nobody stopped. */
TEST(race_without_a_stop)
{
	static unsigned long before[COUNTERS];
	unsigned char *area = memory_new(COUNTERS * PAGE);
	struct counter counters[THREADS];
	struct memsync *ms;
	struct pair pair;
	atomic_bool stop;
	unsigned int i, round;

	ASSERT_OK(pair_net(&ms));
	ASSERT_OK(pair_start(&pair, ms, getpid(), area, COUNTERS * PAGE));
	atomic_init(&stop, false);
	for (i = 0; i < THREADS; i++) {
		counters[i] = (struct counter) { .area = area, .first = i, .stop = &stop };
		pthread_create(&counters[i].thread, NULL, count_up, &counters[i]);
	}
	for (round = 0; round < sized(20, 10); round++) {
		for (i = 0; i < COUNTERS; i++)
			before[i] = atomic_load(counter_at(area, i));
		EXPECT_OK(pair_sync(&pair));
		for (i = 0; i < COUNTERS; i++) {
			unsigned long there = atomic_load(counter_at(pair.replica, i));

			if (there < before[i])
				TH_LOG("round %u, page %u: %lu before the barrier, %lu there",
				       round, i, before[i], there);
			EXPECT_LE(before[i], there);
			EXPECT_LE(there, atomic_load(counter_at(area, i)));
		}
		if (_metadata->exit_code)
			break;
	}
	atomic_store(&stop, true);
	for (i = 0; i < THREADS; i++)
		pthread_join(counters[i].thread, NULL);
	EXPECT_OK(pair_sync_compare(&pair));
	pair_stop(&pair);
	memsync_close(ms);
}

/* The long one: every byte of everything, after every barrier. */
static const char *a_while(struct race *r)
{
	return pair_sync(r->pair);
}

TEST(race_big)
{
	size_t size = sized(256 * MIB, 64 * MIB);
	unsigned int round, rounds = sized(200, 50);
	unsigned char *area = memory_new(size);
	static struct race race;
	struct memsync *ms;
	struct pair pair;

	ASSERT_NE(NULL, area);
	memory_fill(area, size / 4, 1);
	ASSERT_OK(pair_net(&ms));
	ASSERT_OK(pair_start(&pair, ms, getpid(), area, size));
	race_start(&race, area, size, &pair);
	race.rest = sized(8000, 40000);
	for (round = 0; round < rounds && !_metadata->exit_code; round++)
		EXPECT_OK(race_round(&race, a_while));
	race_end(&race);
	TH_LOG("%u barriers over %lu MiB, %lu pages shipped", round, (long)(size / MIB),
	       (long)pair_stats(&pair).shipped_pages);
	pair_stop(&pair);
	memsync_close(ms);
}

TEST_HARNESS_MAIN
