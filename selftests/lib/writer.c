// SPDX-License-Identifier: GPL-2.0
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "writer.h"

#define NR_THREADS	2
#define NR_RANGES	2

/* In the child */
static struct memsync_range ranges[NR_RANGES];
static pthread_t threads[NR_THREADS];
static atomic_bool running;

static void *write_at_random(void *arg)
{
	uint64_t seed = (uintptr_t)arg;
	unsigned int i;

	while (atomic_load(&running)) {
		for (i = 0; i < 8; i++) {
			uint64_t n = random_next(&seed);
			const struct memsync_range *r = &ranges[n % NR_RANGES];

			((unsigned char *)r->start)[(n >> 8) % (r->end - r->start)] = n >> 3;
		}
		usleep(300);
	}
	return NULL;
}

static void run(void)
{
	uintptr_t i;

	atomic_store(&running, true);
	for (i = 0; i < NR_THREADS; i++)
		pthread_create(&threads[i], NULL, write_at_random, (void *)(i + 1));
}

static void rest(void)
{
	unsigned int i;

	if (!atomic_exchange(&running, false))
		return;
	for (i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
}

static long touch(void)
{
	struct rusage before, after;
	unsigned int i;
	uint64_t at;

	getrusage(RUSAGE_SELF, &before);
	for (i = 0; i < NR_RANGES; i++)
		for (at = ranges[i].start; at < ranges[i].end; at += PAGE)
			++*(unsigned char *)at;
	getrusage(RUSAGE_SELF, &after);
	return after.ru_minflt - before.ru_minflt;
}

static void obey(int orders, int answers)
{
	unsigned char order;

	while (read(orders, &order, 1) == 1) {
		long answer = 0;

		rest();
		if (order == WRITER_RUN)
			run();
		else if (order == WRITER_TOUCH)
			answer = touch();
		if (write(answers, &answer, sizeof(answer)) < 0)
			break;
	}
}

static struct memsync_range range_new(void *start, size_t size, uint64_t seed)
{
	if (!start)
		_exit(1);
	memory_fill(start, size, seed);
	return (struct memsync_range) {
		.start = (uintptr_t)start,
		.end = (uintptr_t)start + size,
	};
}

static void child(struct writer *w, size_t small, size_t huge, uint64_t seed)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	w->ranges[0] = range_new(memory_new(small), small, seed);
	w->ranges[1] = range_new(memory_new_huge(huge), huge, seed + small);
	w->aside = range_new(memory_new(PAGE), PAGE, seed);
	memcpy(ranges, w->ranges, sizeof(ranges));
	if (write(w->answers, w, sizeof(*w)) == sizeof(*w))
		obey(w->orders, w->answers);
	_exit(0);
}

/* All of it, or the child is gone. */
static bool hear(const struct writer *w, void *answer, size_t size)
{
	struct pollfd fd = { w->answers, POLLIN, 0 };

	return poll(&fd, 1, PAIR_TIMEOUT_MS) == 1 &&
	       read(w->answers, answer, size) == (ssize_t)size;
}

const char *writer_start(struct writer *w, size_t small, size_t huge, uint64_t seed)
{
	int orders[2], answers[2];
	struct writer told;

	memset(w, 0, sizeof(*w));
	if (pipe(orders) || pipe(answers))
		return "no pipe";
	w->pid = fork();
	if (!w->pid) {
		close(orders[1]);
		close(answers[0]);
		w->orders = orders[0];
		w->answers = answers[1];
		child(w, small, huge, seed);
	}
	close(orders[0]);
	close(answers[1]);
	w->orders = orders[1];
	w->answers = answers[0];
	if (w->pid < 0 || !hear(w, &told, sizeof(told)))
		return "the writer does not start";
	memcpy(w->ranges, told.ranges, sizeof(w->ranges));
	w->aside = told.aside;
	return NULL;
}

long writer_order(struct writer *w, enum writer_order order)
{
	unsigned char byte = order;
	long answer;

	if (write(w->orders, &byte, 1) != 1 || !hear(w, &answer, sizeof(answer)))
		return -1;
	return answer;
}

void writer_end(struct writer *w)
{
	if (w->pid <= 0)
		return;
	kill(w->pid, SIGKILL);
	waitpid(w->pid, NULL, 0);
	close(w->orders);
	close(w->answers);
}
