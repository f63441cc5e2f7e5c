// SPDX-License-Identifier: GPL-2.0
/*
 * A barrier did not have what a child wrote to shared memory in large folios. From Linux 6.15
 * on, a fork copies the entries of a shared mapping in which there are guards, and makes all of
 * a batch writable if one of them is: what the child writes by these meets no fault. It was
 * found when the page that was written before the fork was, and shipped by the pass after it;
 * and never where that page was in no range.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#endif

#define SIZE	(4 * MIB)
#define FOLIO	(64 * KIB)
#define SETTING	"/sys/kernel/mm/transparent_hugepage/hugepages-64kB/shmem_enabled"
#define NEVER	60000000	/* us; barriers are taken nonetheless */

FIXTURE(guard) {
	struct memsync *ms;
	struct pair pair;
	unsigned char *area;
};

FIXTURE_VARIANT(guard) {
	size_t first;		/* page of a range that begins there */
};

FIXTURE_VARIANT_ADD(guard, whole) {
	.first = 0,
};

FIXTURE_VARIANT_ADD(guard, begins_in_a_folio) {
	.first = 8,
};

FIXTURE_SETUP(guard)
{
	size_t before = variant->first * PAGE;
	int fd = memfd_create("guard", MFD_CLOEXEC);

	if (file_put(SETTING, "always"))
		SKIP(return, "this kernel has no large folios of shared memory: no " SETTING);
	ASSERT_EQ(0, ftruncate(fd, SIZE));
	/* Where large folios can be mapped whole. */
	self->area = mmap(memory_new(SIZE), SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			  fd, 0);
	ASSERT_NE(MAP_FAILED, self->area);
	close(fd);
	memory_fill_all(self->area, SIZE, 1);
	if (madvise(self->area + SIZE - PAGE, PAGE, MADV_GUARD_INSTALL))
		SKIP(return, "this kernel has no guards in shared memory");
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area + before,
			     SIZE - before));
	ASSERT_OK(pair_sync(&self->pair));
	ASSERT_EQ(0, memsync_set_interval(self->ms, self->pair.source, NEVER));
}

FIXTURE_TEARDOWN(guard)
{
	file_put(SETTING, "never");
	if (!self->ms)
		return;
	pair_stop(&self->pair);
	memsync_close(self->ms);
}

/* It lives on with what it has mapped: to end would be to tell. */
static pid_t child_writes(unsigned char *area, unsigned char value, int *done)
{
	pid_t pid = fork();
	size_t at;

	if (pid)
		return pid;
	for (at = 0; at < SIZE - FOLIO; at += FOLIO)
		area[at + 9 * PAGE] = value;
	if (write(done[1], "", 1) == 1)
		pause();
	_exit(1);
}

TEST_F(guard, forked)
{
	size_t length = SIZE - FOLIO - variant->first * PAGE;
	unsigned int round;
	int done[2];

	ASSERT_EQ(0, pipe(done));
	for (round = 0; round < 4; round++) {
		size_t at;
		pid_t pid;
		char byte;

		ASSERT_OK(pair_sync(&self->pair));
		ASSERT_OK(pair_sync(&self->pair));
		for (at = 0; at < SIZE - FOLIO; at += FOLIO)
			self->area[at] = 100 + round;
		pid = child_writes(self->area, 100 + round, done);
		ASSERT_LT(0, pid);
		ASSERT_EQ(1, read(done[0], &byte, 1));
		ASSERT_OK(pair_sync(&self->pair));
		ASSERT_OK(pair_compare_direct(&self->pair, 0, length));
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	}
}

TEST_HARNESS_MAIN
