// SPDX-License-Identifier: GPL-2.0
/* What may be shipped, and kept, for how much dirtiness. */
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "test.h"

FIXTURE(figures) {
	struct memsync *ms;
};

FIXTURE_SETUP(figures)
{
	ASSERT_OK(pair_net(&self->ms));
}

FIXTURE_TEARDOWN(figures)
{
	memsync_close(self->ms);
}

TEST_F(figures, bytes_per_dirty_page)
{
	size_t size = 32 * MIB;
	unsigned char *area = memory_new(size);
	struct memsync_stats before, after;
	unsigned int i, pages = 1000;
	struct pair pair;

	memory_fill_all(area, size, 1);
	ASSERT_OK(pair_start(&pair, self->ms, getpid(), area, size));
	ASSERT_OK(pair_sync_compare(&pair));
	/* What is dirty because nobody looked yet is shipped by another barrier. */
	ASSERT_OK(pair_sync(&pair));
	before = pair_stats(&pair);
	ASSERT_EQ(0, memsync_pause(self->ms, pair.source));
	for (i = 0; i < pages; i++)
		area[i * 8 * PAGE + i]++;
	ASSERT_EQ(0, memsync_resume(self->ms, pair.source));
	ASSERT_OK(pair_sync_compare(&pair));
	after = pair_stats(&pair);
	TH_LOG("%lu pages, %lu bytes, %lu faults", after.shipped_pages - before.shipped_pages,
	       after.shipped_bytes - before.shipped_bytes,
	       after.write_faults - before.write_faults);
	EXPECT_EQ(pages, after.shipped_pages - before.shipped_pages);
	EXPECT_EQ(pages, after.write_faults - before.write_faults);
	EXPECT_LE(after.shipped_bytes - before.shipped_bytes, 1.02 * 4096 * pages);
	EXPECT_LE(4096 * pages, after.shipped_bytes - before.shipped_bytes);
	pair_stop(&pair);
}

/* Never touched: zeros, and no memory is taken for them at either side. */
TEST_F(figures, bytes_for_zeros)
{
	size_t size = sized(1024 * MIB, 128 * MIB);
	unsigned char *area = memory_new_sparse(size);
	struct memsync_stats stats;
	struct pair pair;

	ASSERT_NE(NULL, area);
	ASSERT_OK(pair_start_private(&pair, self->ms, getpid(), area, size));
	ASSERT_OK(pair_sync(&pair));
	stats = pair_stats(&pair);
	TH_LOG("%lu zero pages, %lu bytes", stats.zero_pages, stats.shipped_bytes);
	EXPECT_EQ(size / PAGE, stats.zero_pages);
	EXPECT_LE(stats.shipped_bytes, size / 1024);
	EXPECT_EQ(0, smaps_kib(getpid(), area, area + size, "Rss"));
	EXPECT_GE(1024, smaps_kib(pair.holder, (void *)pair.replica_addr,
				  (void *)(pair.replica_addr + size), "Rss"));
	pair_stop(&pair);
}

/* Pages that hold zeros cost no more than those that never were. */
TEST_F(figures, bytes_for_written_zeros)
{
	size_t size = 16 * MIB;
	unsigned char *area = memory_new(size);
	struct memsync_stats stats;
	struct pair pair;

	memset(area, 0, size);
	ASSERT_OK(pair_start(&pair, self->ms, getpid(), area, size));
	ASSERT_OK(pair_sync_compare(&pair));
	stats = pair_stats(&pair);
	EXPECT_EQ(size / PAGE, stats.zero_pages);
	EXPECT_LE(stats.shipped_bytes, 128 * KIB);
	pair_stop(&pair);
}

TEST_F(figures, memory_for_tracking)
{
	size_t size = sized(1024 * MIB, 256 * MIB);
	unsigned char *area = memory_new_sparse(size);
	struct pair pair;

	ASSERT_NE(NULL, area);
	ASSERT_OK(pair_start_private(&pair, self->ms, getpid(), area, size));
	ASSERT_OK(pair_sync(&pair));
	memory_fill_all(area, MIB, 1);
	ASSERT_OK(pair_sync(&pair));
	TH_LOG("%lu bytes for %lu MiB", pair_stats(&pair).tracking_bytes, (long)(size / MIB));
	EXPECT_LT(0, pair_stats(&pair).tracking_bytes);
	EXPECT_LE(pair_stats(&pair).tracking_bytes, size / 1000);
	pair_stop(&pair);
}

