// SPDX-License-Identifier: GPL-2.0
/*
 * A host with several nodes: scans for NUMA balancing take the access to pages away, the
 * faults that follow give it back, and pages go to and fro between the nodes.
 */
#include <errno.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "test.h"

#define SIZE		(8 * MIB)
#define NODES		2
#define THREADS		2
#define BURST		32
#define BALANCING	"/proc/sys/kernel/numa_balancing"
#define SCAN		"/sys/kernel/debug/sched/numa_balancing/"

/*
 * The scan of a thread comes after so many milliseconds of its time; after no less than a
 * hundred where scans are as large as they usually are.
 */
enum haste { USUAL, SOME, MUCH };

static const struct {
	const char *name, *values[3];
} settings[] = {
	{ SCAN "scan_delay_ms",		{ "1000",	"1000",	"1" } },
	{ SCAN "scan_period_min_ms",	{ "1000",	"1000",	"10" } },
	{ SCAN "scan_period_max_ms",	{ "60000",	"1000",	"20" } },
	{ SCAN "scan_size_mb",		{ "256",	"256",	"16" } },
};

FIXTURE(numa) {
	struct memsync *ms;
	struct pair pair;
	unsigned char *area;
};

FIXTURE_VARIANT(numa) {
	bool huge;
	bool shared;
};

FIXTURE_VARIANT_ADD(numa, small) {
	.huge = false,
};

FIXTURE_VARIANT_ADD(numa, huge) {
	.huge = true,
};

FIXTURE_VARIANT_ADD(numa, shared) {
	.shared = true,
};

static void balance(enum haste haste)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(settings); i++)
		file_put(settings[i].name, settings[i].values[haste]);
	file_put(BALANCING, haste == USUAL ? "0" : "1");
}

/* Shared memory is not balanced but by a policy that says so. */
static int balance_area(unsigned char *area, enum haste haste)
{
	unsigned long all_nodes = (1UL << NODES) - 1;

	balance(haste);
	return syscall(SYS_mbind, area, SIZE, MPOL_BIND | MPOL_F_NUMA_BALANCING, &all_nodes,
		       8 * sizeof(all_nodes), 0);
}

