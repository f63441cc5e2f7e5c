// SPDX-License-Identifier: GPL-2.0
/*
 * Private memory from the kernel's pool of huge pages: found whole when it is written,
 * never split, and never a page of the pool the fewer for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "huge.h"
#include "test.h"

#define SIZE	(8 * MIB)
#define PAGES	(SIZE / HUGE)
#define POOL	(4 * PAGES)

FIXTURE(hugetlb) {
	struct memsync *ms;
	struct pair pair;
	unsigned char *area;
};

FIXTURE_SETUP(hugetlb)
{
	if (!huge_pool(POOL))
		SKIP(return, "the kernel gives %ld huge pages", huge_pages("Total"));
	self->area = huge_map(NULL, SIZE, 0);
	ASSERT_NE(NULL, self->area);
	memory_fill_all(self->area, SIZE, 1);
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, SIZE));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

FIXTURE_TEARDOWN(hugetlb)
{
	pair_stop(&self->pair);
	memsync_close(self->ms);
	munmap(self->area, SIZE);
	huge_pool(0);
}

/* ---- writes of the process ---- */

/* All of a huge page is found, and what of it has changed is shipped. */
TEST_F(hugetlb, one_write_ships_one_page)
{
	struct memsync_stats before = pair_stats(&self->pair), after;
	unsigned int round;

	for (round = 0; round < 3; round++) {
		/* A pass while a write is under way keeps what it takes, and ships it twice. */
		ASSERT_EQ(0, memsync_pause(self->ms, self->pair.source));
		self->area[HUGE + round * 1234567]++;
		ASSERT_EQ(0, memsync_resume(self->ms, self->pair.source));
		ASSERT_OK(pair_sync_compare(&self->pair));
		after = pair_stats(&self->pair);
		EXPECT_EQ(1, after.shipped_pages - before.shipped_pages);
		EXPECT_EQ(HUGE / PAGE, after.harvested_pages - before.harvested_pages);
		before = after;
	}
	ASSERT_OK(pair_sync_compare(&self->pair));
	EXPECT_EQ(before.shipped_pages, pair_stats(&self->pair).shipped_pages);
}