/* Passes come of dirtiness only. */
TEST_F(figures, idle)
{
	size_t size = 8 * MIB;
	unsigned char *area = memory_new(size);
	struct memsync_stats before, after;
	struct pair pair;

	memory_fill_all(area, size, 1);
	ASSERT_OK(pair_start(&pair, self->ms, getpid(), area, size));
	ASSERT_OK(pair_sync_compare(&pair));
	ASSERT_OK(pair_sync_compare(&pair));
	before = pair_stats(&pair);
	/* There is no event to wait for here: a second is a hundred intervals. */
	sleep(1);
	after = pair_stats(&pair);
	EXPECT_EQ(before.passes, after.passes);
	EXPECT_EQ(before.shipped_pages, after.shipped_pages);
	area[5]++;
	ASSERT_OK(pair_sync_compare(&pair));
	EXPECT_LT(before.passes, pair_stats(&pair).passes);
	pair_stop(&pair);
}

/* Written over and over between two passes, a page is shipped once. */
TEST_F(figures, writes_coalesce)
{
	size_t size = 2 * MIB;
	unsigned char *area = memory_new(size);
	struct memsync_stats before, after;
	unsigned int i;
	struct pair pair;

	memory_fill_all(area, size, 1);
	ASSERT_OK(pair_start(&pair, self->ms, getpid(), area, size));
	ASSERT_OK(pair_sync_compare(&pair));
	before = pair_stats(&pair);
	ASSERT_EQ(0, memsync_pause(self->ms, pair.source));
	for (i = 0; i < 100000; i++)
		area[i % 16 * PAGE]++;
	ASSERT_EQ(0, memsync_resume(self->ms, pair.source));
	ASSERT_OK(pair_sync_compare(&pair));
	after = pair_stats(&pair);
	EXPECT_EQ(16, after.shipped_pages - before.shipped_pages);
	/* Neighbours of what was written may be written with no fault. */
	EXPECT_LE(1, after.write_faults - before.write_faults);
	EXPECT_GE(16, after.write_faults - before.write_faults);
	pair_stop(&pair);
}

/* With no barrier at all, what was written arrives: passes are driven by dirtiness. */
TEST_F(figures, passes_without_a_barrier)
{
	size_t size = 2 * MIB;
	unsigned char *area = memory_new(size);
	unsigned int i, spins;
	struct pair pair;

	memory_fill_all(area, size, 1);
	ASSERT_OK(pair_start(&pair, self->ms, getpid(), area, size));
	ASSERT_OK(pair_sync_compare(&pair));
	for (i = 1; i < 10; i++) {
		area[i * PAGE] ^= 0xff;
		for (spins = 0; spins < 100000 && pair.replica[i * PAGE] != area[i * PAGE]; spins++)
			usleep(100);
		EXPECT_EQ(area[i * PAGE], pair.replica[i * PAGE]);
	}
	pair_stop(&pair);
}

/* Once the region has ended, writes cost no faults: no protection is left behind. */
TEST_F(figures, nothing_stays_protected)
{
	struct rusage before, after;
	size_t size = 8 * MIB, i;
	unsigned char *area = memory_new(size);
	struct pair pair;

	memory_fill_all(area, size, 1);
	ASSERT_OK(pair_start(&pair, self->ms, getpid(), area, size));
	ASSERT_OK(pair_sync_compare(&pair));
	pair_stop(&pair);
	getrusage(RUSAGE_SELF, &before);
	for (i = 0; i < size; i += PAGE)
		area[i]++;
	getrusage(RUSAGE_SELF, &after);
	EXPECT_GE(16, after.ru_minflt - before.ru_minflt);
}

TEST_HARNESS_MAIN
