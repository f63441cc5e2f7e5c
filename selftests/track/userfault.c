// SPDX-License-Identifier: GPL-2.0
/*
 * Memory under a userfaultfd of the application's own: filled, moved into and protected by
 * a thread that answers its faults, or by another process.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "delay.h"
#include "huge.h"
#include "scan.h"
#include "swap.h"
#include "test.h"
#include "userfault-move.h"

#define SIZE	(8 * MIB)
#define PAGES	(SIZE / PAGE)
#define THREADS	4
#define NEVER	60000000	/* us; barriers are taken nonetheless */

/**
 * struct armed - memory under a userfaultfd, and the thread that answers its faults
 * @fd: the userfaultfd
 * @area: the memory
 * @pair: of which it is the source
 * @answerer: the thread
 * @zeros: what is missing is zeros from now on
 * @ending: the thread is to end
 * @answers: so many it gave
 */
struct armed {
	int fd;
	unsigned char *area;
	struct pair *pair;
	pthread_t answerer;
	atomic_bool zeros;
	atomic_bool ending;
	atomic_uint answers;
};

FIXTURE(userfault) {
	struct memsync *ms;
	struct pair pair;
	unsigned char *area;
	struct armed armed;
};

FIXTURE_SETUP(userfault)
{
	self->area = memory_new(SIZE);
	ASSERT_NE(NULL, self->area);
	self->armed = (struct armed) { .fd = -1, .area = self->area, .pair = &self->pair };
	memory_fill(self->area, SIZE, 1);
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, SIZE));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

FIXTURE_TEARDOWN(userfault)
{
	if (self->armed.fd >= 0)
		close(self->armed.fd);
	pair_stop(&self->pair);
	memsync_close(self->ms);
}

/* Returns whether the kernel can. */
static bool arm(int *fd, void *start, size_t size, uint64_t mode, uint64_t features)
{
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)start, .len = size },
		.mode = mode,
	};
	struct uffdio_api api = { .api = UFFD_API, .features = features };

	*fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	return *fd >= 0 && !ioctl(*fd, UFFDIO_API, &api) && !ioctl(*fd, UFFDIO_REGISTER, &reg);
}

static int copy_to(int fd, void *to, void *from, size_t len, uint64_t mode)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)to,
		.src = (uintptr_t)from,
		.len = len,
		.mode = mode,
	};

	return ioctl(fd, UFFDIO_COPY, &copy);
}

