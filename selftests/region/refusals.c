// SPDX-License-Identifier: GPL-2.0
/* What cannot be registered: refused by name, with no effect. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <linux/capability.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk.h"
#include "test.h"

#ifndef SYS_memfd_secret
#define SYS_memfd_secret	447
#endif

#define SIZE	(4 * MIB)

FIXTURE(refusals) {
	struct memsync *ms;
	unsigned char *area;
};

FIXTURE_SETUP(refusals)
{
	ASSERT_OK(pair_net(&self->ms));
	self->area = memory_new(SIZE);
	memory_fill(self->area, SIZE, 1);
}

static int count_region(const struct memsync_region *region, void *arg)
{
	++*(unsigned int *)arg;
	return 0;
}

static unsigned int nr_regions(struct memsync *ms)
{
	unsigned int nr = 0;

	memsync_dump_regions(ms, count_region, &nr);
	return nr;
}

/* Whatever was refused: nothing is left. */
FIXTURE_TEARDOWN(refusals)
{
	EXPECT_EQ(0, nr_regions(self->ms));
	memsync_close(self->ms);
}

static int try_register(struct memsync *ms, const char *name, pid_t pid, uint64_t start,
			uint64_t end)
{
	struct memsync_range range = { .start = start, .end = end };
	struct memsync_register_opts opts = {
		.size = sizeof(opts),
		.name = name,
		.role = MEMSYNC_ROLE_SOURCE,
		.pid = pid,
		.ranges = &range,
		.nr_ranges = 1,
	};

	return memsync_register(ms, &opts, NULL);
}

static int try_range(struct memsync *ms, const void *start, size_t length)
{
	return try_register(ms, "t", getpid(), (uintptr_t)start, (uintptr_t)start + length);
}

/* The error and a word of the message, which also names the address. */
#define EXPECT_REFUSED(err, word, call) do {					\
	int __err = (call);							\
	EXPECT_EQ(err, __err);							\
	if (!strstr(memsync_error(self->ms), word)) {				\
		TH_LOG("no '%s' in: %s", word, memsync_error(self->ms));	\
		EXPECT_TRUE(false);						\
	}									\
} while (0)

#define EXPECT_REFUSED_AT(err, word, start, call) do {				\
	char __at[32];								\
	EXPECT_REFUSED(err, word, call);					\
	snprintf(__at, sizeof(__at), "0x%lx", (long)(start));			\
	if (!strstr(memsync_error(self->ms), __at)) {				\
		TH_LOG("no %s in: %s", __at, memsync_error(self->ms));		\
		EXPECT_TRUE(false);						\
	}									\
} while (0)

/* ---- memory of other kinds ---- */

static void *map(int flags, int fd, size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
}

TEST_F(refusals, memfd)
{
	int fd = memfd_create("t", 0);
	void *m;

	ASSERT_EQ(0, ftruncate(fd, SIZE));
	m = map(MAP_PRIVATE, fd, SIZE);
	EXPECT_REFUSED_AT(-EOPNOTSUPP, "memfd", m, try_range(self->ms, m, SIZE));
}

