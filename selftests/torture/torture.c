// SPDX-License-Identifier: GPL-2.0
/*
 * Threads and another process change memory in every way there is, at random, while passes
 * run, other regions of the same memory come and go, and memory is short. At random points
 * they stop, a barrier is taken, and every byte of each region that has a replica is compared.
 *
 *	torture SEED SECONDS
 *
 * What each thread does follows from the seed; how they interleave does not.
 */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "disk.h"
#include "pagemap.h"
#include "torture.h"

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static __attribute__((noreturn)) void *work(void *arg)
{
	struct worker *w = arg;
	struct torture *t = w->t;

	t->neighbour->tids[w - t->workers] = gettid();

	for (;;) {
		pthread_barrier_wait(&t->gate);
		while (atomic_load_explicit(&t->running, memory_order_relaxed))
			act(w);
		settle(w);
		pthread_barrier_wait(&t->gate);
	}
}

#define DIFFERENT	8	/* pages that are told of, at most */

static uint64_t word_at(int fd, uint64_t index)
{
	uint64_t word;

	return pread(fd, &word, sizeof(word), index * sizeof(word)) == sizeof(word) ? word : 0;
}

/* What the kernel says of a page that differs. */
static void tell_page(const void *at, const unsigned char *page, const unsigned char *copy)
{
	int kpageflags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	uint64_t entry = pagemap_entry(at);
	unsigned int first = 0, last = PAGE - 1;

	/* Passes go on. */
	while (first < PAGE - 1 && page[first] == copy[first])
		first++;
	while (last && page[last] == copy[last])
		last--;
	printf("# %p: bytes %u to %u, %02x %02x and not %02x %02x, entry %jx, page flags %jx\n",
	       at, first, last, copy[first], copy[last], page[first], page[last],
	       (uintmax_t)entry, (uintmax_t)word_at(kpageflags, entry & PAGEMAP_FRAME));
	close(kpageflags);
}

/* All that differs, and whether it was found later. Nobody writes. */
static void examine(const struct torture *t, struct pair *pair, struct pair *second)
{
	int mem = pid_open_mem(getpid());
	unsigned char page[PAGE];
	unsigned int nr = 0;
	const char *later;
	size_t at;

	if (!pair->ms || !pair->source)	/* it had no replica yet */
		return;
	for (at = 0; at < t->size; at += PAGE) {
		/* Behind the end of an object there is nothing. */
		if (pread(mem, page, PAGE, (uintptr_t)t->area + at) != PAGE)
			memset(page, 0, PAGE);
		if (memcmp(page, pair->replica + at, PAGE) && nr++ < DIFFERENT)
			tell_page(t->area + at, page, pair->replica + at);
	}
	close(mem);
	printf("# %u pages differ\n", nr);
	if (second->ms) {
		later = pair_sync_compare(second);
		printf("# a second region from %jx to %jx: %s\n",
		       (uintmax_t)second->ranges[0].start, (uintmax_t)second->ranges[0].end,
		       later ? later : "equal");
	}
	later = pair_sync_compare(pair);
	printf("# after another barrier: %s\n", later ? later : "equal");
}

static void complain(const struct torture *t, const char *why, struct pair *pair,
		     struct pair *second)
{
	unsigned int i;

	printf("# %s\n", why);
	printf("# the other process: %lu actions\n", t->neighbour->done);
	for (i = 0; i < WORKERS; i++)
		printf("# thread %u: own memory at %p, %lu actions, the last one: %s\n", i,
		       (void *)t->workers[i].own, t->workers[i].done, t->workers[i].last);
	examine(t, pair, second);
}

/* ---- regions that come and go over the same memory ---- */

struct visitor {
	pthread_t thread;
	struct torture *t;
	uint64_t seed;
	atomic_bool stop;
	unsigned int visits;
};

static void visit(struct visitor *v, struct memsync *ms)
{
	size_t pages = v->t->common / PAGE, first = random_next(&v->seed) % pages;
	struct memsync_range range = {
		.start = (uintptr_t)v->t->area + first * PAGE,
		.end = (uintptr_t)v->t->area + v->t->common,
	};
	struct memsync_register_opts opts = {
		.size = sizeof(opts),
		.pid = getpid(),
		.name = "visitor",
		.role = MEMSYNC_ROLE_SOURCE,
		.ranges = &range,
		.nr_ranges = 1,
	};
	uint32_t id;

	/* KSM, userfaultfd and the like may speak against it at times. */
	if (memsync_register(ms, &opts, &id))
		return;
	usleep(random_next(&v->seed) % 200000);
	memsync_unregister(ms, id);
	v->visits++;
}