static int protect(int fd, void *start, size_t len, bool on)
{
	struct uffdio_writeprotect wp = {
		.range = { .start = (uintptr_t)start, .len = len },
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(fd, UFFDIO_WRITEPROTECT, &wp);
}

static int move_to(int fd, void *to, void *from, size_t len)
{
	struct uffdio_move move = {
		.dst = (uintptr_t)to,
		.src = (uintptr_t)from,
		.len = len,
	};

	return ioctl(fd, UFFDIO_MOVE, &move);
}

static void answer(struct armed *armed, const struct uffd_msg *msg)
{
	unsigned long page = msg->arg.pagefault.address & ~(PAGE - 1);
	struct uffdio_zeropage zero = { .range = { .start = page, .len = PAGE } };
	static unsigned char content[PAGE];

	if (msg->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP) {
		protect(armed->fd, (void *)page, PAGE, false);
	} else if (atomic_load(&armed->zeros)) {
		ioctl(armed->fd, UFFDIO_ZEROPAGE, &zero);
	} else {
		memset(content, page >> 12 | 1, PAGE);
		copy_to(armed->fd, (void *)page, content, PAGE, 0);
	}
	atomic_fetch_add(&armed->answers, 1);
}

static void *answerer(void *arg)
{
	struct armed *armed = arg;
	struct pollfd p = { .fd = armed->fd, .events = POLLIN };
	struct uffd_msg msg;

	while (!atomic_load(&armed->ending)) {
		if (poll(&p, 1, 20) == 1 && read(armed->fd, &msg, sizeof(msg)) == sizeof(msg) &&
		    msg.event == UFFD_EVENT_PAGEFAULT)
			answer(armed, &msg);
	}
	return NULL;
}

static void answers_begin(struct armed *armed)
{
	atomic_store(&armed->zeros, false);
	atomic_store(&armed->ending, false);
	pthread_create(&armed->answerer, NULL, answerer, armed);
}

static void answers_end(struct armed *armed)
{
	atomic_store(&armed->ending, true);
	pthread_join(armed->answerer, NULL);
}

/* To compare is to read, which is not to bring content of its own. */
static const char *sync_compare(struct armed *armed)
{
	const char *why = pair_sync(armed->pair);

	atomic_store(&armed->zeros, true);
	if (!why)
		why = pair_compare(armed->pair);
	atomic_store(&armed->zeros, false);
	return why;
}

#define ASSERT_SAME()	ASSERT_OK(sync_compare(&self->armed))

/* ---- filled ---- */

TEST_F(userfault, copied)
{
	unsigned char *content = memory_new(16 * PAGE);
	uint64_t seed = 3;
	unsigned int i;

	ASSERT_TRUE(arm(&self->armed.fd, self->area, SIZE, UFFDIO_REGISTER_MODE_MISSING, 0));
	answers_begin(&self->armed);
	for (i = 0; i < 40; i++) {
		unsigned char *to = self->area + random_next(&seed) % (PAGES - 16) * PAGE;
		size_t len = (1 + random_next(&seed) % 16) * PAGE;

		memory_fill_all(content, 16 * PAGE, 50 + i);
		ASSERT_EQ(0, madvise(to, len, MADV_DONTNEED));
		if (i % 3 == 0)
			ASSERT_SAME();
		if (i % 3 == 0)		/* comparing has filled it */
			ASSERT_EQ(0, madvise(to, len, MADV_DONTNEED));
		if (i % 3 == 1)
			ASSERT_OK(pair_sync(&self->pair));
		ASSERT_EQ(0, copy_to(self->armed.fd, to, content, len, 0));
		ASSERT_EQ(0, memcmp(to, content, len));
		ASSERT_SAME();
	}
	answers_end(&self->armed);
}

/* What nobody has answered yet reads as zeros at the replica, and no pass waits for it. */
static void *write_there(void *arg)
{
	*(volatile unsigned char *)arg = 7;
	return NULL;
}

TEST_F(userfault, not_answered)
{
	unsigned char *there = self->area + 40 * PAGE;
	struct memsync_verify result;
	pthread_t waiting;
	unsigned int i;

	ASSERT_TRUE(arm(&self->armed.fd, self->area, SIZE, UFFDIO_REGISTER_MODE_MISSING, 0));
	ASSERT_EQ(0, madvise(self->area, MIB, MADV_DONTNEED));
	pthread_create(&waiting, NULL, write_there, there);
	for (i = 0; i < 5; i++) {
		usleep(50000);
		ASSERT_OK(pair_sync(&self->pair));
	}
	for (i = 0; i < MIB; i++)
		ASSERT_EQ(0, self->pair.replica[i]);
	ASSERT_OK(pair_verify(&self->pair, &result));
	EXPECT_EQ(0, result.different);
	answers_begin(&self->armed);
	pthread_join(waiting, NULL);
	ASSERT_EQ(7, *there);
	ASSERT_SAME();
	answers_end(&self->armed);
}

/* Swapped out, and not missing: read without waiting for anybody. */
TEST_F(userfault, swapped_out)
{
	char device[64];
	unsigned int i;

	ASSERT_OK(swap_on(false, device, sizeof(device)));
	ASSERT_TRUE(arm(&self->armed.fd, self->area, SIZE, UFFDIO_REGISTER_MODE_MISSING, 0));
	answers_begin(&self->armed);
	for (i = 0; i < 4; i++) {
		memory_fill_all(self->area + i * MIB, MIB, 70 + i);
		ASSERT_EQ(0, madvise(self->area + i * MIB, MIB, MADV_PAGEOUT));
		ASSERT_SAME();
	}
	answers_end(&self->armed);
	swap_off(device);
}

/* The one who fills it need not be the process. */
TEST_F(userfault, copied_by_another_process)
{
	unsigned char *content = memory_new(8 * PAGE);
	unsigned int i;
	int status;

	ASSERT_TRUE(arm(&self->armed.fd, self->area, SIZE, UFFDIO_REGISTER_MODE_MISSING, 0));
	for (i = 0; i < 4; i++) {
		unsigned char *to = self->area + (i * 300 + 5) * PAGE;
		pid_t pid;

		memory_fill_all(content, 8 * PAGE, 80 + i);
		ASSERT_EQ(0, madvise(to, 8 * PAGE, MADV_DONTNEED));
		ASSERT_OK(pair_sync(&self->pair));
		pid = fork();
		if (!pid)
			_exit(copy_to(self->armed.fd, to, content, 8 * PAGE, 0) ? 1 : 0);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_EQ(0, status);
		ASSERT_EQ(0, memcmp(to, content, 8 * PAGE));
		ASSERT_SAME();
	}
}

/* Hugetlb memory is refused under one; what came while no pass looked is there all the same. */
TEST(userfault_of_hugetlb)
{
	struct armed armed = { .fd = -1 };
	unsigned char *area, *content;
	struct memsync *ms;
	struct pair pair;

	if (!huge_pool(16))
		SKIP(return, "the kernel gives %ld huge pages", huge_pages("Total"));
	area = huge_map(NULL, 4 * HUGE, 0);
	content = memory_new(HUGE);
	ASSERT_NE(NULL, area);
	memory_fill_all(area, 4 * HUGE, 1);
	memory_fill_all(content, HUGE, 2);
	ASSERT_OK(pair_net(&ms));
	ASSERT_OK(pair_start(&pair, ms, getpid(), area, 4 * HUGE));
	ASSERT_EQ(0, madvise(area + HUGE, HUGE, MADV_DONTNEED));
	ASSERT_OK(pair_sync(&pair));
	ASSERT_EQ(0, memsync_set_interval(ms, pair.source, NEVER));
	ASSERT_OK(pair_sync(&pair));
	ASSERT_TRUE(arm(&armed.fd, area, 4 * HUGE, UFFDIO_REGISTER_MODE_MISSING, 0));
	ASSERT_EQ(0, copy_to(armed.fd, area + HUGE, content, HUGE, 0));
	close(armed.fd);
	ASSERT_EQ(0, memcmp(area + HUGE, content, HUGE));
	ASSERT_OK(pair_sync_compare(&pair));
	area[HUGE + 9]++;
	ASSERT_OK(pair_sync_compare(&pair));
	pair_stop(&pair);
	memsync_close(ms);
	munmap(area, 4 * HUGE);
	huge_pool(0);
}

/* ---- protected ---- */

TEST_F(userfault, write_protected)
{
	unsigned int round, i;
	uint64_t seed = 5;

	ASSERT_TRUE(arm(&self->armed.fd, self->area, SIZE, UFFDIO_REGISTER_MODE_WP, 0));
	answers_begin(&self->armed);
	for (round = 0; round < 6; round++) {
		unsigned int before = atomic_load(&self->armed.answers);

		ASSERT_EQ(0, protect(self->armed.fd, self->area, SIZE, true));
		if (round % 2)
			ASSERT_SAME();
		for (i = 0; i < 60; i++)
			self->area[random_next(&seed) % SIZE]++;
		/* The application was asked, whatever memsync has done to the entries. */
		EXPECT_LT(before + 50, atomic_load(&self->armed.answers));
		ASSERT_SAME();
		for (i = 0; i < 60; i++)
			self->area[random_next(&seed) % SIZE]++;
		ASSERT_EQ(0, protect(self->armed.fd, self->area, SIZE / 2, false));
		for (i = 0; i < 60; i++)
			self->area[random_next(&seed) % SIZE]++;
		ASSERT_SAME();
	}
	answers_end(&self->armed);
}

/* Its protection is lifted, and what is written then needs no fault any more. */
TEST_F(userfault, protection_lifted)
{
	unsigned int round;

	ASSERT_TRUE(arm(&self->armed.fd, self->area, SIZE, UFFDIO_REGISTER_MODE_WP, 0));
	for (round = 0; round < 6; round++) {
		ASSERT_EQ(0, protect(self->armed.fd, self->area, SIZE, true));
		ASSERT_OK(pair_sync(&self->pair));
		ASSERT_EQ(0, protect(self->armed.fd, self->area, SIZE, false));
		if (round % 2)
			ASSERT_OK(pair_sync(&self->pair));
		memory_fill(self->area + round * MIB, MIB, 90 + round);
		ASSERT_EQ(0, protect(self->armed.fd, self->area, SIZE, true));
		ASSERT_SAME();
		ASSERT_EQ(0, protect(self->armed.fd, self->area, SIZE, false));
	}
}

static bool pagemap_protected(int pagemap, const unsigned char *page)
{
	uint64_t entry;

	return pread(pagemap, &entry, sizeof(entry), (uintptr_t)page / PAGE * sizeof(entry)) ==
	       sizeof(entry) && entry >> 57 & 1;
}

/* An application that tracks writes itself goes on to see each of them. */
TEST_F(userfault, protected_asynchronously)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	unsigned int round, i, seen;

	if (!arm(&self->armed.fd, self->area, SIZE, UFFDIO_REGISTER_MODE_WP,
		 UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED))
		SKIP(return, "a kernel without asynchronous protection");
	for (round = 0; round < 4; round++) {
		/* One MiB of it is not there, which is protected too. */
		ASSERT_EQ(0, madvise(self->area + 7 * MIB, MIB, MADV_DONTNEED));
		ASSERT_EQ(0, protect(self->armed.fd, self->area, SIZE, true));
		ASSERT_OK(pair_sync(&self->pair));
		for (i = 0; i < PAGES; i += 16)
			self->area[i * PAGE + round]++;
		if (round % 2)
			ASSERT_OK(pair_sync(&self->pair));
		for (seen = 0, i = 0; i < PAGES; i++)
			seen += !pagemap_protected(pagemap, self->area + i * PAGE);
		EXPECT_EQ(PAGES / 16, seen);
		ASSERT_SAME();
	}
	close(pagemap);
}