/* A shared mapping of a file, of which no more can be seen than what we write by it. */
static int open_ramfs(void)
{
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/mnt", "ramfs", 0, NULL))
		return -1;
	return open("/mnt/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

TEST_F(refusals, shared_file)
{
	int fd = open_ramfs();
	void *m;

	ASSERT_EQ(0, ftruncate(fd, SIZE));
	m = map(MAP_SHARED, fd, SIZE);
	EXPECT_REFUSED_AT(-EOPNOTSUPP, "shared", m, try_range(self->ms, m, SIZE));
}

/* The guest's root comes over 9p, and may be changed at the other end. */
TEST_F(refusals, file_of_another_host)
{
	int fd = open("/bin/true", O_RDONLY);
	void *m = map(MAP_PRIVATE, fd, PAGE);

	ASSERT_NE(MAP_FAILED, m);
	EXPECT_REFUSED_AT(-EOPNOTSUPP, "cannot be seen", m, try_range(self->ms, m, PAGE));
}

TEST_F(refusals, device)
{
	int fd = open("/dev/mem", O_RDWR);
	void *m = map(MAP_PRIVATE, fd, PAGE);

	if (m == MAP_FAILED)
		SKIP(return, "/dev/mem cannot be mapped");
	EXPECT_REFUSED_AT(-EOPNOTSUPP, "device", m, try_range(self->ms, m, PAGE));
}

TEST_F(refusals, dax)
{
	unsigned int i;
	int fd;

	if (system("grep -q 'Persistent Memory (legacy)' /proc/iomem"))
		SKIP(return, "no memmap=32M!768M");
	if (system("modprobe -qa nd_e820 nd_pmem; [ -e /sys/bus/nd/drivers/nd_pmem ]"))
		SKIP(return, "no driver for persistent memory");
	fd = dax_file();
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, posix_fallocate(fd, 0, SIZE));
	for (i = 0; i < 2; i++) {
		void *m = map(i ? MAP_SHARED : MAP_PRIVATE, fd, SIZE);

		ASSERT_NE(MAP_FAILED, m);
		EXPECT_REFUSED_AT(-EOPNOTSUPP, "DAX", m, try_range(self->ms, m, SIZE));
		munmap(m, SIZE);
	}
	close(fd);
}

TEST_F(refusals, secret)
{
	int fd = syscall(SYS_memfd_secret, 0);
	void *m;

	if (fd < 0 && errno == ENOSYS)
		SKIP(return, "no secret memory: secretmem.enable=1");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, 4 * PAGE));
	m = map(MAP_SHARED, fd, 4 * PAGE);
	ASSERT_NE(MAP_FAILED, m);
	EXPECT_REFUSED_AT(-EOPNOTSUPP, "secret memory", m, try_range(self->ms, m, 4 * PAGE));
	close(fd);
}

TEST_F(refusals, hugetlb)
{
	void *m;

	if (file_put("/proc/sys/vm/nr_hugepages", "4"))
		SKIP(return, "no hugetlb");
	m = map(MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, HUGE);
	ASSERT_NE(MAP_FAILED, m);
	EXPECT_REFUSED_AT(-EOPNOTSUPP, "shared hugetlb memory", m, try_range(self->ms, m, HUGE));
	munmap(m, HUGE);
	file_put("/proc/sys/vm/nr_hugepages", "0");
}

static int arm_uffd(void *start, size_t size, uint64_t mode)
{
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)start, .len = size },
		.mode = mode,
	};
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg))
		return -errno;
	return fd;
}

/* Private anonymous memory is watched under one, too: see track/userfault. */
TEST_F(refusals, userfaultfd)
{
	int fd, memfd = memfd_create("t", MFD_CLOEXEC);
	unsigned char *m;

	ASSERT_EQ(0, ftruncate(memfd, SIZE));
	m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	fd = arm_uffd(m + MIB, MIB, UFFDIO_REGISTER_MODE_MISSING);
	ASSERT_LE(0, fd);
	EXPECT_REFUSED_AT(-EOPNOTSUPP, "shared memory under a userfaultfd", m + MIB,
			  try_range(self->ms, m, SIZE));
	close(fd);
	munmap(m, SIZE);
	close(memfd);
	fd = arm_uffd(self->area, MIB, UFFDIO_REGISTER_MODE_WP);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, try_range(self->ms, self->area, SIZE));
	close(fd);
	{
		struct memsync_region *region;

		ASSERT_EQ(0, memsync_region_find(self->ms, "t", 0, &region));
		EXPECT_EQ(0, memsync_unregister(self->ms, region->id));
		free(region);
	}
}

TEST_F(refusals, read_only)
{
	ASSERT_EQ(0, mprotect(self->area + MIB, MIB, PROT_READ));
	EXPECT_REFUSED_AT(-EACCES, "writable", self->area + MIB,
			  try_range(self->ms, self->area, SIZE));
	ASSERT_EQ(0, mprotect(self->area + MIB, MIB, PROT_NONE));
	EXPECT_REFUSED_AT(-EACCES, "writable", self->area + MIB,
			  try_range(self->ms, self->area, SIZE));
}

/* Somebody could fill the object with no fault, where another mapping of it is. */
TEST_F(refusals, userfaultfd_of_another)
{
	unsigned char *m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				-1, 0);
	unsigned char *other = mremap(m, 0, SIZE, MREMAP_MAYMOVE);
	int fd = arm_uffd(other + MIB, MIB, UFFDIO_REGISTER_MODE_MISSING);

	ASSERT_LE(0, fd);
	EXPECT_REFUSED_AT(-EOPNOTSUPP, "userfaultfd", m, try_range(self->ms, m, SIZE));
	close(fd);
}

