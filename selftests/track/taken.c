// SPDX-License-Identifier: GPL-2.0
/*
 * A page goes after a pass has taken the hints of its block and before it has looked at
 * the page: what was written to it with no fault is not to be lost, and what happens to
 * other blocks is no reason to ship this one.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "swap.h"
#include "test.h"

#define SIZE		(4 * MIB)
#define OTHER		(4 * MIB)
#define CHARGED		(32 * PAGE)
#define MANY		20	/* more than memsync remembers */

FIXTURE(taken) {
	struct memsync *ms;
	struct pair pair;
	unsigned char *area;
	unsigned char *other;
	char device[64];
};

FIXTURE_SETUP(taken)
{
	if (!on_debug_kernel())
		SKIP(return, "only a debug build can be made to wait");
	ASSERT_OK(swap_on(false, self->device, sizeof(self->device)));
	self->area = memory_new(SIZE);
	self->other = memory_new(OTHER);
	memory_fill_all(self->area, SIZE, 1);
	memory_fill_all(self->other, OTHER, 2);
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, SIZE));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

FIXTURE_TEARDOWN(taken)
{
	delay_put("taken", 0);
	pair_stop(&self->pair);
	memsync_close(self->ms);
	swap_off(self->device);
}

static long swapped_kib(unsigned char *page)
{
	return smaps_kib(getpid(), page, page + PAGE, "Swap");
}

/* Written with no fault: the entry is writable, and a look at its block is all there is. */
static const char *write_unhinted(struct pair *pair, unsigned char *page)
{
	const char *why;

	if (mprotect(page, PAGE, PROT_READ))
		return "mprotect";
	why = pair_sync(pair);
	if (why)
		return why;
	delay_put("taken", 300000);
	if (mprotect(page, PAGE, PROT_READ | PROT_WRITE))
		return "mprotect";
	page[10]++;
	usleep(120000);		/* the pass has begun by now, and waits */
	return NULL;
}

TEST_F(taken, paged_out)
{
	unsigned char *page;
	unsigned int round;

	for (round = 0; round < 4; round++) {
		page = self->area + (3 + 7 * round) * PAGE;
		ASSERT_OK(write_unhinted(&self->pair, page));
		ASSERT_EQ(0, madvise(page, PAGE, MADV_PAGEOUT));
		EXPECT_EQ(4, swapped_kib(page));
		delay_put("taken", 0);
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

/* So much is going on that the one of this block is forgotten. */
TEST_F(taken, paged_out_then_many)
{
	unsigned char *page;
	unsigned int round, i;

	for (round = 0; round < 4; round++) {
		page = self->area + (3 + 7 * round) * PAGE;
		ASSERT_OK(write_unhinted(&self->pair, page));
		ASSERT_EQ(0, madvise(page, PAGE, MADV_PAGEOUT));
		for (i = 0; i < MANY; i++)
			madvise(self->other + i * PAGE, PAGE, MADV_DONTNEED);
		delay_put("taken", 0);
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

TEST_F(taken, elsewhere)
{
	unsigned long before, after;
	unsigned int round;

	for (round = 0; round < 4; round++) {
		before = pair_stats(&self->pair).shipped_pages;
		ASSERT_OK(write_unhinted(&self->pair, self->area + 5 * PAGE));
		madvise(self->other + round * PAGE, PAGE, MADV_DONTNEED);
		madvise(self->area + 2 * MIB + round * PAGE, PAGE, MADV_DONTNEED);
		delay_put("taken", 0);
		ASSERT_OK(pair_sync_compare(&self->pair));
		after = pair_stats(&self->pair).shipped_pages;
		/* One is written, one is dropped, and a write fault may open two beside it. */
		EXPECT_GE(4, after - before);
	}
}

static bool is_swapped(const unsigned char *page)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	if (pread(fd, &entry, 8, (uintptr_t)page / PAGE * 8) != 8)
		entry = 0;
	close(fd);
	return entry >> 62 & 1;
}

static atomic_bool protected;

static void *make_writable(void *page)
{
	mprotect(page, PAGE, PROT_READ | PROT_WRITE);
	atomic_store(&protected, true);
	return NULL;
}

/* Written while mprotect() is under way, and by its end in swap? */
static bool swap_meanwhile(unsigned char *page)
{
	pthread_t thread;
	unsigned int i;
	bool in_time;

	atomic_store(&protected, false);
	delay_put("end", 10000000);
	if (pthread_create(&thread, NULL, make_writable, page))
		return false;
	usleep(500000);		/* its entry is writable by now, and it waits */
	delay_put("end", 0);
	page[10]++;
	/* One that was used of late is spared at first. */
	for (i = 0; i < 6 && !atomic_load(&protected); i++)
		file_put(SWAP_GROUP "/memory.reclaim", "1M");
	in_time = !atomic_load(&protected);
	pthread_join(thread, NULL);
	return in_time && is_swapped(page);
}

/* Its look comes too late for what reclaim has taken. */
TEST_F(taken, reclaimed_before_the_look)
{
	const char *why = swap_group_enter("max");
	unsigned int round, reached = 0;
	unsigned char *page;

	if (why) {
		swap_group_leave();
		SKIP(return, "%s", why);
	}
	/* Few, so that they are soon reclaimed. */
	ASSERT_EQ(0, madvise(self->area, CHARGED, MADV_DONTNEED));
	memory_fill_all(self->area, CHARGED, 3);
	for (round = 0; round < 4; round++) {
		page = self->area + (3 + 7 * round) * PAGE;
		ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ));
		ASSERT_OK(pair_sync_compare(&self->pair));
		reached += swap_meanwhile(page);
		EXPECT_OK(pair_sync_compare(&self->pair));
	}
	EXPECT_LT(0, reached);
	delay_put("end", 0);
	swap_group_leave();
}

TEST_HARNESS_MAIN