/* What was written since the last call, protected again by the same walk. */
static long scan(int pagemap, const unsigned char *start, size_t size)
{
	struct page_region *found = calloc(PAGES, sizeof(*found));
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC,
		.start = (uintptr_t)start,
		.end = (uintptr_t)start + size,
		.vec = (uintptr_t)found,
		.vec_len = PAGES,
		.category_mask = PAGE_IS_WRITTEN,
		.return_mask = PAGE_IS_WRITTEN,
	};
	int i, n = found ? ioctl(pagemap, PAGEMAP_SCAN, &arg) : -1;
	long pages = n < 0 ? -1 : 0;

	for (i = 0; i < n; i++)
		pages += (found[i].end - found[i].start) / PAGE;
	free(found);
	return pages;
}

TEST_F(userfault, scanned_asynchronously)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	unsigned int round, i;

	if (!arm(&self->armed.fd, self->area, SIZE, UFFDIO_REGISTER_MODE_WP,
		 UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED))
		SKIP(return, "a kernel without asynchronous protection");
	ASSERT_LE(0, scan(pagemap, self->area, SIZE));
	for (round = 0; round < 6; round++) {
		/* Written before anybody looks: who looks first hides nothing from the other. */
		for (i = 0; i < PAGES; i += 16)
			self->area[i * PAGE + round]++;
		if (round % 2)
			ASSERT_OK(pair_sync(&self->pair));
		ASSERT_EQ(PAGES / 16, scan(pagemap, self->area, SIZE));
		ASSERT_SAME();
		/* Written between its walk and the next pass. */
		self->area[5 * PAGE + round]++;
		self->area[6 * PAGE + round]++;
		ASSERT_EQ(2, scan(pagemap, self->area, SIZE));
		self->area[6 * PAGE + round]++;
		ASSERT_SAME();
		ASSERT_EQ(1, scan(pagemap, self->area, SIZE));
	}
	close(pagemap);
}

