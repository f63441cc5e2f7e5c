// SPDX-License-Identifier: GPL-2.0
/*
 * Private mappings of files, as the data of programs and libraries is: pages that
 * the process has written are its own, the others change with the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "delay.h"
#include "test.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#define MADV_GUARD_REMOVE	103
#endif

#define SIZE	(4 * MIB)
#define DIR	"/mnt"
#define FILE_PATH DIR "/content"

FIXTURE(files) {
	struct memsync *ms;
	struct pair pair;
	unsigned char *area;
};

/*
 * @stamped: each change has a stamp, so that what is older needs no look
 * @coarse: and it is good to a second only
 */
FIXTURE_VARIANT(files) {
	const char *mount;
	bool stamped;
	bool coarse;
};

FIXTURE_VARIANT_ADD(files, tmpfs) {
	.mount = "mount -t tmpfs none " DIR,
};

/* Whole huge pages of the file are mapped, read-only. */
FIXTURE_VARIANT_ADD(files, tmpfs_huge) {
	.mount = "mount -t tmpfs -o huge=always none " DIR,
};

#define MOUNT_EXT4(options)							\
	"mount -t tmpfs none " DIR " && truncate -s 24M " DIR "/disk && "		\
	"mkfs.ext4 -q " options " -E lazy_itable_init=1 -O ^has_journal " DIR "/disk && " \
	"modprobe -q loop; loop=$(losetup -f --show " DIR "/disk) && "			\
	"mount $loop " DIR " && losetup -d $loop"

FIXTURE_VARIANT_ADD(files, ext4) {
	.mount = MOUNT_EXT4("-I 256"),
	.stamped = true,
};

/* Its stamps are of whole seconds. */
FIXTURE_VARIANT_ADD(files, ext4_seconds) {
	.mount = MOUNT_EXT4("-I 128"),
	.stamped = true,
	.coarse = true,
};

static atomic_bool stopping;	/* the test's other thread */

/* [@from, @from + @length) of the file becomes random; it is closed again. */
static const char *file_write(size_t from, size_t length, uint64_t seed)
{
	unsigned char *content = malloc(length);
	int fd = open(FILE_PATH, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	const char *why = NULL;

	memory_fill_all(content, length, seed);
	if (fd < 0 || pwrite(fd, content, length, from) != (ssize_t)length)
		why = "the file cannot be written";
	free(content);
	close(fd);
	return why;
}

static unsigned char *file_map(void *at, size_t size)
{
	int fd = open(FILE_PATH, O_RDONLY | O_CLOEXEC);
	unsigned char *m = mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0);

	close(fd);
	return m;
}

FIXTURE_SETUP(files)
{
	if (on_debug_kernel() && variant->coarse)
		SKIP(return, "what differs are the stamps: tested on other kernels, in less time");
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	ASSERT_EQ(0, system(variant->mount));
	ASSERT_OK(file_write(0, SIZE, 1));
	self->area = memory_new(SIZE);
	ASSERT_EQ(self->area, file_map(self->area, SIZE));
	self->area[3 * PAGE]++;
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, SIZE));
}

FIXTURE_TEARDOWN(files)
{
	delay_put("end", 0);
	pair_stop(&self->pair);
	memsync_close(self->ms);
	munmap(self->area, SIZE);
	umount2(DIR, MNT_DETACH);
}

static unsigned char *page(unsigned char *area, unsigned int nr)
{
	return area + nr * PAGE;
}

/* Most of it has never been touched. */
TEST_F(files, first_pass)
{
	ASSERT_OK(pair_sync_compare(&self->pair));
	EXPECT_EQ(0, pair_stats(&self->pair).zero_pages);
}

