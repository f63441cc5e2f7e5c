// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pair.h"

#define CHUNK	(1UL * MIB)

/* The tests run one after another in processes of their own. */
const char *pair_fail(const char *fmt, ...)
{
	static char text[768];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return text;
}

bool on_debug_kernel(void)
{
	const char *kernel = getenv("MEMSYNC_KERNEL");

	return kernel && !strcmp(kernel, "debug");
}

/* ---- network ---- */

struct memsync_addr pair_loopback(void)
{
	return (struct memsync_addr) {
		.in = {
			.sin_family = AF_INET,
			.sin_port = htons(PAIR_PORT),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		},
		.prefix = 32,
	};
}

static int loopback_up(void)
{
	struct ifreq req = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int err, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	err = fd < 0 || ioctl(fd, SIOCSIFFLAGS, &req);
	close(fd);
	return err;
}

const char *pair_host(void)
{
	if (unshare(CLONE_NEWNET))
		return pair_fail("unshare: %m");
	return loopback_up() ? pair_fail("cannot bring up loopback: %m") : NULL;
}

const char *pair_net(struct memsync **ms)
{
	struct memsync_addr addr = pair_loopback();
	const char *why = pair_host();
	int err;

	if (why)
		return why;
	err = memsync_open(ms);
	if (err)
		return pair_fail("memsync_open: %s", strerror(-err));
	if (memsync_listen(*ms, &addr, false))
		return pair_fail("listen: %s", memsync_error(*ms));
	return NULL;
}

/* ---- source and sink ---- */

#define ASIDE	(37 * PAGE)

/*
 * Our own mapping of the replica lies apart from where tests have their memory by
 * some pages more than a multiple of 2 MiB: an emulated CPU keeps few translations, by
 * the low bits of the page's number, and comparing two pages of the same would make
 * each read evict the other's.
 */
