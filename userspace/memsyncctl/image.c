// SPDX-License-Identifier: GPL-2.0
/* A process's memory, written to a file. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "directory.h"
#include "image.h"
#include "maps.h"

#define CHUNK	(1 << 20)

/* Once open it stays with the memory it was opened on, whoever gets the pid. */
static int open_mem(struct image *image, uint64_t pid_start, struct problem *p)
{
	char path[40];
	uint64_t start;

	snprintf(path, sizeof(path), "/proc/%d/mem", image->pid);
	image->mem = open(path, O_RDONLY | O_CLOEXEC);
	if (image->mem < 0)
		return problem_attr(p, "pid", "%s: %s", path, strerror(errno));
	if (memsync_pid_start(image->pid, &start) || start != pid_start)
		return problem_attr(p, "pid", "process %d is not the one that was registered",
				    image->pid);
	return 0;
}

static int open_temporary(struct image *image, struct problem *p)
{
	struct stat st;

	if (!stat(image->path, &st) && !S_ISREG(st.st_mode))
		return problem_attr(p, "", "%s is no regular file", image->path);
	if (asprintf(&image->temporary, "%s.XXXXXX", image->path) < 0) {
		image->temporary = NULL;
		return problem_attr(p, "", "out of memory");
	}
	image->fd = mkostemp(image->temporary, O_CLOEXEC);	/* 0600 */
	if (image->fd >= 0)
		return 0;
	free(image->temporary);
	image->temporary = NULL;
	return problem_attr(p, "", "%s: %s", image->path, strerror(errno));
}

int image_open(struct image *image, const char *path, pid_t pid, uint64_t pid_start,
	       struct problem *p)
{
	*image = (struct image){ .path = path, .fd = -1, .mem = -1, .pid = pid };
	image->buffer = malloc(CHUNK);
	if (!image->buffer)
		return problem_attr(p, "", "out of memory");
	if (open_mem(image, pid_start, p))
		return -1;
	return open_temporary(image, p);
}

static bool all_zero(const char *bytes, size_t len)
{
	return !len || (!bytes[0] && !memcmp(bytes, bytes + 1, len - 1));
}

static int write_out(struct image *image, uint64_t offset, size_t len, struct problem *p)
{
	const char *from = image->buffer;
	ssize_t done;

	/* Left as a hole of the file. */
	if (all_zero(from, len))
		return 0;
	while (len) {
		done = pwrite(image->fd, from, len, offset);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return problem_attr(p, "", "%s: %s", image->path,
					    done ? strerror(errno) : "nothing was written");
		from += done;
		offset += done;
		len -= done;
	}
	return 0;
}

static bool unmapped(struct image *image, uint64_t address)
{
	struct problem ignored = { };
	struct maps maps;
	bool mapped;

	if (maps_read(image->pid, false, &maps, &ignored))
		return false;
	mapped = maps_cover(&maps, address, address + 1);
	maps_free(&maps);
	return !mapped;
}

/* How much was read; -1 with a problem. What is unmapped reads as zeros. */
static ssize_t read_in(struct image *image, uint64_t address, size_t len, struct problem *p)
{
	size_t page = sysconf(_SC_PAGESIZE);
	ssize_t got;

	do {
		got = pread(image->mem, image->buffer, len, address);
	} while (got < 0 && errno == EINTR);
	if (got > 0)
		return got;
	if (got == 0)
		return problem_attr(p, "pid", "process %d has ended", image->pid);
	if (errno == EIO && unmapped(image, address)) {
		memset(image->buffer, 0, page);
		return page;
	}
	return problem_attr(p, "pid", "memory of process %d at 0x%" PRIx64 ": %s", image->pid,
			    address, strerror(errno));
}

static int copy_range(struct image *image, const struct memsync_range *range,
		      const volatile sig_atomic_t *stop, struct problem *p)
{
	uint64_t address = range->start;
	ssize_t got;

	while (address < range->end) {
		size_t len = range->end - address < CHUNK ? range->end - address : CHUNK;

		if (*stop)
			return problem_attr(p, "", "interrupted");
		got = read_in(image, address, len, p);
		if (got < 0)
			return -1;
		if (write_out(image, range->offset + (address - range->start), got, p))
			return -1;
		address += got;
	}
	return 0;
}

int image_copy(struct image *image, const struct memsync_range *ranges, size_t nr,
	       const volatile sig_atomic_t *stop, struct problem *p)
{
	uint64_t size = 0;
	size_t i;

	for (i = 0; i < nr; i++) {
		if (copy_range(image, &ranges[i], stop, p))
			return -1;
		if (size < ranges[i].offset + (ranges[i].end - ranges[i].start))
			size = ranges[i].offset + (ranges[i].end - ranges[i].start);
	}
	if (ftruncate(image->fd, size))
		return problem_attr(p, "", "%s: %s", image->path, strerror(errno));
	return 0;
}

int image_finish(struct image *image, struct problem *p)
{
	if (fsync(image->fd) || rename(image->temporary, image->path))
		return problem_attr(p, "", "%s: %s", image->path, strerror(errno));
	free(image->temporary);
	image->temporary = NULL;
	if (directory_sync(image->path))
		return problem_attr(p, "", "the directory of %s: %s", image->path, strerror(errno));
	return 0;
}

void image_close(struct image *image)
{
	if (image->temporary)
		unlink(image->temporary);
	free(image->temporary);
	free(image->buffer);
	if (image->fd >= 0)
		close(image->fd);
	if (image->mem >= 0)
		close(image->mem);
}