/*
 * Memory whose protection is lifted in one call, of which only the beginning is tracked:
 * behind it lies so much else that the call goes on for a while.
 */
#define TAIL	sized(2048 * MIB, 512 * MIB)

struct lifter {
	pthread_t thread;
	struct armed *armed;
	atomic_bool done;
};

static void *lift(void *arg)
{
	struct lifter *l = arg;

	protect(l->armed->fd, l->armed->area, SIZE + TAIL, false);
	atomic_store(&l->done, true);
	return NULL;
}

/* Returns when the first MiB may be written again, long before the call does. */
static void lift_begin(struct lifter *l, int pagemap)
{
	atomic_store(&l->done, false);
	pthread_create(&l->thread, NULL, lift, l);
	while (pagemap_protected(pagemap, l->armed->area + MIB))
		sched_yield();
}

static unsigned char *memory_with_tail(void)
{
	unsigned char *area = memory_new_sparse(SIZE + TAIL);

	if (!area || madvise(area, SIZE + TAIL, MADV_NOHUGEPAGE) ||
	    madvise(area + SIZE, TAIL, MADV_POPULATE_READ))
		return NULL;
	memory_fill(area, SIZE, 1);
	return area;
}

FIXTURE(lifting) {
	struct memsync *ms;
	struct pair pair;
	struct armed armed;
	struct lifter lifter;
	int pagemap;
};