static void *map_aside(size_t size, int fd)
{
	char *area = memory_new_sparse(size + HUGE), *at;

	if (!area)
		return MAP_FAILED;
	munmap(area, ASIDE);
	munmap(area + ASIDE + size, HUGE - ASIDE);
	at = mmap(area + ASIDE, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	if (at == MAP_FAILED)
		munmap(area + ASIDE, size);
	return at;
}

static const char *share_replica(struct pair *p, int *fd)
{
	*fd = memfd_create("replica", 0);
	if (*fd < 0 || ftruncate(*fd, p->size))
		return pair_fail("memory for the replica: %m");
	p->replica = map_aside(p->size, *fd);
	if (p->replica == MAP_FAILED)
		return pair_fail("mmap of the replica: %m");
	/* What was there before must not look like a success. */
	memset(p->replica, 0xa5, p->size);
	return NULL;
}

/*
 * A process with the replica mapped, or, if @fd is -1, private memory; it ends
 * with us. Not a fork of ours: that would share the source's pages.
 */
static const char *start_holder(struct pair *p, int fd)
{
	posix_spawn_file_actions_t actions;
	char path[512], fd_arg[16], size_arg[32];
	char *argv[] = { "holder", fd_arg, size_arg, NULL };
	int err, out[2];
	ssize_t n;

	if (pipe2(out, O_CLOEXEC))
		return pair_fail("pipe: %m");
	n = readlink("/proc/self/exe", path, sizeof(path) - 32);
	path[n > 0 ? n : 0] = 0;
	if (strrchr(path, '/'))
		strcpy(strrchr(path, '/'), "/../lib/holder");
	snprintf(fd_arg, sizeof(fd_arg), "%d", fd);
	snprintf(size_arg, sizeof(size_arg), "%zu", p->size);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
	err = posix_spawn(&p->holder, path, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(out[1]);
	if (!err && read(out[0], &p->replica_addr, sizeof(p->replica_addr)) !=
	    sizeof(p->replica_addr))
		err = ECHILD;
	close(out[0]);
	return err ? pair_fail("%s: %s", path, strerror(err)) : NULL;
}

static const char *register_sink(struct pair *p)
{
	struct memsync_range ranges[PAIR_RANGES];
	struct memsync_register_opts opts = {
		.size = sizeof(opts),
		.name = p->name,
		.role = MEMSYNC_ROLE_SINK,
		.pid = p->holder,
		.ranges = ranges,
		.nr_ranges = p->nr_ranges,
	};
	size_t i;

	for (i = 0; i < p->nr_ranges; i++) {
		uint64_t length = p->ranges[i].end - p->ranges[i].start;

		ranges[i].start = p->replica_addr + p->ranges[i].offset;
		ranges[i].end = ranges[i].start + length;
		ranges[i].offset = 0;
	}
	if (memsync_register(p->ms, &opts, &p->sink))
		return pair_fail("register the sink: %s", memsync_error(p->ms));
	return NULL;
}

static const char *register_source(struct pair *p, uint32_t flags)
{
	struct memsync_addr peer = pair_loopback();
	struct memsync_register_opts opts = {
		.size = sizeof(opts),
		.name = p->name,
		.role = MEMSYNC_ROLE_SOURCE,
		.pid = p->pid,
		.flags = flags,
		.ranges = p->ranges,
		.nr_ranges = p->nr_ranges,
		.peers = &peer,
		.nr_peers = 1,
	};

	if (memsync_register(p->ms, &opts, &p->source))
		return pair_fail("register the source: %s", memsync_error(p->ms));
	return NULL;
}

static const char *start(struct pair *p, struct memsync *ms, const char *name, pid_t pid,
			 const struct memsync_range *ranges, size_t nr, bool shared, uint32_t flags)
{
	const char *why = NULL;
	int fd = -1;
	size_t i;

	memset(p, 0, sizeof(*p));
	p->ms = ms;
	p->pid = pid;
	snprintf(p->name, sizeof(p->name), "%s", name);
	for (i = 0; i < nr; i++) {
		p->ranges[i] = ranges[i];
		p->ranges[i].offset = p->size;
		p->size += ranges[i].end - ranges[i].start;
	}
	p->nr_ranges = nr;
	if (shared)
		why = share_replica(p, &fd);
	if (!why)
		why = start_holder(p, fd);
	close(fd);
	if (!why)
		why = register_sink(p);
	return why ? why : register_source(p, flags);
}

const char *pair_start_ranges(struct pair *p, struct memsync *ms, const char *name, pid_t pid,
			      const struct memsync_range *ranges, size_t nr)
{
	return start(p, ms, name, pid, ranges, nr, true, 0);
}

const char *pair_start(struct pair *p, struct memsync *ms, pid_t pid, const void *addr,
		       size_t length)
{
	struct memsync_range range = { (uintptr_t)addr, (uintptr_t)addr + length, 0 };

	return start(p, ms, "t", pid, &range, 1, true, 0);
}

const char *pair_start_compared(struct pair *p, struct memsync *ms, pid_t pid, const void *addr,
				size_t length)
{
	struct memsync_range range = { (uintptr_t)addr, (uintptr_t)addr + length, 0 };

	return start(p, ms, "t", pid, &range, 1, true, MEMSYNC_REGION_F_COMPARE);
}

const char *pair_start_private(struct pair *p, struct memsync *ms, pid_t pid, const void *addr,
			       size_t length)
{
	struct memsync_range range = { (uintptr_t)addr, (uintptr_t)addr + length, 0 };

	return start(p, ms, "t", pid, &range, 1, false, 0);
}

void pair_stop(struct pair *p)
{
	if (p->source)
		memsync_unregister(p->ms, p->source);
	if (p->sink)
		memsync_unregister(p->ms, p->sink);
	if (p->holder > 0) {
		kill(p->holder, SIGKILL);
		waitpid(p->holder, NULL, 0);
	}
	if (p->replica && p->replica != MAP_FAILED)
		munmap(p->replica, p->size);
	memset(p, 0, sizeof(*p));
}

/* ---- compare ---- */

int pid_open_mem(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	return open(path, O_RDWR | O_CLOEXEC);
}

/* Under emulation several times as fast as memcmp(), whose vectors are emulated too. */
static bool words_equal(const unsigned char *a, const unsigned char *b, size_t length)
{
	const uint64_t *x = (const void *)a, *y = (const void *)b;
	uint64_t difference = 0;
	size_t i;

	for (i = 0; i < length / sizeof(*x); i += 4)
		difference |= (x[i] ^ y[i]) | (x[i + 1] ^ y[i + 1]) | (x[i + 2] ^ y[i + 2]) |
			      (x[i + 3] ^ y[i + 3]);
	return !difference;
}

/* Of whole pages. */
static size_t first_difference(const unsigned char *a, const unsigned char *b, size_t length)
{
	size_t i = 0;

	if (words_equal(a, b, length))
		return length;
	while (i < length && a[i] == b[i])
		i++;
	return i;
}

static const char *differs(const struct pair *p, uint64_t offset, unsigned int is,
			   unsigned int should)
{
	size_t i;

	for (i = 0; i + 1 < p->nr_ranges; i++)
		if (offset < p->ranges[i + 1].offset)
			break;
	return pair_fail("byte 0x%lx of the replica (page %lu, source 0x%lx) is %02x, not %02x",
			 (long)offset, (long)(offset / PAGE),
			 (long)(p->ranges[i].start + offset - p->ranges[i].offset), is, should);
}

static __thread sigjmp_buf unreadable;

static void on_fault(int sig)
{
	siglongjmp(unreadable, 1);
}

/* How much could be copied, of our own memory; all or nothing. */
static size_t copy_own(unsigned char *buf, uint64_t addr, size_t length)
{
	struct sigaction catch = { .sa_handler = on_fault }, old[2];
	volatile size_t copied = 0;

	sigaction(SIGSEGV, &catch, &old[0]);
	sigaction(SIGBUS, &catch, &old[1]);
	if (!sigsetjmp(unreadable, 1)) {
		memcpy(buf, (void *)(uintptr_t)addr, length);
		copied = length;
	}
	sigaction(SIGSEGV, &old[0], NULL);
	sigaction(SIGBUS, &old[1], NULL);
	return copied;
}

static size_t copy_other(pid_t pid, unsigned char *buf, uint64_t addr, size_t length)
{
	struct iovec to = { buf, length }, from = { (void *)(uintptr_t)addr, length };
	ssize_t n = process_vm_readv(pid, &to, 1, &from, 1, 0);

	return n > 0 ? n / PAGE * PAGE : 0;
}

/*
 * Parts where nothing is mapped read as zeros. /proc/PID/mem goes page by page, so it is only
 * asked for what the process itself cannot read.
 */
static const char *read_source(const struct pair *p, int mem, uint64_t addr, unsigned char *buf,
			       size_t length)
{
	size_t done = p->pid == getpid() ? copy_own(buf, addr, length) :
					   copy_other(p->pid, buf, addr, length);
	ssize_t n;

	while (done < length) {
		n = pread(mem, buf + done, length - done, addr + done);
		if (n > 0) {
			done += n;
			continue;
		}
		if (n == 0 || errno != EIO)
			return pair_fail("reading 0x%lx of the source: %s", (long)(addr + done),
					 n ? strerror(errno) : "nothing there");
		n = PAGE - (addr + done) % PAGE;
		memset(buf + done, 0, n);
		done += n;
	}
	return NULL;
}

static const char *compare_range(const struct pair *p, const struct memsync_range *r, int mem,
				 unsigned char *buf)
{
	uint64_t at, length;
	const char *why;
	size_t same;

	for (at = r->start; at < r->end; at += length) {
		const unsigned char *replica = p->replica + r->offset + (at - r->start);

		length = r->end - at < CHUNK ? r->end - at : CHUNK;
		why = read_source(p, mem, at, buf, length);
		if (why)
			return why;
		same = first_difference(buf, replica, length);
		if (same < length)
			return differs(p, r->offset + at - r->start + same, replica[same],
				       buf[same]);
	}
	return NULL;
}

const char *pair_compare(struct pair *p)
{
	unsigned char *buf = malloc(CHUNK);
	int mem = pid_open_mem(p->pid);
	const char *why = NULL;
	size_t i;

	if (mem < 0 || !buf)
		why = pair_fail("/proc/%d/mem: %m", p->pid);
	for (i = 0; i < p->nr_ranges && !why; i++)
		why = compare_range(p, &p->ranges[i], mem, buf);
	if (mem >= 0)
		close(mem);
	free(buf);
	return why;
}

const char *pair_compare_direct(const struct pair *p, size_t offset, size_t length)
{
	const unsigned char *source = (void *)(uintptr_t)(p->ranges[0].start + offset);
	size_t same = first_difference(source, p->replica + offset, length);

	if (same == length)
		return NULL;
	return differs(p, offset + same, p->replica[offset + same], source[same]);
}

const char *pair_sync(struct pair *p)
{
	if (memsync_barrier(p->ms, p->source, PAIR_TIMEOUT_MS, NULL))
		return pair_fail("barrier: %s", memsync_error(p->ms));
	return NULL;
}

const char *pair_sync_compare(struct pair *p)
{
	const char *why = pair_sync(p);

	return why ? why : pair_compare(p);
}

/* ---- what a region says ---- */

const char *pair_verify(struct pair *p, struct memsync_verify *result)
{
	const struct memsync_event *event;
	struct memsync_op *op;
	const char *why = NULL;

	if (memsync_verify_start(p->ms, p->source, &op))
		return memsync_error(p->ms);
	if (memsync_op_wait(op, PAIR_TIMEOUT_MS, &event) || !event)
		why = "no result of the comparison";
	else
		*result = *event->verify;
	memsync_op_free(op);
	return why;
}

struct memsync_region *pair_region(struct pair *p, uint32_t id)
{
	struct memsync_region *region;

	return memsync_region_get(p->ms, id, &region) ? NULL : region;
}

struct memsync_stats pair_stats(struct pair *p)
{
	struct memsync_region *region = pair_region(p, p->source);
	struct memsync_stats stats = { };

	if (region)
		stats = region->stats;
	free(region);
	return stats;
}

static bool is_in_state(struct pair *p, uint32_t id, enum memsync_region_state state, char *reason,
			size_t size)
{
	struct memsync_region *region = pair_region(p, id);
	bool is = region && region->state == state;

	if (is && reason)
		snprintf(reason, size, "%s", region->reason);
	free(region);
	return is;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

const char *pair_wait_state(struct pair *p, uint32_t id, enum memsync_region_state state,
			    char *reason, size_t size)
{
	uint64_t deadline = now_ms() + PAIR_TIMEOUT_MS;
	const struct memsync_event *event;
	struct memsync_events *events;
	struct memsync_region *region;
	const char *why = NULL;

	if (memsync_events_open(p->ms, &events))
		return pair_fail("events: %s", memsync_error(p->ms));
	while (!is_in_state(p, id, state, reason, size)) {
		uint64_t now = now_ms();

		if (now < deadline) {
			memsync_events_wait(events, deadline - now, &event);
			continue;
		}
		region = pair_region(p, id);
		why = pair_fail("region %u is %s (%s), not %s", id,
				region ? memsync_region_state_name(region->state) : "not there",
				region ? region->reason : "", memsync_region_state_name(state));
		free(region);
		break;
	}
	memsync_events_close(events);
	return why;
}

/* ---- memory ---- */

static void *map_aligned(size_t size, int flags)
{
	char *area = mmap(NULL, size + HUGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
	char *start = (char *)(((uintptr_t)area + HUGE - 1) & ~(HUGE - 1));

	if (area == MAP_FAILED)
		return NULL;
	if (start > area)
		munmap(area, start - area);
	if (area + HUGE > start)
		munmap(start + size, area + HUGE - start);
	madvise(start, size, MADV_NOHUGEPAGE);
	return start;
}

void *memory_new(size_t size)
{
	return map_aligned(size, 0);
}

void *memory_new_sparse(size_t size)
{
	return map_aligned(size, MAP_NORESERVE);
}

void *memory_new_huge(size_t size)
{
	void *start = memory_new(size);

	if (start)
		madvise(start, size, MADV_HUGEPAGE);
	return start;
}

uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

void memory_fill_all(void *start, size_t size, uint64_t seed)
{
	uint64_t *word = start;
	size_t i;

	for (i = 0; i < size / sizeof(*word); i++)
		word[i] = random_next(&seed) | 1;
}

void memory_fill(void *start, size_t size, uint64_t seed)
{
	size_t step = size < MIB ? PAGE : sized(PAGE, 4 * PAGE), at;

	for (at = 0; at < size; at += step)
		memory_fill_all((char *)start + at, size - at < PAGE ? size - at : PAGE, seed + at);
}

long pages_migrated(void)
{
	FILE *f = fopen("/proc/vmstat", "r");
	char line[80];
	long nr = -1;

	while (f && nr < 0 && fgets(line, sizeof(line), f))
		sscanf(line, "pgmigrate_success %ld", &nr);
	if (f)
		fclose(f);
	return nr;
}

long smaps_kib(pid_t pid, const void *start, const void *end, const char *key)
{
	unsigned long from, to;
	bool inside = false;
	long sum = 0, kib;
	char line[512], path[32];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	f = fopen(path, "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = from < (uintptr_t)end && to > (uintptr_t)start;
		else if (inside && !strncmp(line, key, strlen(key)) && line[strlen(key)] == ':' &&
			 sscanf(line + strlen(key) + 1, "%ld", &kib) == 1)
			sum += kib;
	}
	fclose(f);
	return sum;
}

int file_put(const char *path, const char *text)
{
	int err, fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	err = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return err;
}

int break_page(unsigned char *page, int how)
{
	unsigned int spins;
	int err = -1;

	for (spins = 0; spins < 2000 && err; spins++) {
		err = madvise(page, PAGE, how);
		if (err && errno != EBUSY && errno != EAGAIN && errno != EIO)
			break;
		if (err)
			usleep(1000);
	}
	return err;
}
