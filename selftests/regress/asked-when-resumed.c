// SPDX-License-Identifier: GPL-2.0
/* A barrier asked for when a region goes on was ended as those from before its pause are. */
#include <unistd.h>

#include "test.h"

#define DELAY	"/sys/module/memsync/parameters/delay_paused"

TEST(asked_when_resumed)
{
	unsigned int round, rounds = sized(600, 40);
	unsigned char *area = memory_new(MIB);
	struct memsync *ms;
	struct pair pair;

	ASSERT_NE(NULL, area);
	memory_fill_all(area, MIB, 1);
	ASSERT_OK(pair_net(&ms));
	ASSERT_OK(pair_start(&pair, ms, getpid(), area, MIB));
	ASSERT_OK(pair_sync(&pair));
	/* A build for tests waits where it hurt. */
	if (!access(DELAY, F_OK))
		ASSERT_EQ(0, file_put(DELAY, "50000"));
	for (round = 0; round < rounds; round++) {
		ASSERT_EQ(0, memsync_pause(ms, pair.source));
		/* Which the peer's thread wakes up for, to find the region paused */
		area[round % 200 * PAGE]++;
		usleep(round % 30 * 20);
		ASSERT_EQ(0, memsync_resume(ms, pair.source));
		ASSERT_OK(pair_sync(&pair));
	}
	if (!access(DELAY, F_OK))
		ASSERT_EQ(0, file_put(DELAY, "0"));
	ASSERT_OK(pair_compare(&pair));
	pair_stop(&pair);
	memsync_close(ms);
}

TEST_HARNESS_MAIN
