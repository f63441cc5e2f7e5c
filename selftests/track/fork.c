// SPDX-License-Identifier: GPL-2.0
/* The source forks: what its child writes does not appear, what it writes itself does. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#define SIZE	(8 * MIB)

FIXTURE(fork) {
	struct memsync *ms;
	struct pair pair;
	unsigned char *area;
};

FIXTURE_VARIANT(fork) {
	bool huge;
};

FIXTURE_VARIANT_ADD(fork, small) {
	.huge = false,
};

FIXTURE_VARIANT_ADD(fork, huge) {
	.huge = true,
};

FIXTURE_SETUP(fork)
{
	self->area = variant->huge ? memory_new_huge(SIZE) : memory_new(SIZE);
	ASSERT_NE(NULL, self->area);
	memory_fill(self->area, SIZE, 1);
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, SIZE));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

FIXTURE_TEARDOWN(fork)
{
	pair_stop(&self->pair);
	memsync_close(self->ms);
}

/* A child that does as it is told, one step at a time. */
struct child {
	pid_t pid;
	int to;
	int from;
};

static bool spawn(struct child *c, void (*step)(void *arg, unsigned char what), void *arg)
{
	int to[2], from[2];
	unsigned char what;

	if (pipe(to) || pipe(from))
		return false;
	c->pid = fork();
	if (c->pid) {
		close(to[0]);
		close(from[1]);
		c->to = to[1];
		c->from = from[0];
		return c->pid > 0;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(to[1]);
	while (read(to[0], &what, 1) == 1) {
		step(arg, what);
		if (write(from[1], &what, 1) != 1)
			break;
	}
	_exit(0);
}

static bool tell(struct child *c, unsigned char what)
{
	return write(c->to, &what, 1) == 1 && read(c->from, &what, 1) == 1;
}

static void finish(struct child *c)
{
	close(c->to);
	close(c->from);
	/* Its younger siblings have its pipe too, so that it would not see the end. */
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
}

static void fill_mib(void *arg, unsigned char what)
{
	memory_fill((unsigned char *)arg + what % 8 * MIB, MIB, 100 + what);
}

TEST_F(fork, child_writes_first)
{
	struct child c;

	ASSERT_TRUE(spawn(&c, fill_mib, self->area));
	ASSERT_TRUE(tell(&c, 2));
	ASSERT_OK(pair_sync_compare(&self->pair));
	memory_fill(self->area + 2 * MIB, MIB, 2);
	self->area[5 * MIB]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
	finish(&c);
	self->area[2 * MIB + 7]++;
	self->area[3 * MIB + 7]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
}

TEST_F(fork, parent_writes_first)
{
	struct child c;

	ASSERT_TRUE(spawn(&c, fill_mib, self->area));
	memory_fill(self->area + 2 * MIB, MIB, 3);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_TRUE(tell(&c, 2));
	ASSERT_TRUE(tell(&c, 3));
	ASSERT_OK(pair_sync_compare(&self->pair));
	memory_fill(self->area + 2 * MIB + 5 * PAGE, MIB, 4);
	ASSERT_OK(pair_sync_compare(&self->pair));
	finish(&c);
}

static unsigned char *at_fork;

/* One that finds something else there does not answer. */
static void expect_at_fork(void *arg, unsigned char what)
{
	if (memcmp(arg, at_fork, SIZE))
		_exit(1);
}

/* The pages that it shares with us are not written in their place. */
TEST_F(fork, child_keeps_its_copy)
{
	struct child c;

	at_fork = memory_new(SIZE);
	ASSERT_NE(NULL, at_fork);
	memcpy(at_fork, self->area, SIZE);
	ASSERT_TRUE(spawn(&c, expect_at_fork, self->area));
	EXPECT_TRUE(tell(&c, 0));
	memory_fill(self->area, SIZE / 2, 30);
	EXPECT_TRUE(tell(&c, 0));
	ASSERT_OK(pair_sync_compare(&self->pair));
	memory_fill(self->area, SIZE, 31);
	EXPECT_TRUE(tell(&c, 0));
	ASSERT_OK(pair_sync_compare(&self->pair));
	finish(&c);
}

/* Written, then made read-only by the fork before anybody looks. */
TEST_F(fork, written_just_before)
{
	struct child c[8];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(c); i++) {
		memory_fill(self->area + i * MIB, 3 * PAGE, 10 + i);
		self->area[i * MIB + 50 * PAGE]++;
		ASSERT_TRUE(spawn(&c[i], fill_mib, self->area));
		ASSERT_OK(pair_sync_compare(&self->pair));
		self->area[i * MIB + 51 * PAGE]++;
		ASSERT_TRUE(tell(&c[i], i));
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	for (i = 0; i < ARRAY_SIZE(c); i++)
		finish(&c[i]);
	memory_fill(self->area, SIZE, 20);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

static void fork_again(void *arg, unsigned char what)
{
	pid_t pid = fork();

	if (!pid) {
		fill_mib(arg, what);
		_exit(0);
	}
	fill_mib(arg, what + 1);
	waitpid(pid, NULL, 0);
}

TEST_F(fork, grandchild)
{
	struct child c;

	ASSERT_TRUE(spawn(&c, fork_again, self->area));
	ASSERT_TRUE(tell(&c, 4));
	self->area[4 * MIB + 3]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
	finish(&c);
}

static void drop(void *arg, unsigned char what)
{
	if (what % 2)
		madvise(arg, SIZE, MADV_DONTNEED);
	else
		munmap(arg, SIZE);
}

TEST_F(fork, child_drops_it)
{
	struct child c;

	ASSERT_TRUE(spawn(&c, drop, self->area));
	self->area[1]++;
	ASSERT_TRUE(tell(&c, 1));
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_TRUE(tell(&c, 2));
	self->area[2]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
	finish(&c);
}

static int __attribute__((noinline)) vfork_and_exec(unsigned char *byte)
{
	pid_t pid = vfork();
	int status;

	if (!pid) {
		++*byte;
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

/* The child of a vfork writes into our own memory until it execs. */
TEST_F(fork, vfork_and_exec)
{
	unsigned int round;

	for (round = 0; round < 5; round++) {
		ASSERT_EQ(0, vfork_and_exec(self->area + round * MIB + 12));
		ASSERT_OK(pair_sync_compare(&self->pair));
		self->area[round * MIB + 13]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

/* ---- forks while threads write ---- */

struct writer {
	pthread_t thread;
	unsigned char *area;
	uint64_t seed;
	atomic_bool *stop;
};

static void *write_at_random(void *arg)
{
	struct writer *w = arg;
	unsigned int written = 0;

	while (!atomic_load(w->stop)) {
		w->area[random_next(&w->seed) % SIZE]++;
		if (++written % 8 == 0)
			usleep(50);
	}
	return NULL;
}

TEST_F(fork, while_threads_write)
{
	unsigned int i, round, rounds = sized(4, 2);
	struct writer w[4];
	atomic_bool stop;
	pid_t pid;

	for (round = 0; round < rounds; round++) {
		atomic_init(&stop, false);
		for (i = 0; i < ARRAY_SIZE(w); i++) {
			w[i] = (struct writer) { .area = self->area, .seed = i, .stop = &stop };
			ASSERT_EQ(0, pthread_create(&w[i].thread, NULL, write_at_random, &w[i]));
		}
		for (i = 0; i < 3; i++) {
			pid = fork();
			if (!pid) {
				self->area[i * MIB]++;
				_exit(0);
			}
			ASSERT_OK(pair_sync(&self->pair));
			waitpid(pid, NULL, 0);
		}
		atomic_store(&stop, true);
		for (i = 0; i < ARRAY_SIZE(w); i++)
			pthread_join(w[i].thread, NULL);
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

TEST_HARNESS_MAIN
