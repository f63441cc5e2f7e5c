// SPDX-License-Identifier: GPL-2.0
/* The source's process ends, or its memory does: the region is gone, and says why. */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#define SIZE	(8 * MIB)

FIXTURE(life) {
	struct memsync *ms;
	struct pair pair;
	pid_t pid;
	int fd;
};

enum order {
	WRITE,			/* a little, then answer */
	WRITE_FOR_EVER,
	EXIT,
	EXIT_IN_A_THREAD,
	EXEC,
	UNMAP,
	UNMAP_HALF,
};

static void *leave(void *arg)
{
	_exit(0);
}

static void obey(unsigned char *area, unsigned char order, uint64_t *seed)
{
	static char *argv[] = { "sleep", "1000", NULL };
	pthread_t thread;

	switch (order) {
	case WRITE:
		memory_fill(area + random_next(seed) % (SIZE / PAGE) * PAGE, PAGE, *seed);
		break;
	case WRITE_FOR_EVER:
		for (;;)
			area[random_next(seed) % SIZE]++;
	case EXIT:
		_exit(0);
	case EXIT_IN_A_THREAD:
		pthread_create(&thread, NULL, leave, NULL);
		pthread_join(thread, NULL);
		break;
	case EXEC:
		execv("/bin/sleep", argv);
		break;
	case UNMAP:
		munmap(area, SIZE);
		break;
	case UNMAP_HALF:
		munmap(area + MIB, SIZE / 2);
		break;
	}
}

static void victim(unsigned char *area, int fd)
{
	unsigned char order;
	uint64_t seed = 5;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	memory_fill(area, SIZE, 3);
	for (order = WRITE; write(fd, &order, 1) == 1 && read(fd, &order, 1) == 1;)
		obey(area, order, &seed);
	_exit(1);
}

static bool tell(int fd, unsigned char order, bool answers)
{
	return write(fd, &order, 1) == 1 && (!answers || read(fd, &order, 1) == 1);
}

FIXTURE_SETUP(life)
{
	unsigned char *area, ready;
	int fds[2];

	ASSERT_OK(pair_net(&self->ms));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	area = memory_new(SIZE);
	self->pid = fork();
	if (!self->pid)
		victim(area, fds[1]);
	close(fds[1]);
	self->fd = fds[0];
	ASSERT_EQ(1, read(self->fd, &ready, 1));
	ASSERT_OK(pair_start(&self->pair, self->ms, self->pid, area, SIZE));
}

FIXTURE_TEARDOWN(life)
{
	kill(self->pid, SIGKILL);
	waitpid(self->pid, NULL, 0);
	pair_stop(&self->pair);
	memsync_close(self->ms);
}

static const char *gone_because(struct pair *p, const char *word)
{
	static char reason[MEMSYNC_REASON_MAX + 1];
	const char *why = pair_wait_state(p, p->source, MEMSYNC_REGION_GONE, reason,
					  sizeof(reason));

	if (why || strstr(reason, word))
		return why;
	fprintf(stderr, "# gone, but for this reason: %s\n", reason);
	return "the reason is another";
}

TEST_F(life, of_another_process)
{
	unsigned int i;

	for (i = 0; i < 10; i++) {
		ASSERT_TRUE(tell(self->fd, WRITE, true));
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

TEST_F(life, exits)
{
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_TRUE(tell(self->fd, EXIT, false));
	ASSERT_OK(gone_because(&self->pair, "exit"));
}

TEST_F(life, exits_from_a_thread)
{
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_TRUE(tell(self->fd, EXIT_IN_A_THREAD, false));
	ASSERT_OK(gone_because(&self->pair, "exit"));
}

TEST_F(life, exits_in_the_first_pass)
{
	ASSERT_TRUE(tell(self->fd, EXIT, false));
	ASSERT_OK(gone_because(&self->pair, "exit"));
}

TEST_F(life, execs)
{
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_TRUE(tell(self->fd, EXEC, false));
	ASSERT_OK(gone_because(&self->pair, "ex"));
}

TEST_F(life, killed)
{
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, kill(self->pid, SIGKILL));
	ASSERT_OK(gone_because(&self->pair, "exit"));
}

TEST_F(life, killed_while_it_writes)
{
	ASSERT_TRUE(tell(self->fd, WRITE_FOR_EVER, false));
	ASSERT_OK(pair_sync(&self->pair));
	ASSERT_OK(pair_sync(&self->pair));
	ASSERT_EQ(0, kill(self->pid, SIGKILL));
	ASSERT_OK(gone_because(&self->pair, "exit"));
}

/* A barrier that can no longer be reached ends with an error, at once. */
TEST_F(life, no_barrier_after_the_end)
{
	ASSERT_OK(pair_sync(&self->pair));
	ASSERT_EQ(0, kill(self->pid, SIGKILL));
	ASSERT_OK(gone_because(&self->pair, "exit"));
	ASSERT_NE(0, memsync_barrier(self->ms, self->pair.source, 1000, NULL));
	ASSERT_NE(NULL, strstr(memsync_error(self->ms), "exit"));
}

/* The replica stays as it was. */
TEST_F(life, the_replica_survives)
{
	unsigned char *copy = malloc(SIZE);

	ASSERT_OK(pair_sync_compare(&self->pair));
	memcpy(copy, self->pair.replica, SIZE);
	ASSERT_EQ(0, kill(self->pid, SIGKILL));
	ASSERT_OK(gone_because(&self->pair, "exit"));
	ASSERT_EQ(0, memcmp(copy, self->pair.replica, SIZE));
	free(copy);
}

TEST_F(life, unmaps_half)
{
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_TRUE(tell(self->fd, UNMAP_HALF, true));
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, self->pair.replica[2 * MIB]);
	ASSERT_EQ(0, kill(self->pid, SIGKILL));
	ASSERT_OK(gone_because(&self->pair, "exit"));
}

/* A name whose region is gone can be used again. */
TEST_F(life, the_name_is_free_again)
{
	struct pair again;
	unsigned char *area = memory_new(MIB);

	memory_fill(area, MIB, 8);
	ASSERT_EQ(0, kill(self->pid, SIGKILL));
	ASSERT_OK(gone_because(&self->pair, "exit"));
	memsync_unregister(self->ms, self->pair.sink);
	ASSERT_OK(pair_start(&again, self->ms, getpid(), area, MIB));
	ASSERT_OK(pair_sync_compare(&again));
	pair_stop(&again);
	self->pair.source = 0;
	self->pair.sink = 0;
}

/* The sink's process ends: the source is told, and goes on trying. */
TEST_F(life, the_sink_is_killed)
{
	char reason[MEMSYNC_REASON_MAX + 1];

	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, kill(self->pair.holder, SIGKILL));
	ASSERT_OK(pair_wait_state(&self->pair, self->pair.sink, MEMSYNC_REGION_GONE, reason,
				  sizeof(reason)));
	EXPECT_NE(NULL, strstr(reason, "exit"));
	ASSERT_OK(pair_wait_state(&self->pair, self->pair.source, MEMSYNC_REGION_DISCONNECTED,
				  reason, sizeof(reason)));
	/* Its process is none the worse for it. */
	ASSERT_TRUE(tell(self->fd, WRITE, true));
}

TEST_HARNESS_MAIN