static void *visitor(void *arg)
{
	struct visitor *v = arg;
	struct memsync *ms;

	if (memsync_open(&ms))
		return NULL;
	while (!atomic_load(&v->stop)) {
		visit(v, ms);
		usleep(random_next(&v->seed) % 300000);
	}
	memsync_close(ms);
	return NULL;
}

/* One more with a replica of its own, over a part of what everybody writes to; or no more. */
static const char *change_second(struct torture *t, struct pair *second, struct memsync *ms,
				 uint64_t *seed)
{
	struct memsync_range range;

	if (second->ms) {
		pair_stop(second);
		second->ms = NULL;
		return NULL;
	}
	range.start = (uintptr_t)t->area + random_next(seed) % (t->common / 2 / PAGE) * PAGE;
	range.end = range.start + t->common / 4;
	return pair_start_ranges(second, ms, "second", getpid(), &range, 1);
}

/* ---- rounds ---- */

static unsigned char *take(unsigned char **at, size_t size)
{
	*at += size;
	return *at - size;
}

/* Where what is, see struct torture. */
static int lay_out(struct torture *t)
{
	size_t own = sized(4 * MIB, 2 * MIB);
	unsigned char *at;
	unsigned int i;

	t->common = sized(24 * MIB, 12 * MIB);
	t->huge_size = sized(2 * HUGE, HUGE);
	t->shared_size = sized(6 * MIB, 3 * MIB);
	t->size = t->common + 2 * t->huge_size + WORKERS * own + t->shared_size + 2 * DISK_SIZE +
		  ARRAY_SIZE(t->cut) * CUT_SIZE;
	t->area = memory_new(t->size);
	if (!t->area)
		return -1;
	at = t->area + t->common;
	t->huge = take(&at, t->huge_size);
	t->huge_shared = take(&at, t->huge_size);
	for (i = 0; i < WORKERS; i++) {
		t->workers[i].own_size = own;
		t->workers[i].own = take(&at, own);
	}
	t->shared = take(&at, t->shared_size);
	t->mapped = take(&at, DISK_SIZE);
	t->copied = take(&at, DISK_SIZE);
	for (i = 0; i < ARRAY_SIZE(t->cut); i++)
		t->cut[i].start = take(&at, CUT_SIZE);
	return 0;
}

/* An object that is mapped twice. */
static int share(struct torture *t)
{
	int flags = PROT_READ | PROT_WRITE;

	t->object = memfd_create("object", 0);
	if (t->object < 0 || ftruncate(t->object, t->shared_size))
		return -1;
	t->alias = mmap(NULL, t->shared_size - PAGE, flags, MAP_SHARED, t->object, PAGE);
	return t->alias == MAP_FAILED ||
	       mmap(t->shared, t->shared_size, flags, MAP_SHARED | MAP_FIXED, t->object, 0) !=
	       t->shared;
}

/* A file on a disk: shared, and as a private copy. */
static int map_disk(struct torture *t)
{
	int flags = PROT_READ | PROT_WRITE, fd = disk_file();

	close(fd);
	t->disk = open(DISK_PATH, O_RDWR | O_CLOEXEC);
	t->direct = open(DISK_PATH, O_RDWR | O_DIRECT | O_CLOEXEC);
	return fd < 0 || t->disk < 0 || t->direct < 0 ||
	       mmap(t->mapped, DISK_SIZE, flags, MAP_SHARED | MAP_FIXED, t->disk, 0) !=
	       t->mapped ||
	       mmap(t->copied, DISK_SIZE, flags, MAP_PRIVATE | MAP_FIXED, t->disk, 0) !=
	       t->copied;
}

static void nothing(int signal)
{
}

static void signal_on_its_stack(void)
{
	struct sigaction action = { .sa_handler = nothing, .sa_flags = SA_ONSTACK };

	sigaction(SIGUSR1, &action, NULL);
}

