// SPDX-License-Identifier: GPL-2.0
/* A replica's memory, and images of memory in files. */
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../memsyncctl/image.h"
#include "../memsyncctl/replica.h"
#include "tap.h"

static struct problem p;
static char dir[32];
static char path[64], other[96];

static off_t size_of(const char *name)
{
	struct stat st;

	return stat(name, &st) ? -1 : st.st_size;
}

static mode_t mode_of(const char *name)
{
	struct stat st;

	return stat(name, &st) ? 0 : st.st_mode & 07777;
}

static void test_file(void)
{
	const uint64_t lengths[] = { 8192, 4096 }, another[] = { 4096 };
	struct replica r, second;

	umask(0);
	CHECK(!replica_open(&r, path, false, &p), "a new file");
	CHECK(mode_of(path) == 0600, "is for its owner only");
	CHECK(replica_open(&second, path, true, &p) && strstr(p.text, "in use"),
	      "is nobody else's meanwhile");
	CHECK(!replica_map(&r, lengths, 2, 0, &p) && size_of(path) == 12288, "gets its size");
	CHECK(r.nr_ranges == 2 && r.ranges[1].start == r.ranges[0].end &&
	      r.ranges[1].offset == 8192, "ranges lie one after another");
	memcpy((void *)(uintptr_t)r.ranges[1].start, "mark", 4);
	CHECK(!replica_close(&r, &p) && size_of(path) == 12288, "and stays");
	CHECK(replica_open(&r, path, false, &p) && strstr(p.text, "--resume") && p.attr,
	      "an existing file is refused");
	CHECK(!replica_open(&r, path, true, &p), "but for --resume");
	CHECK(replica_map(&r, another, 1, 0, &p) && strstr(p.text, "not the same region"),
	      "which wants the same size");
	replica_close(&r, &p);
	CHECK(size_of(path) == 12288, "and leaves the file as it is");
	CHECK(!replica_open(&r, path, true, &p) && !replica_map(&r, lengths, 2, 0, &p),
	      "and goes on with one of that size");
	CHECK(!memcmp((char *)r.parts[0].memory + 8192, "mark", 4),
	      "what was in it is there again");
	replica_close(&r, &p);
	unlink(path);
	CHECK(!replica_open(&r, path, true, &p), "--resume makes a file that is missing");
	replica_close(&r, &p);
	CHECK(size_of(path) == -1, "one that was never used is removed");
	CHECK(replica_open(&r, "/nonexistent/x", false, &p) && strstr(p.text, "No such file"),
	      "no such directory");
	CHECK(replica_open(&r, "/dev/null", true, &p) && strstr(p.text, "regular"), "a device");
}

/* Its source's process has got more memory. */
static void test_growth(void)
{
	const uint64_t first[] = { 8192, 4096 }, more[] = { 16384 }, huge[] = { 1ULL << 62 };
	struct replica r;

	CHECK(!replica_open(&r, path, false, &p) && !replica_map(&r, first, 2, 65536, &p),
	      "at first");
	memcpy(r.parts[0].memory, "mark", 4);
	CHECK(!replica_map(&r, more, 1, 65536, &p) && r.size == 28672 && size_of(path) == 28672,
	      "more comes behind what there is");
	CHECK(r.nr_ranges == 1 && r.ranges[0].offset == 12288 &&
	      r.ranges[0].end - r.ranges[0].start == 16384, "and is the last part");
	memcpy((void *)(uintptr_t)r.ranges[0].start, "more", 4);
	CHECK(replica_map(&r, more, 1, 32768, &p) && strstr(p.text, "--max-size") &&
	      size_of(path) == 28672, "up to --max-size");
	CHECK(replica_map(&r, huge, 1, 0, &p) && size_of(path) == 28672 && r.nr_parts == 2,
	      "what there is no room for changes nothing");
	CHECK(!replica_map(&r, more, 1, 65536, &p) && size_of(path) == 45056, "a third part");
	replica_unmap(&r);
	CHECK(r.nr_parts == 2 && r.size == 28672 && size_of(path) == 28672, "can be undone");
	CHECK(!memcmp(r.parts[0].memory, "mark", 4) && !memcmp(r.parts[1].memory, "more", 4),
	      "and the others stay");
	CHECK(!replica_close(&r, &p) && size_of(path) == 28672, "as does the file");
	unlink(path);
}

