/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the C tests share: a source and its sink on this host, joined over
 * loopback in a network namespace of the test's own, and the comparison.
 *
 *	this process, or a child             holder (a child)
 *	   source region ───── 127.0.0.1 ─────> sink region
 *	        │                                  │ shared with us
 *	        └──/proc/PID/mem──> compare <──────┘
 */
#ifndef _SELFTESTS_PAIR_H
#define _SELFTESTS_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>

#include <memsync.h>

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif

#define PAGE		4096UL
#define KIB		(1UL << 10)
#define MIB		(1UL << 20)
#define HUGE		(2 * MIB)

#define PAIR_RANGES	64
#define PAIR_TIMEOUT_MS	sized(120000, 600000)
#define PAIR_PORT	7420

/**
 * struct pair - a source and its replica
 * @ms: handle
 * @name: of both regions
 * @source: number of the source region
 * @sink: number of the sink region
 * @pid: the source's process
 * @holder: the sink's process
 * @replica: the sink's memory, which we see too
 * @replica_addr: where the holder has it
 * @ranges: of the source, as registered, with their offsets
 * @nr_ranges: entries in @ranges
 * @size: of all ranges, bytes
 */
struct pair {
	struct memsync *ms;
	char name[32];
	uint32_t source;
	uint32_t sink;
	pid_t pid;
	pid_t holder;
	unsigned char *replica;
	uint64_t replica_addr;
	struct memsync_range ranges[PAIR_RANGES];
	size_t nr_ranges;
	size_t size;
};

/* Sizes that suit the kernel: the debug kernel's is smaller by this. */
bool on_debug_kernel(void);
static inline unsigned long sized(unsigned long normal, unsigned long debug)
{
	return on_debug_kernel() ? debug : normal;
}

/* A network namespace of our own with loopback; NULL or what failed. */
const char *pair_host(void);
/* The same with a listener there. */
const char *pair_net(struct memsync **ms);
struct memsync_addr pair_loopback(void);

/* The sentence that says what failed; good until the next one. */
const char *pair_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* All return NULL, or a sentence that says what failed. */
const char *pair_start_ranges(struct pair *p, struct memsync *ms, const char *name, pid_t pid,
			      const struct memsync_range *ranges, size_t nr);
const char *pair_start(struct pair *p, struct memsync *ms, pid_t pid, const void *start,
		       size_t length);
/* The same, with memory in it whose changes cannot be seen. */
const char *pair_start_compared(struct pair *p, struct memsync *ms, pid_t pid, const void *start,
				size_t length);
/* The same, with private memory that nobody has touched for a replica: not to be compared. */
const char *pair_start_private(struct pair *p, struct memsync *ms, pid_t pid, const void *start,
			       size_t length);
void pair_stop(struct pair *p);

/* A barrier, then every byte compared; the source does not write meanwhile. */
const char *pair_compare(struct pair *p);
const char *pair_sync(struct pair *p);
const char *pair_sync_compare(struct pair *p);
/* By digests, as memsyncctl verify does. */
const char *pair_verify(struct pair *p, struct memsync_verify *result);
/* Just the two memories, which the source's process may share with us. */
const char *pair_compare_direct(const struct pair *p, size_t offset, size_t length);

struct memsync_region *pair_region(struct pair *p, uint32_t id);
/* The source's region as it is; zeros if there is none. */
struct memsync_stats pair_stats(struct pair *p);
/* Waits by events until region @id is in @state; its reason goes to @reason. */
const char *pair_wait_state(struct pair *p, uint32_t id, enum memsync_region_state state,
			    char *reason, size_t size);

/* Anonymous memory at a multiple of 2 MiB, or NULL. */
void *memory_new(size_t size);
/* More than there is, as long as little of it is touched. */
void *memory_new_sparse(size_t size);
/* The same as the first, of huge pages if the kernel gives any. */
void *memory_new_huge(size_t size);
/* The same every time for the same @seed; no page of it is zeros. */
void memory_fill_all(void *start, size_t size, uint64_t seed);
/*
 * But for the debug kernel, to which a page is a millisecond of work: of a
 * mebibyte or more, one page in four there.
 */
void memory_fill(void *start, size_t size, uint64_t seed);
uint64_t random_next(uint64_t *state);
/* KiB of this key in /proc/PID/smaps over [start, end), or -1. */
long smaps_kib(pid_t pid, const void *start, const void *end, const char *key);
/* How many pages the kernel has moved since it booted, or -1. */
long pages_migrated(void);
/* Writes a string to a file, for sysfs and procfs. */
int file_put(const char *path, const char *text);
/*
 * Tells the kernel that a page is broken. @how is advice to madvise(), which is asked again
 * while a pass may have the page in its hands. 0, or -1 with errno.
 */
int break_page(unsigned char *page, int how);
int pid_open_mem(pid_t pid);

#endif /* _SELFTESTS_PAIR_H */