TEST_F(files, written)
{
	uint64_t seed = 3;
	unsigned int round, i;

	for (round = 0; round < 10; round++) {
		for (i = 0; i < 20; i++)
			self->area[random_next(&seed) % SIZE]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	memory_fill(self->area, SIZE, 4);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* What is let go of comes back from the file. */
TEST_F(files, dropped)
{
	memory_fill(self->area, SIZE, 5);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, madvise(page(self->area, 7), 5 * PAGE, MADV_DONTNEED));
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, madvise(self->area + MIB, 2 * MIB, MADV_DONTNEED));
	self->area[2 * MIB]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, madvise(self->area, SIZE, MADV_PAGEOUT));
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, madvise(self->area, SIZE, MADV_COLD));
	memory_fill(self->area, SIZE, 6);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* As often as it changes, and twice within one grain of its stamp. */
TEST_F(files, file_written)
{
	unsigned int round;

	ASSERT_OK(pair_sync_compare(&self->pair));
	self->area[9 * PAGE] = 1;
	for (round = 0; round < 30; round++) {
		ASSERT_OK(file_write((round % 16) * PAGE + 5, 100, round));
		ASSERT_OK(pair_sync(&self->pair));
		ASSERT_OK(file_write((round % 16) * PAGE + 9, 100, round + 50));
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

/* Somebody has it open, and writes now and then. */
TEST_F(files, file_kept_open)
{
	unsigned int round;
	int fd = open(FILE_PATH, O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	for (round = 0; round < 20; round++) {
		ASSERT_EQ(1, pwrite(fd, &round, 1, round * 17 * PAGE));
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	close(fd);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* Through a shared mapping, which no stamp tells of in time. */
TEST_F(files, file_written_by_mapping)
{
	int fd = open(FILE_PATH, O_RDWR | O_CLOEXEC);
	unsigned char *shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	uint64_t seed = 5;
	unsigned int round;

	ASSERT_NE(MAP_FAILED, shared);
	close(fd);
	for (round = 0; round < 20; round++) {
		shared[random_next(&seed) % SIZE]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	shared[5 * PAGE]++;
	munmap(shared, SIZE);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* By one who comes and goes between two looks at the file, and reads before he writes. */
TEST_F(files, file_written_in_passing)
{
	unsigned char *shared, sum = 0;
	unsigned int round;
	int fd;

	for (round = 0; round < 6; round++) {
		usleep(50000);
		ASSERT_OK(pair_sync_compare(&self->pair));
		fd = open(FILE_PATH, O_RDWR | O_CLOEXEC);
		shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		ASSERT_NE(MAP_FAILED, shared);
		close(fd);
		sum += shared[round * 5 * PAGE];
		shared[round * 5 * PAGE] = sum + round + 1;
		munmap(shared, SIZE);
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

static void *rewrite_always(void *failed)
{
	unsigned char *content = malloc(SIZE);
	int fd;

	memory_fill_all(content, SIZE, 77);
	while (!atomic_load(&stopping)) {
		fd = open(FILE_PATH, O_RDWR | O_TRUNC | O_CLOEXEC);
		if (fd < 0 || write(fd, content, SIZE) != SIZE)
			*(bool *)failed = true;
		close(fd);
	}
	free(content);
	return NULL;
}

/* Too short for a moment, again and again: no reason to end. */
TEST_F(files, file_rewritten)
{
	bool failed = false;
	pthread_t writer;
	unsigned int i;

	atomic_store(&stopping, false);
	ASSERT_EQ(0, pthread_create(&writer, NULL, rewrite_always, &failed));
	for (i = 0; i < sized(30, 5); i++)
		ASSERT_OK(pair_sync(&self->pair));
	atomic_store(&stopping, true);
	pthread_join(writer, NULL);
	ASSERT_FALSE(failed);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

#define TRACEFS	"/sys/kernel/tracing/"

/* A breakpoint is neither a write of the process nor one of the file. */
TEST_F(files, probed)
{
	unsigned char *text = self->area + 2 * MIB;
	static const unsigned char nops[8] = { [0 ... 7] = 0x90 };
	int fd = open(FILE_PATH, O_RDWR | O_CLOEXEC);

	ASSERT_EQ(8, pwrite(fd, nops, 8, 2 * MIB));
	close(fd);
	ASSERT_EQ(0, mprotect(text, PAGE, PROT_READ | PROT_EXEC));
	ASSERT_OK(pair_sync_compare(&self->pair));
	if (file_put(TRACEFS "uprobe_events", "p:memsync_test " FILE_PATH ":0x200000"))
		SKIP(return, "no uprobes");
	usleep(50000);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, file_put(TRACEFS "events/uprobes/memsync_test/enable", "1"));
	EXPECT_EQ(0xcc, *(volatile unsigned char *)text);
	EXPECT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, file_put(TRACEFS "events/uprobes/memsync_test/enable", "0"));
	EXPECT_EQ(0x90, *(volatile unsigned char *)text);
	EXPECT_OK(pair_sync_compare(&self->pair));
	file_put(TRACEFS "uprobe_events", "-:memsync_test");
}

/* Beyond the end of the file there is nothing; the replica has zeros there. */
TEST_F(files, file_truncated)
{
	unsigned char *end = self->area + MIB + 100;
	size_t i;

	memory_fill(self->area + 3 * MIB, PAGE, 8);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, truncate(FILE_PATH, end - self->area));
	ASSERT_OK(pair_sync(&self->pair));
	ASSERT_OK(pair_compare_direct(&self->pair, 0, MIB + PAGE));
	for (i = end - self->area; i < SIZE; i++)
		ASSERT_EQ(0, self->pair.replica[i]);
	ASSERT_EQ(0, truncate(FILE_PATH, SIZE));
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_OK(file_write(2 * MIB, MIB, 9));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* Where nothing was mapped, with no fault and nothing to tell the notifier. */
TEST_F(files, mapped_into_a_hole)
{
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, munmap(self->area + MIB, MIB));
	ASSERT_OK(pair_sync(&self->pair));
	ASSERT_EQ(0, self->pair.replica[MIB]);
	ASSERT_EQ(self->area + MIB, file_map(self->area + MIB, MIB));
	ASSERT_OK(pair_sync_compare(&self->pair));
	self->area[MIB + 3 * PAGE]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* Anonymous memory takes its place, and the other way round. */
TEST_F(files, mapped_over)
{
	memory_fill(self->area + PAGE, 5 * PAGE, 12);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(self->area, mmap(self->area, MIB, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	ASSERT_OK(pair_sync_compare(&self->pair));
	memory_fill(self->area, 7 * PAGE, 13);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(self->area, file_map(self->area, MIB));
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(self->area + MIB, mremap(self->area, MIB, MIB, MREMAP_MAYMOVE | MREMAP_FIXED,
					   self->area + MIB));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

TEST_F(files, protected_both_ways)
{
	unsigned int round;

	for (round = 0; round < 4; round++) {
		memory_fill(page(self->area, 20), 9 * PAGE, round);
		ASSERT_EQ(0, mprotect(self->area, MIB, PROT_READ));
		ASSERT_OK(pair_sync_compare(&self->pair));
		ASSERT_EQ(0, mprotect(self->area, MIB, PROT_READ | PROT_WRITE));
		self->area[25 * PAGE + round]++;
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
}

/* A child has the written pages too, until one of them writes. */
TEST_F(files, forked)
{
	int status, go[2];
	pid_t child;
	char byte;

	memory_fill(self->area, MIB, 14);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, pipe(go));
	child = fork();
	if (!child) {
		close(go[1]);
		memory_fill(self->area, MIB, 15);
		_exit(read(go[0], &byte, 1));
	}
	close(go[0]);
	self->area[17]++;
	self->area[2 * MIB]++;
	ASSERT_OK(pair_sync_compare(&self->pair));
	close(go[1]);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	memory_fill(self->area, MIB, 16);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

TEST_F(files, guarded)
{
	size_t i;

	/* Older than any grain of a stamp: the file itself needs no look. */
	if (variant->stamped)
		sleep(2);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_OK(pair_sync_compare(&self->pair));
	if (madvise(page(self->area, 30), 5 * PAGE, MADV_GUARD_INSTALL))
		SKIP(return, "this kernel has no guard pages in files");
	ASSERT_OK(pair_sync(&self->pair));
	for (i = 0; i < 5 * PAGE; i++)
		ASSERT_EQ(0, self->pair.replica[30 * PAGE + i]);
	ASSERT_EQ(0, madvise(page(self->area, 30), 5 * PAGE, MADV_GUARD_REMOVE));
	ASSERT_OK(pair_sync_compare(&self->pair));
}

/* What nobody has changed is not shipped again. */
TEST_F(files, clean_stays_out)
{
	uint64_t before, after;
	long huge;

	if (!variant->stamped)
		SKIP(return, "a file system without a stamp for each change");
	sleep(2);	/* older than any grain of a stamp */
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_OK(pair_sync(&self->pair));
	before = pair_stats(&self->pair).shipped_pages;
	/* A first write takes a huge page of the file apart, and then its block is looked at. */
	huge = smaps_kib(getpid(), self->area, self->area + SIZE, "FilePmdMapped");
	/* A walk while a page is copied would take its whole block. */
	ASSERT_EQ(0, memsync_pause(self->ms, self->pair.source));
	self->area[5 * PAGE]++;
	self->area[3 * MIB]++;
	ASSERT_EQ(0, memsync_resume(self->ms, self->pair.source));
	ASSERT_OK(pair_sync(&self->pair));
	after = pair_stats(&self->pair).shipped_pages;
	EXPECT_LE(before + 2, after);
	EXPECT_GE(before + 2 * (huge > 0 ? HUGE / PAGE : 1), after);
	ASSERT_OK(pair_compare(&self->pair));
}

/* Nor what reclaim has unmapped, which is in the file still. */
TEST_F(files, reclaimed)
{
	uint64_t before;

	if (!variant->stamped)
		SKIP(return, "a file system without a stamp for each change");
	sleep(2);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_OK(pair_sync_compare(&self->pair));
	before = pair_stats(&self->pair).shipped_pages;
	ASSERT_EQ(0, madvise(self->area + MIB, MIB, MADV_PAGEOUT));
	ASSERT_OK(pair_sync_compare(&self->pair));
	EXPECT_EQ(before, pair_stats(&self->pair).shipped_pages);
}

static void *read_always(void *area)
{
	volatile unsigned char *at = area;
	unsigned int i;

	for (i = 0; !atomic_load(&stopping); i = (i + 1) % 64)
		(void)at[i * PAGE];
	return NULL;
}

/*
 * What is dropped is read again, from the file, before the dropping is over: by chance, or
 * for sure where that can be made to take its time.
 */
TEST_F(files, dropped_while_read)
{
	bool delays = delays_built();
	unsigned int round, i;
	pthread_t reader;

	atomic_store(&stopping, false);
	ASSERT_EQ(0, pthread_create(&reader, NULL, read_always, self->area));
	for (round = 0; round < sized(60, 10); round++) {
		for (i = 0; i < 64; i++)
			self->area[i * PAGE]++;
		ASSERT_OK(pair_sync(&self->pair));
		if (delays)
			ASSERT_EQ(0, delay_put("end", 20000));
		ASSERT_EQ(0, madvise(self->area, 64 * PAGE, MADV_DONTNEED));
		if (delays)
			ASSERT_EQ(0, delay_put("end", 0));
		ASSERT_OK(pair_sync_compare(&self->pair));
	}
	atomic_store(&stopping, true);
	pthread_join(reader, NULL);
}

TEST_HARNESS_MAIN