static void set_up(struct torture *t, uint64_t seed)
{
	unsigned int i;

	if (lay_out(t) || huge_open(t) || share(t) || map_disk(t) || cut_open(t)) {
		perror("torture: cannot map what it needs");
		exit(2);
	}
	memory_fill(t->area, t->shared - t->area, seed);
	t->file = memfd_create("content", 0);
	if (t->file < 0 || write(t->file, t->area, 2 * MIB) != 2 * MIB)
		exit(2);
	/* What malloc() maps could come to lie in a hole of the region */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_MAX, 0);
	pthread_mutex_init(&t->holes, NULL);
	pthread_barrier_init(&t->gate, NULL, WORKERS + 1);
	signal_on_its_stack();
	if (neighbour_start(t, ~seed * WORKERS))
		exit(2);
	for (i = 0; i < WORKERS; i++) {
		struct worker *w = &t->workers[i];

		w->t = t;
		w->seed = seed * WORKERS + i;
		w->scratch = memory_new_sparse(w->own_size);
		w->last = "none";
		if (!w->scratch || ring_open(&w->ring) || armed_open(w) ||
		    pthread_create(&w->thread, NULL, work, w))
			exit(2);
	}
}

static const char *one_round(struct torture *t, struct pair *pair, struct pair *second,
			     uint64_t *seed, bool broken)
{
	unsigned int barriers = random_next(seed) % 3;
	const char *why = NULL, *parked;

	atomic_store(&t->running, true);
	pthread_barrier_wait(&t->gate);
	neighbour_run(t);
	while (barriers-- && !why)
		why = pair_sync(pair);
	if (broken && !why)
		why = break_a_page(t, pair->ms, seed);
	usleep(random_next(seed) % 400000);
	parked = neighbour_park(t);
	atomic_store(&t->running, false);
	pthread_barrier_wait(&t->gate);
	if (!why)
		why = parked;
	if (!why)
		why = pair_sync_compare(pair);
	return why || !second->ms ? why : pair_sync_compare(second);
}

static const char *again(struct torture *t, struct pair *pair, struct memsync *ms)
{
	pair_stop(pair);
	return pair_start_compared(pair, ms, getpid(), t->area, t->size);
}

static const char *torment(struct torture *t, uint64_t seed, time_t seconds)
{
	time_t begin = now(), said = begin;
	unsigned long rounds = 0, regions = 1;
	struct pair second = { };
	struct pair pair = { };
	struct memsync *ms;
	const char *why;

	why = pair_net(&ms);
	if (!why)
		why = pair_start_compared(&pair, ms, getpid(), t->area, t->size);
	while (!why && now() < begin + seconds) {
		why = one_round(t, &pair, &second, &seed, rounds % 16 == 1);
		rounds++;
		if (!why && random_next(&seed) % 16 == 0) {
			why = again(t, &pair, ms);
			regions++;
		}
		if (!why && random_next(&seed) % 8 == 0)
			why = change_second(t, &second, ms, &seed);
		if (now() < said + 10)
			continue;
		said = now();
		printf("# %ld s: %lu comparisons, %lu regions, %ju pages shipped by this one\n",
		       said - begin, rounds, regions,
		       (uintmax_t)pair_stats(&pair).shipped_pages);
	}
	printf("# %lu comparisons of %zu MiB\n", rounds, t->size / MIB);
	printf("# %lu pages were broken, and %lu times a region ended by that\n", t->broken,
	       t->ended);
	if (why)
		complain(t, why, &pair, &second);
	return why;
}

int main(int argc, char **argv)
{
	static struct torture t;
	static struct visitor v = { .t = &t };
	const char *why;
	uint64_t seed;

	if (argc != 3) {
		fputs("usage: torture SEED SECONDS\n", stderr);
		return 2;
	}
	seed = strtoull(argv[1], NULL, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("# seed %ju\n", (uintmax_t)seed);
	set_up(&t, seed);
	v.seed = ~seed;
	pthread_create(&v.thread, NULL, visitor, &v);
	why = torment(&t, seed, atol(argv[2]));
	atomic_store(&v.stop, true);
	pthread_join(v.thread, NULL);
	printf("# %u visits of another region\n", v.visits);
	printf("%s 1 torture # seed %ju\n", why ? "not ok" : "ok", (uintmax_t)seed);
	/* The threads wait at the gate, and go with us. */
	return !!why;
}
