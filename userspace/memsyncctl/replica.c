// SPDX-License-Identifier: GPL-2.0
/* Memory for a replica. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "directory.h"
#include "replica.h"
#include "units.h"

static int open_file(struct replica *r, bool resume, struct problem *p)
{
	r->fd = open(r->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	r->created = r->fd >= 0;
	if (r->fd < 0 && errno == EEXIST && !resume)
		return problem_attr(p, "", "%s exists; --resume goes on with it", r->path);
	if (r->fd < 0 && errno == EEXIST)
		r->fd = open(r->path, O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (r->fd < 0)
		return problem_attr(p, "", "%s: %s", r->path, strerror(errno));
	return 0;
}

static int check_file(struct replica *r, struct problem *p)
{
	struct stat st;

	if (fstat(r->fd, &st))
		return problem_attr(p, "", "%s: %s", r->path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return problem_attr(p, "", "%s is no regular file", r->path);
	if (flock(r->fd, LOCK_EX | LOCK_NB))
		return problem_attr(p, "", "%s is in use by another receive", r->path);
	/* One of no length was never filled: its receive ended before a source came. */
	r->resumed = st.st_size;
	r->size = st.st_size;
	return 0;
}

int replica_open(struct replica *r, const char *path, bool resume, struct problem *p)
{
	*r = (struct replica){ .path = path, .fd = -1 };
	if (!path)
		return 0;
	if (open_file(r, resume, p))
		return -1;
	if (!check_file(r, p))
		return 0;
	close(r->fd);
	r->fd = -1;
	return -1;
}

/* What it comes to together with what there is. */
static int add_up(const struct replica *r, const uint64_t *lengths, size_t nr, uint64_t max_size,
		  uint64_t *size, struct problem *p)
{
	char text[UNIT_TEXT], limit[UNIT_TEXT];
	uint64_t mask = sysconf(_SC_PAGESIZE) - 1;
	size_t i;

	for (i = 0, *size = r->nr_parts ? r->size : 0; i < nr; i++) {
		if (!lengths[i] || (lengths[i] & mask))
			return problem_attr(p, "length", "range %zu has a length of %" PRIu64
					    " bytes: not whole pages", i, lengths[i]);
		if (__builtin_add_overflow(*size, lengths[i], size) || *size > INT64_MAX)
			return problem_attr(p, "length", "the region is too large");
	}
	if (max_size && *size > max_size)
		return problem_attr(p, "max-size", "the region has %s, and --max-size is %s",
				    unit_bytes(text, *size), unit_bytes(limit, max_size));
	return 0;
}

/* Takes all blocks now: later a full disk would be a SIGBUS. */
static int size_file(struct replica *r, uint64_t from, uint64_t size, struct problem *p)
{
	char text[UNIT_TEXT];
	int err;

	if (r->resumed && !r->nr_parts && r->size != size)
		return problem_attr(p, "length", "%s has %" PRIu64 " bytes and the region %" PRIu64
				    ": not the same region", r->path, r->size, size);
	err = fallocate(r->fd, 0, from, size - from) ? errno : 0;
	if (err == EOPNOTSUPP)
		err = posix_fallocate(r->fd, from, size - from);
	if (err)
		return problem_attr(p, "", "no room for %s in %s: %s",
				    unit_bytes(text, size - from), r->path, strerror(err));
	if (fsync(r->fd) || directory_sync(r->path))
		return problem_attr(p, "", "%s: %s", r->path, strerror(errno));
	return 0;
}

static void shrink_file(struct replica *r, uint64_t size)
{
	if (r->path && size && ftruncate(r->fd, size))
		return;		/* what is too much of it does no harm */
}

static int set_ranges(struct replica *r, const struct replica_part *part, const uint64_t *lengths,
		      size_t nr, uint64_t from, struct problem *p)
{
	uintptr_t addr = (uintptr_t)part->memory;
	struct memsync_range *ranges;
	uint64_t offset = 0;
	size_t i;

	ranges = calloc(nr, sizeof(*ranges));
	if (!ranges)
		return problem_attr(p, "length", "out of memory");
	for (i = 0; i < nr; i++) {
		ranges[i].offset = from + offset;
		ranges[i].start = addr + offset;
		offset += lengths[i];
		ranges[i].end = addr + offset;
	}
	free(r->ranges);
	r->ranges = ranges;
	r->nr_ranges = nr;
	return 0;
}

static int map_part(struct replica *r, struct replica_part *part, uint64_t from, struct problem *p)
{
	int flags = r->path ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
	char text[UNIT_TEXT];

	part->memory = mmap(NULL, part->size, PROT_READ | PROT_WRITE, flags, r->fd,
			    r->path ? from : 0);
	if (part->memory == MAP_FAILED)
		return problem_attr(p, "length", "no memory for %s: %s",
				    unit_bytes(text, part->size), strerror(errno));
	return 0;
}

static int add_part(struct replica *r, const struct replica_part *part, struct problem *p)
{
	struct replica_part *parts;

	parts = reallocarray(r->parts, r->nr_parts + 1, sizeof(*parts));
	if (!parts)
		return problem_attr(p, "length", "out of memory");
	r->parts = parts;
	r->parts[r->nr_parts++] = *part;
	return 0;
}

int replica_map(struct replica *r, const uint64_t *lengths, size_t nr, uint64_t max_size,
		struct problem *p)
{
	uint64_t from = r->nr_parts ? r->size : 0;
	struct replica_part part;
	uint64_t size;

	if (!nr)
		return problem_attr(p, "length", "the source offers no ranges");
	if (add_up(r, lengths, nr, max_size, &size, p))
		return -1;
	if (r->path && size_file(r, from, size, p))
		goto shrink;
	part.size = size - from;
	if (map_part(r, &part, from, p))
		goto shrink;
	if (set_ranges(r, &part, lengths, nr, from, p) || add_part(r, &part, p)) {
		munmap(part.memory, part.size);
		goto shrink;
	}
	r->size = size;
	return 0;

shrink:
	shrink_file(r, from);
	return -1;
}

void replica_unmap(struct replica *r)
{
	struct replica_part *last = &r->parts[--r->nr_parts];

	munmap(last->memory, last->size);
	r->size -= last->size;
	shrink_file(r, r->size);
}

static int write_out(const struct replica *r)
{
	size_t i;

	for (i = 0; i < r->nr_parts; i++)
		if (msync(r->parts[i].memory, r->parts[i].size, MS_SYNC))
			return -1;
	return fsync(r->fd);
}

int replica_close(struct replica *r, struct problem *p)
{
	int err = 0;
	size_t i;

	if (r->path && r->nr_parts && write_out(r))
		err = problem_attr(p, "", "%s: %s", r->path, strerror(errno));
	for (i = 0; i < r->nr_parts; i++)
		munmap(r->parts[i].memory, r->parts[i].size);
	if (!r->nr_parts && r->created && r->fd >= 0)
		unlink(r->path);
	if (r->fd >= 0)
		close(r->fd);
	free(r->parts);
	free(r->ranges);
	*r = (struct replica){ .fd = -1 };
	return err;
}