FIXTURE_SETUP(lifting)
{
	self->armed = (struct armed) { .fd = -1, .area = memory_with_tail(), .pair = &self->pair };
	self->lifter.armed = &self->armed;
	self->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	ASSERT_NE(NULL, self->armed.area);
	ASSERT_LE(0, self->pagemap);
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->armed.area, SIZE));
	ASSERT_TRUE(arm(&self->armed.fd, self->armed.area, SIZE + TAIL,
			UFFDIO_REGISTER_MODE_WP, 0));
}

FIXTURE_TEARDOWN(lifting)
{
	close(self->armed.fd);
	pair_stop(&self->pair);
	memsync_close(self->ms);
	close(self->pagemap);
	munmap(self->armed.area, SIZE + TAIL);
}

/* What is written before a barrier is there, though the call has not come to its end. */
TEST_F(lifting, barrier_meanwhile)
{
	unsigned int round, meanwhile = 0;

	for (round = 0; round < 3; round++) {
		size_t at = (3 + 7 * round) * PAGE;

		ASSERT_EQ(0, protect(self->armed.fd, self->armed.area, SIZE + TAIL, true));
		ASSERT_OK(pair_sync(&self->pair));
		lift_begin(&self->lifter, self->pagemap);
		self->armed.area[at]++;
		EXPECT_OK(pair_sync(&self->pair));
		EXPECT_OK(pair_compare_direct(&self->pair, at, PAGE));
		meanwhile += !atomic_load(&self->lifter.done);
		pthread_join(self->lifter.thread, NULL);
		EXPECT_OK(pair_sync_compare(&self->pair));
	}
	EXPECT_NE(0, meanwhile);
}

/* By the end of the call, the entry does not tell any more that it was written. */
TEST_F(lifting, paged_out_meanwhile)
{
	unsigned int round, meanwhile = 0;
	char device[64];

	ASSERT_OK(swap_on(false, device, sizeof(device)));
	ASSERT_EQ(0, memsync_set_interval(self->ms, self->pair.source, NEVER));
	for (round = 0; round < 3; round++) {
		unsigned char *page = self->armed.area + (3 + 7 * round) * PAGE;

		ASSERT_EQ(0, protect(self->armed.fd, self->armed.area, SIZE + TAIL, true));
		ASSERT_OK(pair_sync(&self->pair));
		lift_begin(&self->lifter, self->pagemap);
		page[9]++;
		ASSERT_EQ(0, madvise(page, PAGE, MADV_PAGEOUT));
		meanwhile += !atomic_load(&self->lifter.done);
		pthread_join(self->lifter.thread, NULL);
		EXPECT_EQ(4, smaps_kib(getpid(), page, page + PAGE, "Swap"));
		EXPECT_OK(pair_sync_compare(&self->pair));
	}
	EXPECT_NE(0, meanwhile);
	swap_off(device);
}

/* ---- moved ---- */

static bool arm_for_moves(struct armed *armed)
{
	return arm(&armed->fd, armed->area, SIZE, UFFDIO_REGISTER_MODE_MISSING, UFFD_FEATURE_MOVE);
}

TEST_F(userfault, moved_in)
{
	unsigned char *from = memory_new(16 * PAGE);
	uint64_t seed = 6;
	unsigned int i;

	if (!arm_for_moves(&self->armed))
		SKIP(return, "a kernel without UFFDIO_MOVE");
	answers_begin(&self->armed);
	for (i = 0; i < 20; i++) {
		unsigned char *to = self->area + random_next(&seed) % (PAGES - 16) * PAGE;
		size_t len = (1 + random_next(&seed) % 16) * PAGE;

		memory_fill_all(from, 16 * PAGE, 50 + i);
		ASSERT_EQ(0, madvise(to, len, MADV_DONTNEED));
		ASSERT_OK(pair_sync(&self->pair));
		ASSERT_EQ(0, move_to(self->armed.fd, to, from, len));
		ASSERT_SAME();
	}
	answers_end(&self->armed);
}

/* From one place of the region to another; and what was moved is written at once. */
TEST_F(userfault, moved_within)
{
	unsigned int i;

	if (!arm_for_moves(&self->armed))
		SKIP(return, "a kernel without UFFDIO_MOVE");
	answers_begin(&self->armed);
	for (i = 0; i < 12; i++) {
		unsigned char *from = self->area + (i * 100 + 3) * PAGE;
		unsigned char *to = self->area + (1500 + i * 20) * PAGE;

		memory_fill_all(from, 8 * PAGE, 30 + i);
		if (i % 2)
			ASSERT_OK(pair_sync(&self->pair));
		ASSERT_EQ(0, madvise(to, 8 * PAGE, MADV_DONTNEED));
		ASSERT_EQ(0, move_to(self->armed.fd, to, from, 8 * PAGE));
		to[3 * PAGE]++;
		if (i % 3 == 0)
			ASSERT_OK(pair_sync(&self->pair));
		to[5 * PAGE]++;
		ASSERT_SAME();
	}
	answers_end(&self->armed);
}