static bool find_mapping(const char *name, uint64_t *start, uint64_t *end)
{
	char line[256];
	FILE *f = fopen("/proc/self/maps", "r");
	bool found = false;

	while (!found && fgets(line, sizeof(line), f))
		found = strstr(line, name) && sscanf(line, "%lx-%lx", start, end) == 2;
	fclose(f);
	return found;
}

/* From 6.13 on, the clocks of hypervisors have a mapping apart; the rest is plain pages. */
TEST_F(refusals, vvar)
{
	bool apart = false;
	uint64_t start, end;

	if (find_mapping("[vvar_vclock]", &start, &end)) {
		apart = true;
		EXPECT_REFUSED_AT(-EOPNOTSUPP, "device", start,
				  try_register(self->ms, "t", getpid(), start, end));
	}
	if (!find_mapping("[vvar]", &start, &end))
		SKIP(return, "no [vvar]");
	EXPECT_REFUSED_AT(-EOPNOTSUPP, apart ? "special" : "device", start,
			  try_register(self->ms, "t", getpid(), start, end));
	ASSERT_TRUE(find_mapping("[vdso]", &start, &end));
	EXPECT_REFUSED_AT(-EOPNOTSUPP, "special", start,
			  try_register(self->ms, "t", getpid(), start, end));
}

/* The mapping that is refused is the one in the middle. */
TEST_F(refusals, one_mapping_of_several)
{
	unsigned char *middle = self->area + MIB;
	int fd = open_ramfs();

	ASSERT_EQ(0, ftruncate(fd, PAGE));
	ASSERT_EQ(middle, mmap(middle, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			       fd, 0));
	EXPECT_REFUSED_AT(-EOPNOTSUPP, "shared", middle, try_range(self->ms, self->area, SIZE));
}

/* ---- ranges ---- */

TEST_F(refusals, unaligned)
{
	EXPECT_REFUSED_AT(-EINVAL, "align", self->area,
			  try_range(self->ms, self->area + 1, SIZE - 1));
	EXPECT_REFUSED_AT(-EINVAL, "align", self->area, try_range(self->ms, self->area, PAGE + 5));
}

TEST_F(refusals, empty)
{
	EXPECT_REFUSED(-EINVAL, "empty", try_range(self->ms, self->area, 0));
}

TEST_F(refusals, reversed)
{
	uint64_t at = (uintptr_t)self->area;

	EXPECT_REFUSED(-EINVAL, "before", try_register(self->ms, "t", getpid(), at + PAGE, at));
}

TEST_F(refusals, overflowing)
{
	EXPECT_NE(0, try_register(self->ms, "t", getpid(), (uintptr_t)self->area, -PAGE));
	EXPECT_NE(0, try_register(self->ms, "t", getpid(), -2 * PAGE, 0));
	EXPECT_NE(0, try_register(self->ms, "t", getpid(), -2 * PAGE, -PAGE));
	EXPECT_NE(0, try_register(self->ms, "t", getpid(), 0, -1ULL));
}

TEST_F(refusals, kernel_half)
{
	uint64_t kernel = 0xffff800000000000;

	EXPECT_REFUSED(-EINVAL, "user", try_register(self->ms, "t", getpid(), kernel,
						     kernel + PAGE));
	/* From the last user page into nowhere. */
	EXPECT_NE(0, try_register(self->ms, "t", getpid(), 0x7ffffffff000, 0x800000000000));
	EXPECT_NE(0, try_register(self->ms, "t", getpid(), 0x7fffffffe000,
				  0x7fffffffffff & ~0xfff));
}

TEST_F(refusals, unmapped)
{
	ASSERT_EQ(0, munmap(self->area + MIB, PAGE));
	EXPECT_REFUSED_AT(-EFAULT, "mapped", self->area + MIB,
			  try_range(self->ms, self->area, SIZE));
	EXPECT_REFUSED_AT(-EFAULT, "mapped", self->area + MIB,
			  try_range(self->ms, self->area + MIB, PAGE));
	EXPECT_REFUSED(-EFAULT, "mapped", try_register(self->ms, "t", getpid(), 0, PAGE));
}