static void test_limits(void)
{
	const uint64_t odd[] = { 4097 }, empty[] = { 0 };
	const uint64_t huge[] = { 1ULL << 62, 1ULL << 62 }, wrap[] = { 1ULL << 63, 1ULL << 63 };
	const uint64_t fine[] = { 8192 };
	struct replica r;

	replica_open(&r, NULL, false, &p);
	CHECK(replica_map(&r, odd, 1, 0, &p) == -1, "a length that is not of pages");
	CHECK(replica_map(&r, empty, 1, 0, &p) == -1, "one of nothing");
	CHECK(replica_map(&r, huge, 2, 0, &p) == -1, "too much memory");
	CHECK(replica_map(&r, wrap, 2, 0, &p) == -1, "more than can be counted");
	CHECK(replica_map(&r, fine, 0, 0, &p) == -1, "no ranges");
	CHECK(replica_map(&r, fine, 1, 4096, &p) && strstr(p.text, "--max-size"),
	      "more than --max-size");
	CHECK(!replica_map(&r, fine, 1, 8192, &p), "no more than that");
	replica_close(&r, &p);
}

/* Needs a small file system; root has one in a mount namespace of its own. */
static void test_full(void)
{
	const uint64_t lengths[] = { 64 << 20 };
	struct replica r;
	char small[64];

	snprintf(small, sizeof(small), "%s/full", dir);
	mkdir(small, 0700);
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", small, "tmpfs", 0, "size=1m")) {
		printf("ok %d - a full disk # SKIP no mounts of one's own\n", ++tap_nr);
		return;
	}
	strcat(small, "/f");
	replica_open(&r, small, false, &p);
	CHECK(replica_map(&r, lengths, 1, 0, &p) && strstr(p.text, "no room for 64.0 MiB"),
	      "a full disk");
	replica_close(&r, &p);
	CHECK(size_of(small) == -1, "leaves no file");
	snprintf(small, sizeof(small), "%s/full", dir);
	umount(small);
}

static void test_image(void)
{
	char *memory = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	uint64_t at = (uintptr_t)memory, start;
	struct memsync_range ranges[] = {
		{ at, at + 3 * 4096, 4096 }, { at + 3 * 4096, at + 4 * 4096, 0 },
	};
	volatile sig_atomic_t stop = 0;
	struct image image;
	char got[4 * 4096];
	int fd;

	memset(memory, 'a', 4 * 4096);
	munmap(memory + 4096, 4096);
	memory[3 * 4096] = 'z';
	memsync_pid_start(getpid(), &start);
	CHECK(image_open(&image, path, getpid(), start + 1, &p) && strstr(p.text, "not the one"),
	      "another process than was meant");
	image_close(&image);
	CHECK(!image_open(&image, path, getpid(), start, &p), "a file for an image");
	CHECK(!image_copy(&image, ranges, 2, &stop, &p), "is filled");
	CHECK(size_of(path) == -1, "is not there before it is whole");
	CHECK(!image_finish(&image, &p) && size_of(path) == 4 * 4096, "and then is");
	CHECK(mode_of(path) == 0600, "for its owner only");
	image_close(&image);
	fd = open(path, O_RDONLY);
	CHECK(read(fd, got, sizeof(got)) == sizeof(got) && got[0] == 'z' && got[4096] == 'a' &&
	      got[2 * 4096] == 0 && got[3 * 4096] == 'a', "ranges at offsets, holes as zeros");
	close(fd);
	image_open(&image, path, getpid(), start, &p);
	stop = 1;
	CHECK(image_copy(&image, ranges, 2, &stop, &p) && strstr(p.text, "interrupted"),
	      "a signal stops it");
	image_close(&image);
	snprintf(other, sizeof(other), "test $(ls -A %s | grep -c img) = 1", dir);
	CHECK(!system(other), "and nothing is left but what was there before");
}

int main(void)
{
	strcpy(dir, "/tmp/memsync-test-XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/img", dir);
	test_file();
	test_growth();
	test_limits();
	test_image();
	unlink(path);
	test_full();
	snprintf(other, sizeof(other), "rm -rf %s", dir);
	if (system(other))
		return 1;
	return tap_done();
}
