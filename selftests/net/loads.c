// SPDX-License-Identifier: GPL-2.0
/*
 * Regions are registered and unregistered, and the module is loaded and unloaded, again and
 * again, while the processes that it watches write. On a kernel that can make them,
 * allocations fail meanwhile: those of a request, of the module's threads, of its own start.
 * MEMSYNC_LOADS is how often each of the two.
 *
 * Nothing is executed, and no file opened that is not the kernel's, while they fail: the
 * module is to do without, not the root file system.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "failing.h"
#include "test.h"
#include "writer.h"

#define SMALL		sized(MIB, 256 * KIB)

/* So many pages may fault for reasons of their own */
#define MAX_FAULTS	20

/* What a start of the module allocates at most */
#define MAX_NTH		20000

struct loads {
	struct memsync *ms;	/* while the module is there */
	struct writer source;
	struct writer sink;
	uint32_t source_id;
	uint32_t sink_id;
	void *ko;
	size_t ko_size;
	bool failing;
	unsigned int whole;
	uint64_t begin;
};

FIXTURE(loads) {
	struct loads l;
};

static unsigned int cycles(void)
{
	const char *loads = getenv("MEMSYNC_LOADS");

	return loads ? strtoul(loads, NULL, 0) : 100;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

/* ---- the module ---- */

/* Before anything fails: loading it from a file would read that. */
static const char *read_module(struct loads *l)
{
	const char *path = getenv("MEMSYNC_KO");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return "MEMSYNC_KO does not name the module";
	l->ko = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	l->ko_size = st.st_size;
	close(fd);
	return l->ko == MAP_FAILED ? "the module cannot be read" : NULL;
}

static bool is_loaded(void)
{
	return !access("/sys/module/memsync", F_OK);
}

static int load_with(struct loads *l, const char *parameters)
{
	return syscall(SYS_init_module, l->ko, l->ko_size, parameters) ? -errno : 0;
}

static const char *load(struct loads *l)
{
	int err = load_with(l, "");

	if (!err)
		err = memsync_open(&l->ms);
	return err ? pair_fail("load: %s", strerror(-err)) : NULL;
}

static const char *unload(struct loads *l)
{
	memsync_close(l->ms);
	l->ms = NULL;
	if (syscall(SYS_delete_module, "memsync", O_NONBLOCK))
		return pair_fail("unload: %m");
	return is_loaded() ? "it is unloaded, and there" : NULL;
}

/* ---- regions ---- */

static int register_one(struct loads *l, const struct writer *w, enum memsync_role role, bool huge,
			uint32_t *id)
{
	struct memsync_addr peer = pair_loopback();
	struct memsync_register_opts opts = {
		.size = sizeof(opts),
		.name = "t",
		.role = role,
		.pid = w->pid,
		.ranges = w->ranges,
		.nr_ranges = huge ? 2 : 1,
		.peers = &peer,
		.nr_peers = role == MEMSYNC_ROLE_SOURCE,
	};

	return memsync_register(l->ms, &opts, id);
}

static int register_both(struct loads *l, bool huge)
{
	struct memsync_addr addr = pair_loopback();
	int err;

	err = memsync_listen(l->ms, &addr, false);
	if (!err)
		err = register_one(l, &l->sink, MEMSYNC_ROLE_SINK, huge, &l->sink_id);
	if (!err)
		err = register_one(l, &l->source, MEMSYNC_ROLE_SOURCE, huge,
				   &l->source_id);
	return err;
}

static void unregister_both(struct loads *l, bool source_first)
{
	memsync_unregister(l->ms, source_first ? l->source_id : l->sink_id);
	memsync_unregister(l->ms, source_first ? l->sink_id : l->source_id);
}

static int unregister(const struct memsync_region *region, void *arg)
{
	struct loads *l = arg;

	return strcmp(region->name, "t") ? 0 : memsync_unregister(l->ms, region->id);
}

static int unlisten(const struct memsync_listener *listener, void *arg)
{
	struct loads *l = arg;

	return memsync_unlisten(l->ms, &listener->addr);
}

/* What is there yet. By a new handle: an answer that was lost may be stuck in the other. */
static const char *clear(struct loads *l)
{
	int err;

	memsync_close(l->ms);
	err = memsync_open(&l->ms);
	if (err)
		return pair_fail("memsync_open: %s", strerror(-err));
	if (memsync_dump_regions(l->ms, unregister, l) ||
	    memsync_dump_listeners(l->ms, unlisten, l))
		return pair_fail("clear: %s", memsync_error(l->ms));
	return NULL;
}

/* Nothing of ours keeps a process from its pages, and it has what it had. */
static const char *let_go(struct writer *w)
{
	long faults = writer_order(w, WRITER_TOUCH);

	return faults < 0 || faults >= MAX_FAULTS ? pair_fail("%ld faults", faults) : NULL;
}

static const char *compare_range(const struct loads *l, unsigned int i)
{
	static unsigned char a[PAGE], b[PAGE];
	const struct memsync_range *from = &l->source.ranges[i], *to = &l->sink.ranges[i];
	uint64_t at;

	for (at = 0; at < from->end - from->start; at += PAGE) {
		struct iovec here[] = { { a, PAGE }, { b, PAGE } };
		struct iovec source = { (void *)(uintptr_t)(from->start + at), PAGE };
		struct iovec sink = { (void *)(uintptr_t)(to->start + at), PAGE };

		if (process_vm_readv(l->source.pid, &here[0], 1, &source, 1, 0) != PAGE ||
		    process_vm_readv(l->sink.pid, &here[1], 1, &sink, 1, 0) != PAGE)
			return pair_fail("memory of a writer: %m");
		if (memcmp(a, b, PAGE))
			return pair_fail("page %lu of range %u differs", (long)(at / PAGE), i);
	}
	return NULL;
}

static const char *compare(const struct loads *l)
{
	const char *why = compare_range(l, 0);

	return why ? why : compare_range(l, 1);
}

static const char *sync_both(struct loads *l)
{
	if (memsync_barrier(l->ms, l->source_id, PAIR_TIMEOUT_MS, NULL))
		return pair_fail("barrier: %s", memsync_error(l->ms));
	return NULL;
}

/* In the end it works as ever. What was shipped before does not count. */
static const char *last_one(struct loads *l)
{
	const char *why;

	if (writer_order(&l->sink, WRITER_TOUCH) < 0 || !compare(l))
		return "source and sink are equal, and have not been registered";
	if (register_both(l, true))
		return pair_fail("register: %s", memsync_error(l->ms));
	why = sync_both(l);
	if (!why)
		why = compare(l);
	return why ? why : clear(l);
}

/* ---- one cycle ---- */

static const char *requests_fail(struct loads *l, bool on)
{
	if (!l->failing)
		return NULL;
	/* A request makes some hundreds of allocations */
	if (on && failing_start(2, 11))
		return "failslab takes no percentage";
	if (failing_mark(on))
		return "make-it-fail cannot be written";
	return on ? NULL : failing_stop();
}

/* Passes run, and do without memory. */
static const char *traffic(struct loads *l, unsigned int i)
{
	if (l->failing && i % 2) {
		if (!failing_mark_module())
			return "the module has no threads";
		failing_start(10, 1);
	}
	usleep(i % 10 * 3000);
	return l->failing ? failing_stop() : NULL;
}

/*
 * Anything of it may fail for want of memory. Of four, one ends in its first pass, and one
 * while nobody writes: then all pages are protected that a pass has seen.
 */
static const char *begin_cycle(struct loads *l, unsigned int i)
{
	const char *why = requests_fail(l, true);
	int err;

	if (why)
		return why;
	err = register_both(l, i % 8 == 0);
	why = requests_fail(l, false);
	if (why)
		return why;
	if (err && !l->failing)
		return pair_fail("register: %s", memsync_error(l->ms));
	if (err || i % 4 == 1)
		return NULL;
	if (i % 4 == 0)
		writer_order(&l->source, WRITER_REST);
	why = sync_both(l);
	if (why)
		return why;
	l->whole++;
	return traffic(l, i);
}

static const char *end_by_request(struct loads *l, unsigned int i)
{
	const char *why = requests_fail(l, true);

	if (why)
		return why;
	unregister_both(l, i % 4 < 2);
	return requests_fail(l, false);
}

static const char *end_cycle(struct loads *l)
{
	const char *why = let_go(&l->source);

	if (!why)
		why = let_go(&l->sink);
	writer_order(&l->source, WRITER_RUN);
	return why;
}

static const char *register_cycle(struct loads *l, unsigned int i)
{
	const char *why = begin_cycle(l, i);

	if (!why)
		why = end_by_request(l, i);
	if (!why)
		why = clear(l);
	return why ? why : end_cycle(l);
}

/* Half of them are unloaded as they are. */
static const char *load_cycle(struct loads *l, unsigned int i)
{
	const char *why = load(l);

	if (!why)
		why = begin_cycle(l, i);
	if (!why && i / 4 % 2)
		why = end_by_request(l, i);
	if (!why)
		why = unload(l);
	return why ? why : end_cycle(l);
}

/* ---- the tests ---- */

/* Of what a load and an unload take, half is waiting for RCU. */
static const char *hurry(bool on)
{
	return file_put("/sys/kernel/rcu_expedited", on ? "1" : "0") ? "rcu_expedited" : NULL;
}

FIXTURE_SETUP(loads)
{
	struct loads *l = &self->l;

	l->failing = failing_possible();
	if (l->failing)
		ASSERT_OK(failing_init(0));
	ASSERT_OK(read_module(l));
	ASSERT_OK(writer_start(&l->source, SMALL, HUGE, 1));
	ASSERT_OK(writer_start(&l->sink, SMALL, HUGE, 2));
	ASSERT_OK(pair_host());
	/* Nothing of this program is to be read from a file while allocations fail */
	ASSERT_EQ(0, mlockall(MCL_CURRENT));
	if (!is_loaded())
		ASSERT_EQ(0, load_with(l, ""));
	ASSERT_EQ(0, memsync_open(&l->ms));
	ASSERT_LE(0, writer_order(&l->source, WRITER_RUN));
	l->begin = now_ms();
}

FIXTURE_TEARDOWN(loads)
{
	struct loads *l = &self->l;

	if (l->failing) {
		failing_mark(false);
		failing_nth(0);
		failing_stop();
	}
	hurry(false);
	memsync_close(l->ms);
	if (!is_loaded())
		load_with(l, "");
	writer_end(&l->source);
	writer_end(&l->sink);
}

static const char *report(struct loads *l, unsigned int nr)
{
	printf("# %u of %u were whole, %ld allocations failed, %ju ms each\n", l->whole, nr,
	       l->failing ? failing_count() : 0, (uintmax_t)(now_ms() - l->begin) / nr);
	if (l->failing && failing_count() <= 0)
		return "no allocation has failed";
	return l->whole > nr / 4 ? NULL : "most have come to nothing";
}

/* The module stays; one region is there all the time, so that faults stay hooked. */
TEST_F_TIMEOUT(loads, registered, 20000)
{
	struct loads *l = &self->l;
	struct memsync_register_opts opts = {
		.size = sizeof(opts),
		.name = "aside",
		.role = MEMSYNC_ROLE_SOURCE,
		.pid = l->source.pid,
		.ranges = &l->source.aside,
		.nr_ranges = 1,
	};
	unsigned int i, nr = cycles();

	ASSERT_EQ(0, memsync_register(l->ms, &opts, NULL));
	for (i = 0; i < nr; i++)
		ASSERT_OK(register_cycle(l, i));
	ASSERT_OK(report(l, nr));
	ASSERT_LE(0, writer_order(&l->source, WRITER_REST));
	ASSERT_OK(last_one(l));
}

TEST_F_TIMEOUT(loads, loaded, 20000)
{
	struct loads *l = &self->l;
	unsigned int i, nr = cycles();

	ASSERT_OK(hurry(true));
	ASSERT_OK(unload(l));
	for (i = 0; i < nr; i++)
		ASSERT_OK(load_cycle(l, i));
	ASSERT_OK(report(l, nr));
	ASSERT_LE(0, writer_order(&l->source, WRITER_REST));
	ASSERT_OK(load(l));
	ASSERT_OK(last_one(l));
}

/* A parameter of a debug build: rejected when the kernel's part of loading is done */
#define NO_NUMBER	"delay_entry=none"

/* The @n-th allocation of a load fails, if there are so many; how many are left goes to @left. */
static int load_failing(struct loads *l, unsigned int n, const char *parameters, unsigned int *left)
{
	int err;

	failing_nth(n);
	err = load_with(l, parameters);
	*left = failing_nth_left();
	failing_nth(0);
	return err;
}

/*
 * Which allocations of a load are the module's own; the kernel has warnings for some of
 * its part.
 */
static const char *find_own(struct loads *l, unsigned int *first, unsigned int *last)
{
	unsigned int left;

	if (load_failing(l, MAX_NTH, NO_NUMBER, &left) != -EINVAL)
		return "it takes a parameter that is none";
	*first = MAX_NTH - left + 1;
	if (load_failing(l, MAX_NTH, "", &left))
		return "it cannot be loaded";
	*last = MAX_NTH - left;
	return unload(l);
}

/* It is not there, or works without what it did not get. */
static const char *start_failing(struct loads *l, unsigned int n, unsigned int *failed)
{
	unsigned int left;
	int err = load_failing(l, n, "", &left);

	if (!err) {
		err = memsync_open(&l->ms);
		return err ? pair_fail("allocation %u: %s", n, strerror(-err)) : unload(l);
	}
	++*failed;
	if (err != -ENOMEM)
		return pair_fail("allocation %u: %s", n, strerror(-err));
	return is_loaded() ? pair_fail("allocation %u: half of it is there", n) : NULL;
}

/* Each, or as many as there is time for, others each time: then each so manyeth. */
TEST_F_TIMEOUT(loads, start, 20000)
{
	struct loads *l = &self->l;
	unsigned int n, step, first, last, tried = 0, failed = 0;

	if (!l->failing)
		SKIP(return, "a kernel whose allocations always succeed");
	/* How many pages are allocated differs from time to time. */
	ASSERT_OK(failing_init(20));
	ASSERT_OK(hurry(true));
	ASSERT_OK(unload(l));
	ASSERT_OK(find_own(l, &first, &last));
	ASSERT_LT(first, last);
	/* Every second may be kmemleak's, which has a reserve. */
	step = (last - first) / (cycles() / 2 + 1) | 1;
	for (n = first + l->begin % step; n <= last; n += step) {
		ASSERT_OK(start_failing(l, n, &failed));
		tried++;
	}
	printf("# %u of %u allocations tried, %u failures, %ju ms each\n", tried,
	       last - first + 1, failed, (uintmax_t)(now_ms() - l->begin) / tried);
	ASSERT_LT(tried / 8, failed);
	ASSERT_LE(0, writer_order(&l->source, WRITER_REST));
	ASSERT_OK(load(l));
	ASSERT_OK(last_one(l));
}

TEST_HARNESS_MAIN
