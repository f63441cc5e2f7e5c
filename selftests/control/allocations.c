// SPDX-License-Identifier: GPL-2.0
/*
 * Allocations fail, each one that a request makes in its turn, and those of the threads at
 * random: a request then fails and leaves nothing behind, or does without; a replica is late,
 * but never wrong. Needs a kernel that can make them fail, as the debug kernel can.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "test.h"

#define SIZE	(2 * MIB)
#define DEBUGFS	"/sys/kernel/debug"

/* What a request allocates at most */
#define MAX_NTH	2000

/* More than can fail at random */
#define TIMES	1000000

FIXTURE(allocations) {
	struct memsync *ms;
	struct memsync *other;	/* to look with: an answer may be stuck in @ms */
	unsigned char *area;
	int nth;
};

static const char *put_attr(const char *kind, const char *attr, const char *value)
{
	static char path[128];

	snprintf(path, sizeof(path), DEBUGFS "/%s/%s", kind, attr);
	return file_put(path, value) ? path : NULL;
}

/* Return: NULL, or the file that did not take it. */
static const char *put_both(const char *attr, const char *value)
{
	const char *why = put_attr("failslab", attr, value);

	return why ? why : put_attr("fail_page_alloc", attr, value);
}

/* How many allocations from slabs have failed since "times" was TIMES. */
static long failures(void)
{
	char text[16] = "";
	int fd = open(DEBUGFS "/failslab/times", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return -1;
	close(fd);
	return TIMES - atol(text);
}

FIXTURE_SETUP(allocations)
{
	self->nth = open("/proc/self/fail-nth", O_RDWR);
	if (self->nth < 0)
		SKIP(return, "a kernel whose allocations always succeed");
	if (access(DEBUGFS "/failslab", F_OK))
		mount("none", DEBUGFS, "debugfs", 0, NULL);
	ASSERT_OK(put_both("verbose", "0"));
	ASSERT_OK(put_both("ignore-gfp-wait", "N"));
	ASSERT_OK(put_attr("fail_page_alloc", "min-order", "0"));
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_EQ(0, memsync_open(&self->other));
	self->area = memory_new(SIZE);
	memory_fill(self->area, SIZE, 1);
}

FIXTURE_TEARDOWN(allocations)
{
	put_both("probability", "0");
	memsync_close(self->ms);
	memsync_close(self->other);
}

/* ---- one after the other ---- */

struct request {
	int (*make)(struct memsync *ms, void *area);
	int (*undo)(struct memsync *ms);
};

/* 0: the allocation has failed */
static unsigned int still_to_fail(int nth)
{
	char text[16] = "";

	return pread(nth, text, sizeof(text) - 1, 0) > 0 ? strtoul(text, NULL, 0) : 0;
}

static int count(const struct memsync_region *region, void *arg)
{
	++*(unsigned int *)arg;
	return 0;
}

static int count_listener(const struct memsync_listener *listener, void *arg)
{
	++*(unsigned int *)arg;
	return 0;
}

/* Regions, listeners */
static unsigned int objects(struct memsync *ms)
{
	unsigned int nr = 0;

	if (memsync_dump_regions(ms, count, &nr) ||
	    memsync_dump_listeners(ms, count_listener, &nr))
		return ~0U;
	return nr;
}

/*
 * The answer may be what cannot be allocated. Then the request was granted, and the
 * socket says that something was lost.
 */
static bool answer_lost(struct memsync *other, const struct request *r, unsigned int before)
{
	return objects(other) == before + 1 && r->undo && !r->undo(other);
}

static const char *fail_each(struct memsync *ms, struct memsync *other, int nth, void *area,
			     const struct request *r)
{
	unsigned int n, failed = 0, lost = 0, before = objects(other);
	static char why[256];

	for (n = 1; n < MAX_NTH; n++) {
		unsigned int left;
		char text[16];
		int err;

		snprintf(text, sizeof(text), "%u", n);
		if (pwrite(nth, text, strlen(text), 0) < 0)
			return "fail-nth cannot be written";
		err = r->make(ms, area);
		left = still_to_fail(nth);
		pwrite(nth, "0", 1, 0);
		snprintf(why, sizeof(why), "allocation %u: error %d: %s", n, err,
			 err ? memsync_error(ms) : "");
		if (!err && r->undo && r->undo(other))
			return why;
		if (err && !*memsync_error(ms))
			return why;
		failed += !!err;
		if (objects(other) != before) {
			if (!err || !answer_lost(other, r, before))
				return why;
			lost++;
		}
		if (left) {
			printf("# %u allocations, %u failures, %u answers lost\n", n - 1, failed,
			       lost);
			return err ? why : failed ? NULL : "nothing has failed";
		}
	}
	return "it never ends";
}

static struct memsync_addr nobody(uint16_t port)
{
	return (struct memsync_addr) {
		.in = {
			.sin_family = AF_INET,
			.sin_port = htons(port),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		},
	};
}

static int make_region(struct memsync *ms, void *area, enum memsync_role role, bool peer)
{
	struct memsync_range range = {
		.start = (uintptr_t)area,
		.end = (uintptr_t)area + SIZE,
	};
	struct memsync_addr addr = nobody(9);
	struct memsync_register_opts opts = {
		.size = sizeof(opts),
		.name = "t",
		.role = role,
		.ranges = &range,
		.nr_ranges = 1,
		.peers = &addr,
		.nr_peers = peer,
	};

	return memsync_register(ms, &opts, NULL);
}

static int make_source(struct memsync *ms, void *area)
{
	return make_region(ms, area, MEMSYNC_ROLE_SOURCE, false);
}

static int make_shipped(struct memsync *ms, void *area)
{
	return make_region(ms, area, MEMSYNC_ROLE_SOURCE, true);
}

static int make_sink(struct memsync *ms, void *area)
{
	return make_region(ms, area, MEMSYNC_ROLE_SINK, false);
}

static int end_region(struct memsync *ms)
{
	struct memsync_region *region;
	int err = memsync_region_find(ms, "t", 0, &region);

	if (!err) {
		err = memsync_unregister(ms, region->id);
		free(region);
	}
	return err;
}

TEST_F(allocations, source)
{
	static const struct request r = { make_source, end_region };

	ASSERT_OK(fail_each(self->ms, self->other, self->nth, self->area, &r));
}

TEST_F(allocations, source_with_peer)
{
	static const struct request r = { make_shipped, end_region };

	ASSERT_OK(fail_each(self->ms, self->other, self->nth, self->area, &r));
}

TEST_F(allocations, sink)
{
	static const struct request r = { make_sink, end_region };

	ASSERT_OK(fail_each(self->ms, self->other, self->nth, self->area, &r));
}

static int add_listener(struct memsync *ms, void *area)
{
	struct memsync_addr addr = nobody(7999);

	return memsync_listen(ms, &addr, false);
}

static int end_listener(struct memsync *ms)
{
	struct memsync_addr addr = nobody(7999);

	return memsync_unlisten(ms, &addr);
}

TEST_F(allocations, listener)
{
	static const struct request r = { add_listener, end_listener };

	ASSERT_OK(fail_each(self->ms, self->other, self->nth, self->area, &r));
}

static int show(struct memsync *ms, void *area)
{
	unsigned int nr = 0;

	return memsync_dump_regions(ms, count, &nr);
}

TEST_F(allocations, show)
{
	static const struct request r = { show, NULL };

	ASSERT_EQ(0, make_source(self->ms, self->area));
	ASSERT_OK(fail_each(self->ms, self->other, self->nth, self->area, &r));
	ASSERT_EQ(0, end_region(self->ms));
}

/* ---- at random ---- */

/* All threads of the module's, from now on. Returns how many. */
static unsigned int make_threads_fail(void)
{
	unsigned int nr = 0;
	DIR *proc = opendir("/proc");
	struct dirent *d;

	while (proc && (d = readdir(proc))) {
		char path[300], comm[16] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/comm", d->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		if (fgets(comm, sizeof(comm), f) && !strncmp(comm, "memsync/", 8)) {
			snprintf(path, sizeof(path), "/proc/%s/make-it-fail", d->d_name);
			nr += !file_put(path, "1");
		}
		fclose(f);
	}
	if (proc)
		closedir(proc);
	return nr;
}

/* A connection may break for want of memory; what counts is what is there in the end. */
TEST_F(allocations, while_passes_run)
{
	struct pair pair;
	unsigned int round, i;

	ASSERT_OK(pair_start(&pair, self->ms, getpid(), self->area, SIZE));
	ASSERT_OK(pair_sync_compare(&pair));
	ASSERT_OK(put_both("task-filter", "Y"));
	ASSERT_OK(put_both("interval", "1"));
	ASSERT_OK(put_both("times", "1000000"));
	for (round = 0; round < 20; round++) {
		ASSERT_LT(0, make_threads_fail());
		ASSERT_OK(put_both("probability", round % 2 ? "2" : "20"));
		for (i = 0; i < 10; i++) {
			memory_fill(self->area + i * (SIZE / 10), SIZE / 20, round * 10 + i);
			usleep(20000);
		}
		ASSERT_OK(put_both("probability", "0"));
		ASSERT_OK(pair_sync_compare(&pair));
	}
	ASSERT_OK(put_both("task-filter", "N"));
	printf("# %ld failures, %ju reconnects\n", failures(),
	       (uintmax_t)pair_stats(&pair).reconnects);
	ASSERT_LT(0, failures());
	pair_stop(&pair);
}

TEST_HARNESS_MAIN
