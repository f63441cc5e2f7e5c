// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel writes into the region what belongs to a thread: signal frames, futexes, thread
 * numbers, restartable sequences.
 */
#include <errno.h>
#include <linux/futex.h>
#include <linux/rseq.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

#define SIZE	(4 * MIB)
#define ROUNDS	sized(8, 4)

FIXTURE(task_writes) {
	struct memsync *ms;
	struct pair pair;
	unsigned char *area;
};

FIXTURE_VARIANT(task_writes) {
	bool huge;
	bool shared;
};

FIXTURE_VARIANT_ADD(task_writes, small) {
	.huge = false,
};

FIXTURE_VARIANT_ADD(task_writes, huge) {
	.huge = true,
};

FIXTURE_VARIANT_ADD(task_writes, shared) {
	.shared = true,
};

static unsigned char *new_area(bool huge, bool shared)
{
	void *m;

	if (!shared)
		return huge ? memory_new_huge(SIZE) : memory_new(SIZE);
	m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return m == MAP_FAILED ? NULL : m;
}

FIXTURE_SETUP(task_writes)
{
	self->area = new_area(variant->huge, variant->shared);
	ASSERT_NE(NULL, self->area);
	memory_fill(self->area, SIZE, 1);
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, SIZE));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

FIXTURE_TEARDOWN(task_writes)
{
	pair_stop(&self->pair);
	memsync_close(self->ms);
}

/* Zeros, that are known on the other side, in a page of its own for each round. */
static void *fresh(unsigned char *area, unsigned int round)
{
	unsigned char *page = area + MIB + (round * 5 + 1) * PAGE;

	return memset(page, 0, PAGE);
}

static bool has_content(const unsigned char *page)
{
	unsigned int i;

	for (i = 0; i < PAGE; i++)
		if (page[i])
			return true;
	return false;
}

static void nothing(int signal)
{
}