static int try_ranges(struct memsync *ms, const struct memsync_range *ranges, size_t nr)
{
	struct memsync_register_opts opts = {
		.size = sizeof(opts),
		.name = "t",
		.role = MEMSYNC_ROLE_SOURCE,
		.ranges = ranges,
		.nr_ranges = nr,
	};

	return memsync_register(ms, &opts, NULL);
}

TEST_F(refusals, overlapping)
{
	uint64_t at = (uintptr_t)self->area;
	struct memsync_range ranges[2] = { { .start = at, .end = at + 4 * PAGE } };
	static const struct { int first, end; } second[] = {
		{ 0, 4 }, { 0, 1 }, { 3, 4 }, { 1, 2 }, { 3, 9 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(second); i++) {
		ranges[1].start = at + second[i].first * PAGE;
		ranges[1].end = at + second[i].end * PAGE;
		EXPECT_REFUSED(-EEXIST, "overlap", try_ranges(self->ms, ranges, 2));
	}
}

TEST_F(refusals, no_ranges)
{
	EXPECT_NE(0, try_ranges(self->ms, NULL, 0));
}

/* ---- processes ---- */

static int try_pid(struct memsync *ms, pid_t pid, const void *start)
{
	return try_register(ms, "t", pid, (uintptr_t)start, (uintptr_t)start + SIZE);
}

TEST_F(refusals, no_such_process)
{
	EXPECT_REFUSED(-ESRCH, "process", try_pid(self->ms, 4194303, self->area));
	EXPECT_NE(0, try_pid(self->ms, -1, self->area));
}

TEST_F(refusals, kernel_thread)
{
	EXPECT_NE(0, try_pid(self->ms, 2, self->area));
	EXPECT_NE(NULL, strstr(memsync_error(self->ms), "kernel thread"));
}

TEST_F(refusals, zombie)
{
	siginfo_t info;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	ASSERT_EQ(0, waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	EXPECT_NE(0, try_pid(self->ms, pid, self->area));
	EXPECT_NE(NULL, strstr(memsync_error(self->ms), "exit"));
	waitpid(pid, NULL, 0);
}

/* Another process with the same number is not taken for the one that was meant. */
TEST_F(refusals, other_start_time)
{
	struct memsync_range range = {
		.start = (uintptr_t)self->area,
		.end = (uintptr_t)self->area + SIZE,
	};
	struct memsync_register_opts opts = {
		.size = sizeof(opts),
		.name = "t",
		.role = MEMSYNC_ROLE_SOURCE,
		.pid = getpid(),
		.ranges = &range,
		.nr_ranges = 1,
	};

	ASSERT_EQ(0, memsync_pid_start(getpid(), &opts.pid_start));
	opts.pid_start++;
	EXPECT_REFUSED(-ESRCH, "process", memsync_register(self->ms, &opts, NULL));
}

/* It ends at any moment of the registration: an error, or a region that is soon gone. */
TEST_F(refusals, exits_meanwhile)
{
	unsigned int i, registered = 0;
	struct memsync_region *region;
	char reason[256];
	struct pair pair = { .ms = self->ms };

	for (i = 0; i < sized(150, 50); i++) {
		pid_t pid = fork();

		if (!pid) {
			usleep(i * 20);
			_exit(0);
		}
		if (i % 2)
			kill(pid, SIGKILL);
		if (!try_pid(self->ms, pid, self->area)) {
			registered++;
			ASSERT_EQ(0, memsync_region_find(self->ms, "t", 0, &region));
			ASSERT_OK(pair_wait_state(&pair, region->id, MEMSYNC_REGION_GONE, reason,
						  sizeof(reason)));
			ASSERT_EQ(0, memsync_unregister(self->ms, region->id));
			free(region);
		}
		waitpid(pid, NULL, 0);
	}
	TH_LOG("%u of %u were registered before they ended", registered, i);
}

/* ---- names ---- */

TEST_F(refusals, names)
{
	static const char * const bad[] = {
		"", " ", "a b", "a/b", "tab\t", "line\n", "\x1b[2J", "umlaut-\xc3\xa4",
		"a%n", "a:b",
	};
	uint64_t at = (uintptr_t)self->area;
	char longest[65], name[301];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_NE(0, try_register(self->ms, bad[i], getpid(), at, at + SIZE));
		EXPECT_EQ(NULL, strpbrk(memsync_error(self->ms), "\n\t\x1b"));
	}
	memset(name, 'n', 300);
	name[300] = 0;
	EXPECT_NE(0, try_register(self->ms, name, getpid(), at, at + SIZE));
	memset(longest, 'n', 64);
	longest[64] = 0;
	EXPECT_NE(0, try_register(self->ms, longest, getpid(), at, at + SIZE));
	longest[63] = 0;
	EXPECT_EQ(0, try_register(self->ms, longest, getpid(), at, at + SIZE));
	/* In use; the case counts. */
	EXPECT_REFUSED(-EEXIST, "name", try_register(self->ms, longest, getpid(), at, at + SIZE));
	{
		struct memsync_region *region;

		ASSERT_EQ(0, memsync_region_find(self->ms, longest, 0, &region));
		EXPECT_EQ(0, memsync_unregister(self->ms, region->id));
		free(region);
	}
}

/* ---- permission ---- */

static int in_child(int (*fn)(void *arg), void *arg)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(fn(arg));
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* Reads count too: a number that is not a refusal is a failure. */
static int all_refused(struct memsync *ms, void *area)
{
	struct memsync_info *info = NULL;
	struct memsync_region *region = NULL;
	struct memsync_events *events;
	unsigned int nr = 0;

	if (memsync_info(ms, &info) != -EPERM)
		return 1;
	if (try_range(ms, area, SIZE) != -EPERM)
		return 2;
	if (memsync_region_get(ms, 1, &region) != -EPERM)
		return 3;
	if (memsync_dump_regions(ms, count_region, &nr) != -EPERM)
		return 4;
	if (!memsync_events_open(ms, &events))
		return 5;
	return 0;
}

static int as_nobody(void *area)
{
	struct memsync *ms;

	if (setgroups(0, NULL) || setgid(65534) || setuid(65534))
		return 10;
	return memsync_open(&ms) == -EPERM ? 0 : all_refused(ms, area);
}

TEST_F(refusals, nobody)
{
	EXPECT_EQ(0, in_child(as_nobody, self->area));
}

/* Root of a user namespace is not root, here or in a network namespace of its own. */
static int as_namespace_root(void *area)
{
	struct memsync *ms;

	if (unshare(CLONE_NEWUSER))
		return 10;
	return memsync_open(&ms) == -EPERM ? 0 : all_refused(ms, area);
}

TEST_F(refusals, root_of_a_user_namespace)
{
	EXPECT_EQ(0, in_child(as_namespace_root, self->area));
}

/* With a network of its own it may ask, but not for a process outside. */
static int as_network_root(void *area)
{
	struct memsync *ms;
	int err;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return 10;
	err = memsync_open(&ms);
	if (err)
		return err != -EPERM;
	err = try_register(ms, "t", getpid(), (uintptr_t)area, (uintptr_t)area + SIZE);
	return err == -EPERM ? 0 : 12;
}

TEST_F(refusals, root_of_its_own_network)
{
	EXPECT_EQ(0, in_child(as_network_root, self->area));
}

/* CAP_NET_ADMIN alone does not open another user's process. */
static int with_net_admin(void *arg)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = 1U << CAP_NET_ADMIN, .permitted = 1U << CAP_NET_ADMIN },
	};
	pid_t victim = *(pid_t *)arg;
	struct memsync *ms;
	int err;

	if (prctl(PR_SET_KEEPCAPS, 1) || setgroups(0, NULL) || setgid(65534) || setuid(65534) ||
	    syscall(SYS_capset, &header, data))
		return 10;
	err = memsync_open(&ms);
	if (err)
		return 11;
	err = try_register(ms, "t", victim, (uintptr_t)((void **)arg)[1],
			   (uintptr_t)((void **)arg)[1] + SIZE);
	fprintf(stderr, "# %s\n", memsync_error(ms));
	return err == -EPERM ? 0 : 12;
}

TEST_F(refusals, net_admin_only)
{
	void *arg[2] = { NULL, self->area };
	pid_t pid = getpid();

	memcpy(&arg[0], &pid, sizeof(pid));
	EXPECT_EQ(0, in_child(with_net_admin, arg));
}

TEST_HARNESS_MAIN