/* A write to one page makes all of them writable. */
TEST_F(hugetlb, neighbours)
{
	unsigned int i;

	for (i = 0; i < 20; i++) {
		self->area[2 * HUGE + 3 * PAGE]++;
		self->area[2 * HUGE + (i * 37 + 11) % 512 * PAGE + i]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
		self->area[2 * HUGE + (i * 91 + 5) % 512 * PAGE + i]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

TEST_F(hugetlb, all_of_it)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		memory_fill_all(self->area, SIZE, 10 + i);
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	memset(self->area + HUGE, 0, HUGE);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

TEST_F(hugetlb, parts_of_huge_pages)
{
	pair_stop(&self->pair);
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area + MIB,
			     SIZE - 2 * MIB));
	ASSERT_OK(pair_sync_compare(&self->pair));
	self->area[MIB - 1]++;
	self->area[MIB]++;
	self->area[SIZE - MIB - 1]++;
	self->area[SIZE - MIB]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
	memory_fill_all(self->area, SIZE, 4);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* What one of them takes from the page table, the other is told of. */
TEST_F(hugetlb, two_regions)
{
	struct memsync_range range = {
		.start = (uintptr_t)self->area + MIB,
		.end = (uintptr_t)self->area + SIZE,
	};
	struct pair other;
	unsigned int i;

	ASSERT_OK(pair_start_ranges(&other, self->ms, "u", getpid(), &range, 1));
	ASSERT_OK(pair_sync_compare(&other));
	for (i = 0; i < 10; i++) {
		self->area[i % PAGES * HUGE + MIB + i * PAGE]++;
		self->area[i % PAGES * HUGE + MIB + 20 * PAGE + i]++;
		ASSERT_OK(pair_sync_compare(i % 2 ? &other : &self->pair));
		ASSERT_OK(pair_sync_compare(i % 2 ? &self->pair : &other));
	}
	pair_stop(&other);
	self->area[MIB + 5]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
}

static int write_own(pid_t pid, unsigned char *area, unsigned char what)
{
	if (what < 100)
		memory_fill_all(area + what % PAGES * HUGE, HUGE, 300 + what);
	else if (what == 100)
		munmap(area, SIZE);
	return 0;
}

/* ---- a pool without a page to spare ---- */

/* Our pages only are left in it. */
static bool exhaust_pool(void)
{
	return huge_pool(PAGES) && !huge_pages("Free");
}

/* Protecting takes no page: a SIGBUS here would end the test. */
TEST_F(hugetlb, protected_in_a_full_pool)
{
	unsigned int i;

	ASSERT_TRUE(exhaust_pool());
	for (i = 0; i < 30; i++) {
		memory_fill_all(self->area + i % PAGES * HUGE, HUGE, 40 + i);
		self->area[(i + 1) % PAGES * HUGE]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

/* The owner's write takes the page from the child, which cannot have another. */
TEST_F(hugetlb, fork_in_a_full_pool)
{
	struct child c;

	ASSERT_TRUE(exhaust_pool());
	ASSERT_TRUE(child_start(&c, write_own, self->area));
	self->area[HUGE + 5]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
	memory_fill_all(self->area + 2 * HUGE, HUGE, 7);
	ASSERT_OK(pair_sync_compare(&self->pair));
	EXPECT_EQ(-1, child_tell(&c, 2));
	EXPECT_EQ(SIGBUS, WTERMSIG(child_end(&c)));
	memory_fill_all(self->area, SIZE, 8);
	ASSERT_OK(pair_sync_compare(&self->pair));

	/* The child first: it is the one that suffers again. */
	ASSERT_TRUE(child_start(&c, write_own, self->area));
	EXPECT_EQ(-1, child_tell(&c, 1));
	EXPECT_EQ(SIGBUS, WTERMSIG(child_end(&c)));
	memory_fill_all(self->area, SIZE, 9);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

struct syncer {
	pthread_t thread;
	struct pair *pair;
	atomic_bool stop;
	const char *why;
};

static void *sync_on(void *arg)
{
	struct syncer *s = arg;

	while (!atomic_load(&s->stop) && !s->why)
		s->why = pair_sync(s->pair);
	return NULL;
}

static void start_syncing(struct syncer *s, struct pair *pair)
{
	*s = (struct syncer) { .pair = pair };
	pthread_create(&s->thread, NULL, sync_on, s);
}

static const char *stop_syncing(struct syncer *s)
{
	atomic_store(&s->stop, true);
	pthread_join(s->thread, NULL);
	return s->why;
}

/* What is given back is in the pool at once, or the next write gets SIGBUS. */
TEST_F(hugetlb, dropped_in_a_full_pool)
{
	unsigned int i, rounds = sized(400, 60);
	struct syncer s;

	ASSERT_TRUE(exhaust_pool());
	start_syncing(&s, &self->pair);
	for (i = 0; i < rounds; i++) {
		unsigned char *at = self->area + i % PAGES * HUGE;

		memset(at + i % 500 * PAGE, i, 12 * PAGE);
		usleep(i * 37 % 3000);
		ASSERT_EQ(0, madvise(at, HUGE, MADV_DONTNEED));
		at[i % 512 * PAGE] = i;
	}
	ASSERT_OK(stop_syncing(&s));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

TEST_F(hugetlb, mapped_anew_in_a_full_pool)
{
	unsigned int i, rounds = sized(400, 60);
	struct syncer s;

	ASSERT_TRUE(exhaust_pool());
	start_syncing(&s, &self->pair);
	for (i = 0; i < rounds; i++) {
		unsigned char *at = self->area + i % PAGES * HUGE;

		memset(at + i % 500 * PAGE, i, 12 * PAGE);
		usleep(i * 37 % 3000);
		ASSERT_EQ(0, munmap(at, HUGE));
		ASSERT_EQ(at, huge_map(at, HUGE, MAP_FIXED));
		at[i % 512 * PAGE] = i;
	}
	ASSERT_OK(stop_syncing(&s));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* ---- what the process does with its memory ---- */

TEST_F(hugetlb, protected_by_the_process)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		self->area[HUGE + 9 * PAGE + i]++;
		self->area[HUGE + 19 * PAGE + i]++;
		ASSERT_EQ(0, mprotect(self->area + HUGE, HUGE, PROT_READ));
		ASSERT_OK(pair_sync_compare(&self->pair));
		ASSERT_EQ(0, mprotect(self->area + HUGE, HUGE, PROT_READ | PROT_WRITE));
		self->area[HUGE + 29 * PAGE + i]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
		self->area[2 * HUGE + i]++;
		ASSERT_EQ(0, mprotect(self->area + 2 * HUGE, HUGE, PROT_NONE));
		ASSERT_OK(pair_sync(&self->pair));
		ASSERT_EQ(0, mprotect(self->area + 2 * HUGE, HUGE, PROT_READ | PROT_WRITE));
		ASSERT_OK(pair_compare(&self->pair));
		self->area[2 * HUGE + 100 + i]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

TEST_F(hugetlb, dropped)
{
	volatile unsigned char *byte = self->area + 3 * HUGE + 8;
	unsigned int i, sum;

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, madvise(self->area + 2 * HUGE, 2 * HUGE, MADV_DONTNEED));
		if (i & 1) {	/* read, so that there is a page, of zeros */
			sum = *byte;
			ASSERT_EQ(0, sum);
		}
		ASSERT_OK(pair_sync_compare(&self->pair));
		*byte = 1 + i;
		ASSERT_OK(pair_sync_compare(&self->pair));
		memory_fill_all(self->area + 2 * HUGE, 2 * HUGE, 50 + i);
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

TEST_F(hugetlb, unmapped_and_mapped)
{
	unsigned char *at = self->area + HUGE;

	ASSERT_EQ(0, munmap(at, HUGE));
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(at, huge_map(at, HUGE, MAP_FIXED));
	ASSERT_OK(pair_sync_compare(&self->pair));
	memory_fill_all(at, HUGE, 60);
	ASSERT_OK(pair_sync_compare(&self->pair));
	/* Small pages in its place, and huge ones again. */
	ASSERT_EQ(at, mmap(at, HUGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	at[5 * PAGE] = 5;
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(at, huge_map(at, HUGE, MAP_FIXED));
	at[6 * PAGE] = 6;
	ASSERT_OK(pair_sync_compare(&self->pair));
}

TEST_F(hugetlb, moved)
{
	unsigned char *other = huge_map(NULL, 2 * HUGE, 0), *at = self->area + HUGE;

	ASSERT_NE(NULL, other);
	memory_fill_all(other, 2 * HUGE, 61);
	/* In, */
	if (mremap(other, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, at) == MAP_FAILED)
		SKIP(return, "this kernel does not move hugetlb memory");
	ASSERT_OK(pair_sync_compare(&self->pair));
	at[7]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
	/* within, */
	at[8 * PAGE]++;
	ASSERT_EQ(at + HUGE, mremap(at, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, at + HUGE));
	ASSERT_OK(pair_sync_compare(&self->pair));
	at[HUGE + 9 * PAGE]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
	/* and out. */
	ASSERT_EQ(other, mremap(at + HUGE, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, other));
	ASSERT_OK(pair_sync_compare(&self->pair));
	other[5]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* The content goes to another page, by way of an entry that is none. */
TEST_F(hugetlb, migrated)
{
	struct syncer s;
	unsigned int i;
	int err;

	for (i = 0; i < 6; i++) {
		unsigned char *at = self->area + i % PAGES * HUGE;

		at[10 * PAGE]++;
		at[20 * PAGE + i]++;
		if (i > 2)
			start_syncing(&s, &self->pair);
		err = madvise(at + 3 * PAGE, PAGE, MADV_SOFT_OFFLINE);
		if (err && errno == EINVAL)
			SKIP(return, "this kernel cannot offline pages");
		EXPECT_EQ(0, err);
		at[30 * PAGE + i]++;
		if (i > 2)
			ASSERT_OK(stop_syncing(&s));
		ASSERT_OK(pair_sync_compare(&self->pair));
		at[40 * PAGE + i]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

/* Nothing is taken from the pool to find that there is nothing. */
TEST_F(hugetlb, untouched)
{
	unsigned char *area;
	long there;

	pair_stop(&self->pair);
	area = huge_map(NULL, SIZE, 0);
	ASSERT_NE(NULL, area);
	there = huge_pages("Free");
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), area, SIZE));
	ASSERT_OK(pair_sync(&self->pair));
	EXPECT_EQ(there, huge_pages("Free"));
	area[HUGE + 1] = 1;
	ASSERT_OK(pair_sync(&self->pair));
	EXPECT_EQ(there - 1, huge_pages("Free"));
	ASSERT_OK(pair_compare(&self->pair));
	memory_fill_all(area, SIZE, 62);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* ---- the end ---- */

static long faults(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_minflt;
}

TEST_F(hugetlb, unregistered)
{
	unsigned char *copy = memory_new(SIZE);
	long before, after;
	size_t at;

	memcpy(copy, self->area, SIZE);
	ASSERT_OK(pair_sync_compare(&self->pair));
	pair_stop(&self->pair);
	before = faults();
	for (at = 0; at < SIZE; at += PAGE)
		self->area[at]++;
	after = faults();
	EXPECT_GT(PAGES, after - before);
	for (at = 0; at < SIZE; at += PAGE)
		copy[at]++;
	EXPECT_EQ(0, memcmp(copy, self->area, SIZE));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, SIZE));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* ---- as a sink ---- */

static int put_into(struct memsync *ms, pid_t pid, uint64_t start, uint64_t *source, void *from)
{
	struct memsync_addr peer = pair_loopback();
	struct memsync_range range = { start, start + SIZE, 0 };
	struct memsync_register_opts opts = {
		.size = sizeof(opts),
		.name = "h",
		.role = MEMSYNC_ROLE_SINK,
		.pid = pid,
		.ranges = &range,
		.nr_ranges = 1,
	};
	uint32_t id;
	int err;

	err = memsync_register(ms, &opts, &id);
	if (err)
		return err;
	range = (struct memsync_range) { (uintptr_t)from, (uintptr_t)from + SIZE, 0 };
	opts.role = MEMSYNC_ROLE_SOURCE;
	opts.pid = getpid();
	opts.peers = &peer;
	opts.nr_peers = 1;
	err = memsync_register(ms, &opts, &id);
	*source = id;
	return err;
}

#define THERE	((void *)0x700000000000)

/* Private, or shared memory that was a file. */
static int map_there(pid_t parent, unsigned char *area, unsigned char shared)
{
	int fd;

	if (!shared)
		return !huge_map(THERE, SIZE, MAP_FIXED);
	fd = memfd_create("sink", MFD_HUGETLB);
	return fd < 0 || ftruncate(fd, SIZE) ||
	       mmap(THERE, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) ==
	       MAP_FAILED;
}

/* It need not be hugetlb memory at the other end. */
static void sink(struct __test_metadata *_metadata, struct memsync *ms, bool shared)
{
	struct iovec local, remote = { THERE, SIZE };
	unsigned char *from = memory_new(SIZE), *copy = memory_new(SIZE);
	struct pair pair = { .ms = ms };
	uint64_t source;
	struct child c;
	unsigned int i;
	long there;

	local = (struct iovec) { copy, SIZE };
	ASSERT_TRUE(child_start(&c, map_there, NULL));
	ASSERT_EQ(0, child_tell(&c, shared));
	memory_fill_all(from, SIZE, 80);
	memset(from + 2 * HUGE, 0, HUGE);	/* needs no page */
	there = huge_pages("Free");
	ASSERT_EQ(0, put_into(ms, c.pid, (uintptr_t)THERE, &source, from));
	pair.source = source;
	for (i = 0; i < 4; i++) {
		ASSERT_OK(pair_sync(&pair));
		if (!i && !shared)
			EXPECT_EQ(there - (long)PAGES + 1, huge_pages("Free"));
		ASSERT_EQ(SIZE, process_vm_readv(c.pid, &local, 1, &remote, 1, 0));
		ASSERT_EQ(0, memcmp(from, copy, SIZE));
		memory_fill_all(from + i * HUGE + 5 * PAGE, MIB, 90 + i);
	}
	child_end(&c);
	memsync_unregister(ms, pair.source);
}

TEST_F(hugetlb, sink)
{
	sink(_metadata, self->ms, false);
}

TEST_F(hugetlb, sink_of_shared_memory)
{
	sink(_metadata, self->ms, true);
}

static int copy_reason(const struct memsync_peer *peer, void *reason)
{
	strcpy(reason, peer->reason);
	return 0;
}

static int map_there_in_vain(pid_t parent, unsigned char *area, unsigned char what)
{
	return !huge_map(THERE, SIZE, MAP_FIXED | MAP_NORESERVE);
}

/* The sink's process would get SIGBUS; we are told. */
TEST_F(hugetlb, sink_without_pages)
{
	unsigned char *from = memory_new(SIZE);
	char reason[MEMSYNC_REASON_MAX + 1] = "";
	uint64_t source;
	struct child c;
	unsigned int i;

	memory_fill_all(from, SIZE, 81);
	ASSERT_TRUE(exhaust_pool());
	ASSERT_TRUE(child_start(&c, map_there_in_vain, NULL));
	ASSERT_EQ(0, child_tell(&c, 0));
	ASSERT_EQ(0, put_into(self->ms, c.pid, (uintptr_t)THERE, &source, from));
	for (i = 0; i < 1000 && !strstr(reason, "cannot be written"); i++) {
		usleep(sized(10000, 100000));
		memsync_dump_peers(self->ms, source, copy_reason, reason);
	}
	if (!strstr(reason, "cannot be written"))
		TH_LOG("reason: %s", reason);
	EXPECT_NE(NULL, strstr(reason, "cannot be written"));
	memsync_unregister(self->ms, source);
	child_end(&c);
}

/* ---- refusals ---- */

static int try_register(struct memsync *ms, void *start, size_t length)
{
	struct memsync_range range = { (uintptr_t)start, (uintptr_t)start + length, 0 };
	struct memsync_register_opts opts = {
		.size = sizeof(opts),
		.name = "r",
		.role = MEMSYNC_ROLE_SOURCE,
		.pid = getpid(),
		.ranges = &range,
		.nr_ranges = 1,
	};

	return memsync_register(ms, &opts, NULL);
}

/* NULL, or what is wrong with the refusal of the huge page at @start. */
static const char *refusal(struct memsync *ms, const char *word, void *start)
{
	int err = try_register(ms, start, HUGE);

	if (err == -EOPNOTSUPP && strstr(memsync_error(ms), word))
		return NULL;
	return pair_fail("%d, and no '%s' in: %s", err, word, memsync_error(ms));
}

TEST_F(hugetlb, refused)
{
	int fd = memfd_create("t", MFD_HUGETLB);
	void *m;

	m = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB,
		 -1, 0);
	ASSERT_NE(MAP_FAILED, m);
	EXPECT_OK(refusal(self->ms, "shared hugetlb memory", m));
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, HUGE));
	m = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, m);
	EXPECT_OK(refusal(self->ms, "shared hugetlb memory", m));
	m = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, m);
	EXPECT_OK(refusal(self->ms, "a private mapping of a hugetlbfs file", m));
}

TEST_F(hugetlb, refused_giant)
{
	size_t size = 1UL << 30;
	void *m;

	/* Nothing is touched, so no such page is needed. */
	m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS |
		 MAP_HUGETLB | MAP_NORESERVE | 30 << MAP_HUGE_SHIFT, -1, 0);
	if (m == MAP_FAILED)
		SKIP(return, "no pages of 1 GiB: %s", strerror(errno));
	EXPECT_OK(refusal(self->ms, "1 GiB", m));
	munmap(m, size);
}

/* Another kind comes into the region while it is watched. */
TEST_F(hugetlb, refused_later)
{
	char reason[256];
	void *m;

	m = mmap(self->area + HUGE, HUGE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | MAP_FIXED, -1, 0);
	ASSERT_EQ(self->area + HUGE, m);
	memset(m, 5, HUGE);
	self->area[1]++;
	ASSERT_OK(pair_wait_state(&self->pair, self->pair.source, MEMSYNC_REGION_GONE, reason,
				  sizeof(reason)));
	EXPECT_NE(NULL, strstr(reason, "shared hugetlb memory"));
}

/* Somebody opens the file that the kernel made for it. */
TEST_F(hugetlb, opened_by_others)
{
	char path[96], reason[256];
	void *m;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (long)self->area,
		 (long)self->area + SIZE);
	fd = open(path, O_RDWR);
	if (fd < 0)
		SKIP(return, "%s: %s", path, strerror(errno));
	m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (m == MAP_FAILED)
		SKIP(return, "mmap: %s", strerror(errno));
	memset(m, 7, PAGE);
	self->area[1]++;
	ASSERT_OK(pair_wait_state(&self->pair, self->pair.source, MEMSYNC_REGION_GONE, reason,
				  sizeof(reason)));
	EXPECT_NE(NULL, strstr(reason, "somebody else"));
	EXPECT_OK(refusal(self->ms, "somebody else", self->area));
}

TEST_HARNESS_MAIN
