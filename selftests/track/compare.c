// SPDX-License-Identifier: GPL-2.0
/*
 * Memory whose changes nobody tells of: all of it is read, and what is not as it was is
 * shipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "huge.h"
#include "test.h"

#define SIZE	(4 * MIB)
#define POOL	8
#define DIR	"/mnt"

FIXTURE(compare) {
	struct memsync *ms;
	struct pair pair;
	int fd;
	unsigned char *area;
};

/*
 * @mount: where the file is; NULL: in the pool of huge pages
 * @why: a word of the reason why it is refused otherwise
 * @flags: of the mapping
 */
FIXTURE_VARIANT(compare) {
	const char *mount;
	const char *why;
	int flags;
};

#define MOUNT(mkfs)									\
	"mount -t tmpfs none " DIR " && truncate -s 24M " DIR "/disk && " mkfs " " DIR	\
	"/disk && modprobe -q loop; loop=$(losetup -f --show " DIR "/disk) && "		\
	"mount $loop " DIR " && losetup -d $loop"

FIXTURE_VARIANT_ADD(compare, ext4) {
	.mount = MOUNT("mkfs.ext4 -q -E lazy_itable_init=1 -O ^has_journal"),
	.why = "a shared file",
	.flags = MAP_SHARED,
};

/* Of a file system of which it is not known that it stamps all changes. */
FIXTURE_VARIANT_ADD(compare, private_minix) {
	.mount = MOUNT("mkfs.minix -3 >/dev/null"),
	.why = "a file mapping",
	.flags = MAP_PRIVATE,
};

FIXTURE_VARIANT_ADD(compare, hugetlb) {
	.why = "shared hugetlb memory",
	.flags = MAP_SHARED,
};

static int new_file(const char *mount_it)
{
	if (!mount_it)
		return memfd_create("t", MFD_HUGETLB);
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    system(mount_it))
		return -1;
	return open(DIR "/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

/* Through a mapping of its own: a file of the pool cannot be written otherwise. */
static const char *file_change(int fd, size_t from, size_t length, uint64_t seed)
{
	unsigned char *m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (m == MAP_FAILED)
		return "the file cannot be mapped";
	memory_fill_all(m + from, length, seed);
	munmap(m, SIZE);
	return NULL;
}

FIXTURE_SETUP(compare)
{
	if (!variant->mount && !huge_pool(POOL))
		SKIP(return, "the kernel gives %ld huge pages", huge_pages("Total"));
	self->fd = new_file(variant->mount);
	if (self->fd < 0 && on_debug_kernel() && variant->flags == MAP_PRIVATE)
		SKIP(return, "the debug kernel has no minix file system");
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ftruncate(self->fd, SIZE));
	ASSERT_OK(file_change(self->fd, 0, SIZE, 1));
	self->area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, variant->flags, self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->area);
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start_compared(&self->pair, self->ms, getpid(), self->area, SIZE));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

FIXTURE_TEARDOWN(compare)
{
	pair_stop(&self->pair);
	memsync_close(self->ms);
	munmap(self->area, SIZE);
	close(self->fd);
	umount2(DIR, MNT_DETACH);
	huge_pool(0);
}

/* Pages shipped since @before, once all is the same again. */
static const char *shipped_since(struct pair *pair, struct memsync_stats *before, uint64_t *pages)
{
	const char *why = pair_sync_compare(pair);
	struct memsync_stats now = pair_stats(pair);

	*pages = now.shipped_pages - before->shipped_pages;
	*before = now;
	return why;
}

TEST_F(compare, refused_otherwise)
{
	struct pair other = { };
	struct memsync_range range = { (uintptr_t)self->area, (uintptr_t)self->area + SIZE, 0 };
	const char *why = pair_start_ranges(&other, self->ms, "u", getpid(), &range, 1);

	ASSERT_NE(NULL, why);
	EXPECT_NE(NULL, strstr(why, variant->why));
	pair_stop(&other);
}

TEST_F(compare, what_changed_is_shipped)
{
	struct memsync_stats before = pair_stats(&self->pair);
	unsigned int round;
	uint64_t pages;

	for (round = 0; round < 5; round++) {
		ASSERT_EQ(0, memsync_pause(self->ms, self->pair.source));
		self->area[round * 654321 + 1]++;
		self->area[round * 123456 + 3 * MIB]++;
		ASSERT_EQ(0, memsync_resume(self->ms, self->pair.source));
		ASSERT_OK(shipped_since(&self->pair, &before, &pages));
		EXPECT_EQ(2, pages);
	}
	ASSERT_OK(shipped_since(&self->pair, &before, &pages));
	EXPECT_EQ(0, pages);
}

