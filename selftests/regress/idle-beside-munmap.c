// SPDX-License-Identifier: GPL-2.0
/*
 * A process that mapped, wrote and unmapped memory outside of its region had a pass made
 * for each time, though nothing in the region had changed.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"

TEST(idle_beside_munmap)
{
	size_t size = 4 * MIB;
	unsigned char *area = memory_new(size), *other;
	struct memsync_stats before, after;
	struct memsync *ms;
	struct pair pair;
	unsigned int i;

	memory_fill(area, size, 1);
	ASSERT_OK(pair_net(&ms));
	ASSERT_OK(pair_start(&pair, ms, getpid(), area, size));
	ASSERT_OK(pair_sync(&pair));
	ASSERT_OK(pair_sync(&pair));
	before = pair_stats(&pair);
	for (i = 0; i < 20; i++) {
		other = memory_new(MIB);
		memory_fill(other, MIB, i);
		ASSERT_EQ(0, munmap(other, MIB));
		/* There is no event to wait for: more than an interval between two passes. */
		usleep(20000);
	}
	after = pair_stats(&pair);
	EXPECT_EQ(before.passes, after.passes);
	pair_stop(&pair);
	memsync_close(ms);
}

TEST_HARNESS_MAIN