FIXTURE_SETUP(numa)
{
	if (access("/sys/devices/system/node/node1", F_OK) || access(BALANCING, W_OK))
		SKIP(return, "a guest of one node, or a kernel without NUMA balancing");
	balance(USUAL);		/* a guest begins with scans */
	self->area = variant->huge ? memory_new_huge(SIZE) : memory_new(SIZE);
	if (variant->shared)
		ASSERT_EQ(self->area, mmap(self->area, SIZE, PROT_READ | PROT_WRITE,
					   MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	memory_fill_all(self->area, SIZE, 1);
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, SIZE));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

FIXTURE_TEARDOWN(numa)
{
	balance(USUAL);
	pair_stop(&self->pair);
	memsync_close(self->ms);
}

/* Of a word in /proc/vmstat. */
static unsigned long count(const char *name)
{
	unsigned long value, found = 0;
	char word[64];
	FILE *f = fopen("/proc/vmstat", "r");

	while (f && fscanf(f, "%63s %lu", word, &value) == 2)
		if (!strcmp(word, name))
			found = value;
	if (f)
		fclose(f);
	return found;
}

/* ---- threads, each on a CPU of a node of its own ---- */

enum work { REST, WRITE, READ, READ_ONE, ELSEWHERE };

static struct {
	atomic_int work;
	atomic_uint resting;
	atomic_bool ending;
	unsigned char *area;
	pthread_t threads[THREADS];
} all;

static void write_some(uint64_t *seed)
{
	unsigned int i;

	for (i = 0; i < BURST; i++)
		all.area[random_next(seed) % SIZE]++;
	usleep(200);
}

static void read_some(uint64_t *seed)
{
	unsigned int i;

	for (i = 0; i < BURST; i++)
		(void)*(volatile unsigned char *)(all.area + random_next(seed) % SIZE);
	usleep(200);
}

/* Time goes by that calls for scans. */
static void look_elsewhere(uint64_t *seed)
{
	unsigned int i;

	for (i = 0; i < 10000; i++)
		random_next(seed);
	usleep(50);
}

static void *worker(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	while (!atomic_load(&all.ending)) {
		switch (atomic_load(&all.work)) {
		case WRITE:
			write_some(&seed);
			break;
		case READ:
			read_some(&seed);
			break;
		case READ_ONE:
			(void)*(volatile unsigned char *)all.area;
			look_elsewhere(&seed);
			break;
		case ELSEWHERE:
			look_elsewhere(&seed);
			break;
		default:
			atomic_fetch_add(&all.resting, 1);
			while (atomic_load(&all.work) == REST && !atomic_load(&all.ending))
				usleep(500);
			atomic_fetch_sub(&all.resting, 1);
		}
	}
	return NULL;
}

static void work(enum work what)
{
	atomic_store(&all.work, what);
	while (what == REST && atomic_load(&all.resting) < THREADS)
		usleep(500);
}

/* They change places, and their pages follow. */
static void place(unsigned int round)
{
	unsigned int i;

	for (i = 0; i < THREADS; i++) {
		cpu_set_t cpus;

		CPU_ZERO(&cpus);
		CPU_SET((i + round) % sysconf(_SC_NPROCESSORS_ONLN), &cpus);
		pthread_setaffinity_np(all.threads[i], sizeof(cpus), &cpus);
	}
}

static void threads_start(unsigned char *area)
{
	uintptr_t i;

	all.area = area;
	atomic_store(&all.ending, false);
	atomic_store(&all.work, REST);
	for (i = 0; i < THREADS; i++)
		pthread_create(&all.threads[i], NULL, worker, (void *)(i + 1));
	place(0);
}

static void threads_end(void)
{
	unsigned int i;

	atomic_store(&all.ending, true);
	for (i = 0; i < THREADS; i++)
		pthread_join(all.threads[i], NULL);
}

/* ---- pages that are moved ---- */

/* Returns how many of the area's pages are there, with @to; or only looks. */
static long pages_on(unsigned char *area, int node, bool move)
{
	static void *pages[SIZE / PAGE];
	static int to[SIZE / PAGE], status[SIZE / PAGE];
	long i, there = 0;

	for (i = 0; i < (long)ARRAY_SIZE(pages); i++) {
		pages[i] = area + i * PAGE;
		to[i] = node;
	}
	if (move)
		syscall(SYS_move_pages, 0, ARRAY_SIZE(pages), pages, to, status, 1 << 1);
	if (syscall(SYS_move_pages, 0, ARRAY_SIZE(pages), pages, NULL, status, 0))
		return -1;
	for (i = 0; i < (long)ARRAY_SIZE(pages); i++)
		there += status[i] == node;
	return there;
}

static void bind_to(unsigned char *area, int node)
{
	unsigned long mask = 1UL << node;

	syscall(SYS_mbind, area, SIZE, MPOL_BIND, &mask, 8 * sizeof(mask), MPOL_MF_MOVE);
}

static void migrate_to(int node)
{
	unsigned long from = 1UL << (1 - node), to = 1UL << node;

	syscall(SYS_migrate_pages, 0, 8 * sizeof(from), &from, &to);
}

/* One way out of three. */
static void send_once(unsigned char *area, int node, unsigned int how)
{
	switch (how % 3) {
	case 0:
		pages_on(area, node, true);
		break;
	case 1:
		bind_to(area, node);
		syscall(SYS_mbind, area, SIZE, MPOL_DEFAULT, NULL, 0, 0);
		break;
	case 2:
		migrate_to(node);
		break;
	}
}

/* What a pass holds stays where it is. Returns how many pages went there. */
static long send_to(unsigned char *area, int node, unsigned int how)
{
	unsigned int tries;
	long there = 0;

	for (tries = 0; tries < 50 && there <= (long)(SIZE / PAGE / 2); tries++) {
		send_once(area, node, how);
		there = pages_on(area, node, false);
	}
	return there;
}

/* ---- the tests ---- */

TEST_F(numa, moved_to_and_fro)
{
	unsigned int round;
	uint64_t seed = 9;

	for (round = 0; round < 6; round++) {
		unsigned int node = round % NODES, i;

		/* Written, then moved before anybody looks; then the other way round. */
		for (i = 0; i < 50; i++)
			self->area[random_next(&seed) % SIZE]++;
		EXPECT_LT((long)(SIZE / PAGE / 2), send_to(self->area, node, round));
		ASSERT_OK(pair_sync_compare(&self->pair));
		for (i = 0; i < 50; i++)
			self->area[random_next(&seed) % SIZE]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

/* Each try has a pass of its own. */
static bool send_and_look(struct pair *pair, unsigned char *area, int node)
{
	unsigned int tries;

	for (tries = 0; tries < 50; tries++) {
		send_once(area, node, 0);
		if (pair_sync(pair))
			return false;
		if (pages_on(area, node, false) > (long)(SIZE / PAGE / 2))
			return true;
	}
	return false;
}

/*
 * What is moved, and was not written, is not shipped; but a page at which a pass looks
 * just before its move is over counts as written. Those are not a sixteenth.
 */
TEST_F(numa, moved_and_not_written)
{
	struct memsync_stats before, after;
	unsigned int i, sends = 16;

	if (variant->shared)
		SKIP(return, "a shared page comes back writable");
	ASSERT_OK(pair_sync(&self->pair));
	before = pair_stats(&self->pair);
	for (i = 0; i < sends; i++)
		EXPECT_TRUE(send_and_look(&self->pair, self->area, 1 - i % NODES));
	ASSERT_OK(pair_sync_compare(&self->pair));
	after = pair_stats(&self->pair);
	TH_LOG("%lu pages shipped", after.shipped_pages - before.shipped_pages);
	EXPECT_GT(sends * (SIZE / PAGE) / 16, after.shipped_pages - before.shipped_pages);
}

TEST_F(numa, moved_while_written)
{
	unsigned int round;

	threads_start(self->area);
	for (round = 0; round < 6; round++) {
		work(WRITE);
		send_once(self->area, round % NODES, round);
		ASSERT_OK(pair_sync(&self->pair));
		send_once(self->area, 1 - round % NODES, round);
		work(REST);
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	threads_end();
}

/* Until the scans and faults have come to so many. */
static bool until(const char *name, unsigned long nr)
{
	unsigned int spins;

	for (spins = 0; spins < sized(6000, 36000); spins++) {
		if (count(name) >= nr)
			return true;
		usleep(10000);
	}
	return false;
}

/* Each round has faults of pages that a scan had closed. */
TEST_F(numa, balanced)
{
	unsigned long faults = count("numa_hint_faults"), moved = count("numa_pages_migrated");
	unsigned int round;

	ASSERT_EQ(0, balance_area(self->area, MUCH));
	threads_start(self->area);
	for (round = 0; round < (variant->shared ? 3 : sized(6, 3)); round++) {
		place(round / 2);
		work(WRITE);
		EXPECT_TRUE(until("numa_hint_faults",
				  count("numa_hint_faults") + (variant->huge ? 1 : 100)));
		ASSERT_OK(pair_sync(&self->pair));
		work(REST);
		ASSERT_OK(pair_sync_compare(&self->pair));
		/* Only read, then written by what is open already. */
		work(READ);
		usleep(20000);
		ASSERT_OK(pair_sync(&self->pair));
		work(WRITE);
		usleep(5000);
		work(REST);
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	threads_end();
	TH_LOG("%lu faults after scans, %lu pages went to another node",
	       count("numa_hint_faults") - faults, count("numa_pages_migrated") - moved);
}

/*
 * Scans close pages that nobody touches: they are not shipped for that. One that is read
 * then becomes writable; when the next scan closes it before a pass has looked, its block
 * counts as written.
 */
TEST_F(numa, scanned_and_not_written)
{
	/* A page that a scan has closed, and that nobody touches, is not closed again. */
	unsigned long scanned = count("numa_pte_updates");
	struct memsync_stats before, after;
	unsigned int round;

	ASSERT_OK(pair_sync(&self->pair));
	before = pair_stats(&self->pair);
	ASSERT_EQ(0, balance_area(self->area, SOME));
	threads_start(self->area);
	work(ELSEWHERE);
	EXPECT_TRUE(until("numa_pte_updates", scanned + SIZE / PAGE / 2 + 1));
	for (round = 0; round < 4; round++) {
		usleep(200000);
		ASSERT_OK(pair_sync(&self->pair));
	}
	after = pair_stats(&self->pair);
	scanned = count("numa_pte_updates") - scanned;
	TH_LOG("%lu entries closed, %lu pages shipped", scanned,
	       after.shipped_pages - before.shipped_pages);
	EXPECT_LT(SIZE / PAGE / 2, scanned);
	EXPECT_GT(SIZE / PAGE / 8, after.shipped_pages - before.shipped_pages);

	work(READ_ONE);
	for (round = 0; round < 2; round++) {
		EXPECT_TRUE(until("numa_hint_faults", count("numa_hint_faults") + 1));
		ASSERT_OK(pair_sync(&self->pair));
	}
	work(REST);
	threads_end();
	TH_LOG("%lu pages shipped, of which one was read",
	       pair_stats(&self->pair).shipped_pages - after.shipped_pages);
	balance(USUAL);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

TEST_HARNESS_MAIN