/* Without anybody's asking for a pass: within a minute and what it takes. */
TEST_F(compare, found_in_time)
{
	unsigned int tries;

	self->area[5 * PAGE + 5]++;
	for (tries = 0; tries < 1200; tries++) {
		if (self->pair.replica[5 * PAGE + 5] == self->area[5 * PAGE + 5])
			break;
		usleep(100000);
	}
	ASSERT_OK(pair_compare_direct(&self->pair, 0, SIZE));
}

TEST_F(compare, written_by_others)
{
	unsigned int round;
	pid_t child;
	int status;

	for (round = 0; round < 5; round++) {
		ASSERT_OK(file_change(self->fd, (round * 77 + 3) % 900 * PAGE, 5000, round + 9));
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	child = fork();
	if (!child)
		_exit(!!file_change(self->fd, MIB, 2 * MIB, 99));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* The file gets holes, and an end within the memory; past it there are zeros. */
TEST_F(compare, cut_off)
{
	size_t i;

	if (!fallocate(self->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, HUGE))
		ASSERT_OK(pair_sync_compare(&self->pair));
	else
		EXPECT_EQ(EOPNOTSUPP, errno);
	ASSERT_EQ(0, ftruncate(self->fd, HUGE));
	ASSERT_OK(pair_sync(&self->pair));
	ASSERT_OK(pair_compare_direct(&self->pair, 0, HUGE));
	for (i = HUGE; i < SIZE; i++)
		ASSERT_EQ(0, self->pair.replica[i]);
	ASSERT_EQ(0, ftruncate(self->fd, SIZE));
	ASSERT_OK(file_change(self->fd, HUGE + MIB, MIB, 7));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

TEST_F(compare, zeros_and_back)
{
	unsigned char *content = malloc(MIB);
	struct memsync_stats before;
	uint64_t pages;

	memcpy(content, self->area + MIB, MIB);
	memset(self->area + MIB, 0, MIB);
	ASSERT_OK(pair_sync_compare(&self->pair));
	before = pair_stats(&self->pair);
	memset(self->area + MIB, 0, MIB);
	ASSERT_OK(shipped_since(&self->pair, &before, &pages));
	EXPECT_EQ(0, pages);
	memcpy(self->area + MIB, content, MIB);
	free(content);
	ASSERT_OK(shipped_since(&self->pair, &before, &pages));
	EXPECT_EQ(MIB / PAGE, pages);
}

/* Memory that is tracked takes its place, and gives it back. */
TEST_F(compare, mapped_over)
{
	ASSERT_EQ(self->area, mmap(self->area, HUGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	memory_fill_all(self->area, MIB, 5);
	ASSERT_OK(pair_sync_compare(&self->pair));
	self->area[3 * PAGE]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(self->area, mmap(self->area, HUGE, PROT_READ | PROT_WRITE,
				   variant->flags | MAP_FIXED, self->fd, 0));
	ASSERT_OK(pair_sync_compare(&self->pair));
	self->area[4 * PAGE]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* A sink that begins anew has nothing of it, whatever the last one had. */
TEST_F(compare, reconnected)
{
	struct memsync_range range = {
		.start = self->pair.replica_addr,
		.end = self->pair.replica_addr + SIZE,
	};
	struct memsync_register_opts opts = {
		.size = sizeof(opts),
		.name = self->pair.name,
		.role = MEMSYNC_ROLE_SINK,
		.pid = self->pair.holder,
		.ranges = &range,
		.nr_ranges = 1,
	};

	ASSERT_EQ(0, memsync_unregister(self->ms, self->pair.sink));
	memset(self->pair.replica, 0, SIZE);
	ASSERT_EQ(0, memsync_register(self->ms, &opts, &self->pair.sink));
	ASSERT_OK(pair_sync_compare(&self->pair));
	EXPECT_LE(1, pair_stats(&self->pair).reconnects);
}

TEST_F(compare, verified)
{
	struct memsync_verify result;

	self->area[9 * PAGE]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_OK(pair_verify(&self->pair, &result));
	EXPECT_EQ(SIZE / PAGE, result.compared);
	EXPECT_EQ(0, result.different);
	self->pair.replica[17 * PAGE] ^= 1;
	ASSERT_OK(pair_verify(&self->pair, &result));
	EXPECT_EQ(1, result.different);
	self->pair.replica[17 * PAGE] ^= 1;
}

static atomic_bool stopping;

static void *write_always(void *area)
{
	uint64_t seed = 21;

	while (!atomic_load(&stopping))
		((unsigned char *)area)[random_next(&seed) % SIZE]++;
	return NULL;
}

TEST_F(compare, written_meanwhile)
{
	pthread_t writer;
	unsigned int i;

	atomic_store(&stopping, false);
	ASSERT_EQ(0, pthread_create(&writer, NULL, write_always, self->area));
	for (i = 0; i < sized(10, 3); i++)
		ASSERT_OK(pair_sync(&self->pair));
	atomic_store(&stopping, true);
	pthread_join(writer, NULL);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

TEST_HARNESS_MAIN