/* A whole huge page, and pages that are swapped out, change their place as they are. */
TEST_F(userfault, moved_huge_and_swapped)
{
	unsigned char *huge = memory_new_huge(2 * HUGE), *from = memory_new(32 * PAGE);
	char device[64];

	ASSERT_OK(swap_on(false, device, sizeof(device)));
	memory_fill_all(huge, 2 * HUGE, 8);
	memory_fill_all(from, 32 * PAGE, 9);
	if (!arm_for_moves(&self->armed)) {
		swap_off(device);
		SKIP(return, "a kernel without UFFDIO_MOVE");
	}
	answers_begin(&self->armed);
	ASSERT_EQ(0, madvise(self->area, 3 * HUGE, MADV_DONTNEED));
	ASSERT_OK(pair_sync(&self->pair));
	ASSERT_EQ(0, move_to(self->armed.fd, self->area, huge, HUGE));
	ASSERT_EQ(0, madvise(from, 32 * PAGE, MADV_PAGEOUT));
	ASSERT_EQ(0, move_to(self->armed.fd, self->area + HUGE + 5 * PAGE, from, 32 * PAGE));
	ASSERT_SAME();
	self->area[MIB + 9]++;
	self->area[HUGE + 20 * PAGE]++;
	ASSERT_SAME();
	answers_end(&self->armed);
	swap_off(device);
}

/* ---- all at once ---- */

struct churner {
	pthread_t thread;
	struct armed *armed;
	uint64_t seed;
	atomic_bool *running;
};

/* Drops, reads and writes; what is missing the answerer fills, what is protected it frees. */
static void *churn(void *arg)
{
	struct churner *c = arg;
	unsigned int i;

	while (atomic_load(c->running)) {
		for (i = 0; i < 16; i++) {
			uint64_t n = random_next(&c->seed);
			unsigned char *page = c->armed->area + n % PAGES * PAGE;

			switch (n >> 32 & 15) {
			case 0:
				madvise(page, PAGE, MADV_DONTNEED);
				break;
			case 1:
				protect(c->armed->fd, page, PAGE, true);
				break;
			case 2:
				(void)*(volatile unsigned char *)page;
				break;
			default:
				page[n >> 40 & 4095]++;
			}
		}
		usleep(500);
	}
	return NULL;
}

static const char *churn_round(struct armed *armed)
{
	struct churner churners[THREADS];
	const char *why = NULL;
	atomic_bool running;
	unsigned int i;

	atomic_init(&running, true);
	for (i = 0; i < THREADS; i++) {
		churners[i] = (struct churner) { .armed = armed, .seed = i, .running = &running };
		pthread_create(&churners[i].thread, NULL, churn, &churners[i]);
	}
	for (i = 0; i < 4 && !why; i++)
		why = pair_sync(armed->pair);
	atomic_store(&running, false);
	for (i = 0; i < THREADS; i++)
		pthread_join(churners[i].thread, NULL);
	return why ? why : sync_compare(armed);
}

TEST_F(userfault, churned)
{
	unsigned int round;

	ASSERT_TRUE(arm(&self->armed.fd, self->area, SIZE,
			UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP, 0));
	answers_begin(&self->armed);
	for (round = 0; round < sized(8, 4); round++)
		ASSERT_OK(churn_round(&self->armed));
	answers_end(&self->armed);
}

TEST_F(userfault, churned_and_delayed)
{
	static const char * const points[] = {
		"entry", "exit", "start", "end", "taken", "protected", "found",
	};
	unsigned int i;

	if (!delays_built())
		SKIP(return, "only a build for tests can be made to wait");
	ASSERT_TRUE(arm(&self->armed.fd, self->area, SIZE,
			UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP, 0));
	answers_begin(&self->armed);
	for (i = 0; i < ARRAY_SIZE(points); i++) {
		ASSERT_EQ(0, delay_put(points[i], 1500));
		EXPECT_OK(churn_round(&self->armed));
		ASSERT_EQ(0, delay_put(points[i], 0));
	}
	answers_end(&self->armed);
}

TEST_HARNESS_MAIN
