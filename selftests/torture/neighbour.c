// SPDX-License-Identifier: GPL-2.0
/* Another process: it writes to what we share, and into our memory from outside. */
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "torture.h"

static size_t any(struct neighbour *n, size_t limit)
{
	return random_next(&n->seed) % limit;
}

static unsigned char *any_common(struct neighbour *n, const struct torture *t)
{
	return t->area + any(n, t->common / 8) * 8;
}

static void write_shared_memory(struct neighbour *n, const struct torture *t)
{
	unsigned int i;

	for (i = 0; i < 32; i++) {
		t->alias[any(n, t->shared_size - PAGE)]++;
		t->mapped[any(n, DISK_SIZE)]++;
	}
	t->huge_shared[any(n, t->huge_size)]++;
}

static void write_vm(struct neighbour *n, const struct torture *t, pid_t pid)
{
	char text[64];
	struct iovec from = { text, sizeof(text) };
	struct iovec to = { any_common(n, t), 8 + any(n, sizeof(text) - 8) };

	memset(text, any(n, 256), sizeof(text));
	from.iov_len = to.iov_len;
	/* At the end of it there may be nothing. */
	process_vm_writev(pid, &from, 1, &to, 1, 0);
}

static void write_mem(struct neighbour *n, const struct torture *t, int mem)
{
	uint64_t value = random_next(&n->seed);

	n->failed |= pwrite(mem, &value, sizeof(value), (uintptr_t)any_common(n, t)) !=
		     sizeof(value);
}

/* As a debugger does: the thread stands still meanwhile. */
static void poke(struct neighbour *n, const struct torture *t)
{
	pid_t tid = n->tids[any(n, WORKERS)];
	int status;

	if (ptrace(PTRACE_SEIZE, tid, 0, 0))
		return;
	n->failed |= ptrace(PTRACE_INTERRUPT, tid, 0, 0) || waitpid(tid, &status, __WALL) != tid ||
		     ptrace(PTRACE_POKEDATA, tid, any_common(n, t), random_next(&n->seed)) ||
		     ptrace(PTRACE_DETACH, tid, 0, 0);
}

static __attribute__((noreturn)) void live(struct neighbour *n, const struct torture *t, pid_t pid)
{
	int mem = pid_open_mem(pid);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* What was private stays the other's alone. */
	munmap(t->area, t->huge_shared - t->area);
	munmap(t->huge_shared + t->huge_size, t->shared - t->huge_shared - t->huge_size);
	munmap(t->copied, DISK_SIZE);
	for (;;) {
		size_t what = any(n, 100);

		if (!atomic_load(&n->running)) {
			atomic_store(&n->parked, true);
			while (!atomic_load(&n->running))
				usleep(1000);
			atomic_store(&n->parked, false);
		}
		if (what < 50)
			write_shared_memory(n, t);
		else if (what < 75)
			write_vm(n, t, pid);
		else if (what < 97)
			write_mem(n, t, mem);
		else
			poke(n, t);
		n->done++;
		usleep(200);
	}
}

int neighbour_start(struct torture *t, uint64_t seed)
{
	struct neighbour *n = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				   -1, 0);
	pid_t parent = getpid(), pid;

	if (n == MAP_FAILED)
		return -1;
	n->seed = seed;
	pid = fork();
	if (!pid)
		live(n, t, parent);
	t->neighbour = n;
	t->neighbour_pid = pid;
	return pid < 0;
}

void neighbour_run(struct torture *t)
{
	atomic_store(&t->neighbour->running, true);
	while (atomic_load(&t->neighbour->parked))
		usleep(1000);
}

const char *neighbour_park(struct torture *t)
{
	struct neighbour *n = t->neighbour;

	atomic_store(&n->running, false);
	while (!atomic_load(&n->parked)) {
		if (waitpid(t->neighbour_pid, NULL, WNOHANG) == t->neighbour_pid)
			return "the other process has ended";
		usleep(1000);
	}
	return n->failed ? "the other process could not write" : NULL;
}