TEST_F(task_writes, signal_frames)
{
	stack_t stack = { .ss_size = 16 * PAGE }, before;
	struct sigaction action = { .sa_handler = nothing, .sa_flags = SA_ONSTACK };
	unsigned int round;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	for (round = 0; round < ROUNDS; round++) {
		unsigned char *end;

		stack.ss_sp = self->area + round * 17 * PAGE;
		end = (unsigned char *)stack.ss_sp + stack.ss_size;
		memset(stack.ss_sp, 0, stack.ss_size);
		ASSERT_EQ(0, sigaltstack(&stack, round ? NULL : &before));
		ASSERT_OK(pair_sync(&self->pair));
		ASSERT_EQ(0, raise(SIGUSR1));
		/* The registers of the FPU lie at its upper end. */
		ASSERT_TRUE(has_content(end - PAGE));
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	ASSERT_EQ(0, sigaltstack(&before, NULL));
}

static long futex(uint32_t *word, int op, long val, uint32_t *other, unsigned int how)
{
	return syscall(SYS_futex, word, op, val, NULL, other, how);
}

TEST_F(task_writes, futexes)
{
	uint32_t word = 0;
	unsigned int round;

	for (round = 0; round < ROUNDS; round++) {
		uint32_t *counted = fresh(self->area, 2 * round);
		uint32_t *locked = fresh(self->area, 2 * round + 1);

		ASSERT_OK(pair_sync(&self->pair));
		ASSERT_LE(0, futex(&word, FUTEX_WAKE_OP, 0, counted,
				   FUTEX_OP(FUTEX_OP_ADD, 7, FUTEX_OP_CMP_EQ, 0)));
		ASSERT_EQ(7, *counted);
		/* Where nobody has it, the kernel writes who does from now on */
		ASSERT_EQ(0, futex(locked, FUTEX_LOCK_PI, 0, NULL, 0));
		ASSERT_EQ(gettid(), (int)(*locked & FUTEX_TID_MASK));
		ASSERT_OK(pair_sync_compare(&self->pair));
		ASSERT_EQ(0, futex(locked, FUTEX_UNLOCK_PI, 0, NULL, 0));
		ASSERT_EQ(0, *locked);
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

/* ---- what a thread leaves when it ends ---- */

struct leaver {
	struct robust_list_head head;
	struct robust_list entry;
	uint32_t *word;		/* a lock that it never gives back */
	uint32_t *tid;		/* zeroed at its end */
};

static int leave(void *arg)
{
	struct leaver *l = arg;

	l->entry.next = (struct robust_list *)&l->head;
	l->head.list.next = &l->entry;
	l->head.futex_offset = (char *)l->word - (char *)&l->entry;
	l->head.list_op_pending = NULL;
	syscall(SYS_set_robust_list, &l->head, sizeof(l->head));
	syscall(SYS_set_tid_address, l->tid);
	*l->word = syscall(SYS_gettid);
	*l->tid = *l->word;
	syscall(SYS_nanosleep, &(struct timespec){ .tv_nsec = 300000000 }, NULL);
	syscall(SYS_exit, 0);
	return 0;
}

TEST_F(task_writes, end_of_a_thread)
{
	static unsigned char stack[16 * PAGE] __attribute__((aligned(16)));
	static struct leaver l;
	unsigned int round;

	for (round = 0; round < ROUNDS / 2; round++) {
		l.word = fresh(self->area, 2 * round);
		l.tid = fresh(self->area, 2 * round + 1);
		ASSERT_LT(0, clone(leave, stack + sizeof(stack), CLONE_VM | CLONE_FS | CLONE_FILES |
				   CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, &l));
		while (!*(volatile uint32_t *)l.tid)
			usleep(1000);
		/* It sleeps: from here on only its end changes anything. */
		ASSERT_OK(pair_sync(&self->pair));
		while (*(volatile uint32_t *)l.tid)
			usleep(10000);
		ASSERT_NE(0, *l.word & FUTEX_OWNER_DIED);
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

/* ---- a restartable sequence ---- */

#define SIGNATURE	0x53053053

struct hopper {
	struct rseq *rseq;
	pthread_barrier_t gate;
	int failed;
	unsigned int hops;
};

static bool hop(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

static void *hopper(void *arg)
{
	char *own = (char *)__builtin_thread_pointer() + __rseq_offset;
	struct hopper *h = arg;
	unsigned int i;

	/* The C library has registered one already, with the size of its time. */
	if (__rseq_size && syscall(SYS_rseq, own, 32, RSEQ_FLAG_UNREGISTER, SIGNATURE))
		h->failed = errno;
	if (!h->failed && syscall(SYS_rseq, h->rseq, 32, 0, SIGNATURE))
		h->failed = errno;
	for (i = 0; i < h->hops; i++) {
		pthread_barrier_wait(&h->gate);
		if (!h->failed && !hop(i % 2))
			h->failed = errno;
		if (!h->failed && h->rseq->cpu_id != i % 2)
			h->failed = EIO;
		pthread_barrier_wait(&h->gate);
	}
	syscall(SYS_rseq, h->rseq, 32, RSEQ_FLAG_UNREGISTER, SIGNATURE);
	return NULL;
}

/* The kernel writes it whenever the thread has been on another CPU. */
TEST_F(task_writes, restartable_sequences)
{
	struct hopper h = { .hops = 2 * ROUNDS };
	pthread_t thread;
	unsigned int i;

	h.rseq = (void *)((char *)fresh(self->area, 0) + 512);
	pthread_barrier_init(&h.gate, NULL, 2);
	ASSERT_EQ(0, pthread_create(&thread, NULL, hopper, &h));
	for (i = 0; i < h.hops; i++) {
		ASSERT_OK(pair_sync(&self->pair));
		pthread_barrier_wait(&h.gate);
		pthread_barrier_wait(&h.gate);
		ASSERT_EQ(0, h.failed);
		usleep(20000);		/* it waits at the gate again */
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	pthread_join(thread, NULL);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

TEST_HARNESS_MAIN
