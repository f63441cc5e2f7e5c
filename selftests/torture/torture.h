/* SPDX-License-Identifier: GPL-2.0 */
/* What torture.c and the actions share. */
#ifndef _TORTURE_H
#define _TORTURE_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "pair.h"
#include "ring.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

#define WORKERS	4
#define FREED	8
#define DISK_SIZE	MIB	/* bytes of the file on a disk, see lib/disk.h */
#define CUT_SIZE	(128 * PAGE)

struct torture;

/* Some pages. */
struct run {
	unsigned char *start;
	size_t size;
};

/**
 * struct worker - a thread that changes memory
 * @t: the whole
 * @seed: its own sequence of random numbers
 * @own: memory whose mappings it alone changes, and to which it alone writes
 * @own_size: bytes of it
 * @scratch: memory of the same size that belongs to no region
 * @freed: lazily, so that the kernel may take the content at any time
 * @nr_freed: entries in @freed
 * @ring: to have the kernel read into @pinned
 * @pinned: what was registered with @ring, and may be mapped elsewhere or not at all by now
 * @uffd: a userfaultfd
 * @done: actions so far
 * @last: name of the last one that was begun
 */
struct worker {
	pthread_t thread;
	struct torture *t;
	uint64_t seed;
	unsigned char *own;
	size_t own_size;
	unsigned char *scratch;
	struct run freed[FREED];
	unsigned int nr_freed;
	struct ring ring;
	struct run pinned;
	int uffd;
	unsigned long done;
	const char *last;
};

/**
 * struct neighbour - another process, that writes to our memory; shared with it
 * @running: it is to go on
 * @parked: it does nothing
 * @failed: of what it did, something failed that must not
 * @seed: its sequence of random numbers
 * @tids: of the workers
 * @done: actions so far
 */
struct neighbour {
	atomic_bool running;
	atomic_bool parked;
	bool failed;
	uint64_t seed;
	pid_t tids[WORKERS];
	unsigned long done;
};

/**
 * struct cut - an object that is cut short and grows again
 * @fd: its file
 * @start: where it is mapped, CUT_SIZE bytes
 */
struct cut {
	int fd;
	unsigned char *start;
};

/**
 * struct torture - the memory, and who changes it
 * @area: all of the region: what everybody writes to, then huge pages, then each worker's
 *	own, then a shared object, then files
 * @size: bytes of it
 * @common: bytes that everybody writes to
 * @pool: the file of the huge pages that are shared
 * @huge: where huge pages are mapped privately
 * @huge_shared: where @pool is
 * @huge_size: bytes of either
 * @object: the file of the shared object
 * @shared: where it is in @area
 * @alias: another mapping of it, without its first page
 * @shared_size: bytes of the object
 * @disk: a file on a disk
 * @direct: the same, for direct I/O
 * @mapped: where it is mapped in @area
 * @copied: where it is mapped privately
 * @cut: objects that are cut short
 * @cutting: held by whoever goes to @cut
 * @file: a file of random bytes to read from
 * @holes: held where something is unmapped for a moment, and where something new is
 *	mapped wherever there is room
 * @neighbour: another process, see there
 * @neighbour_pid: its number
 * @gate: workers and main meet here before and after each comparison
 * @running: go on; else come to the gate
 * @broken: pages that were broken
 * @ended: regions that have ended by that
 */
struct torture {
	unsigned char *area;
	size_t size;
	size_t common;
	int pool;
	unsigned char *huge;
	unsigned char *huge_shared;
	size_t huge_size;
	int object;
	unsigned char *shared;
	unsigned char *alias;
	size_t shared_size;
	int disk;
	int direct;
	unsigned char *mapped;
	unsigned char *copied;
	struct cut cut[2];
	pthread_mutex_t cutting;
	int file;
	pthread_mutex_t holes;
	struct neighbour *neighbour;
	pid_t neighbour_pid;
	pthread_barrier_t gate;
	atomic_bool running;
	unsigned long broken;
	unsigned long ended;
	struct worker workers[WORKERS];
};

/* Some action, by the worker's random numbers. */
void act(struct worker *w);
/* To be called before a comparison: from here on memory changes by nobody's will but ours. */
void settle(struct worker *w);

/* Mostly few pages, now and then up to 4 MiB. */
struct run some_of(struct worker *w, unsigned char *start, size_t size);
/* Where this worker may write: everybody's, huge pages too, or its own. */
struct run any_run(struct worker *w);

/* kernel.c */
void read_file(struct worker *w);
void read_pipe(struct worker *w);
void read_direct(struct worker *w);
void pin(struct worker *w);
void read_pinned(struct worker *w);
void read_ring(struct worker *w);
void receive(struct worker *w);
void wake_and_count(struct worker *w);
void take_signal(struct worker *w);
void write_remotely(struct worker *w);
void write_proc_mem(struct worker *w);

/* object.c */
void write_shared(struct worker *w);
void read_shared(struct worker *w);
void write_object(struct worker *w);
void drop_shared(struct worker *w);
void punch(struct worker *w);
void remap_alias(struct worker *w);

/* huge.c; to be opened before there are threads. 0, or there are no huge pages */
int huge_open(struct torture *t);
void write_huge(struct worker *w);
void drop_huge(struct worker *w);
void map_huge_over(struct worker *w);

/* cut.c; to be opened when there is a disk. 0, or it failed */
int cut_open(struct torture *t);
void truncate_object(struct worker *w);
void write_cut(struct worker *w);

/* poison.c; NULL, or what went wrong. */
const char *break_a_page(struct torture *t, struct memsync *ms, uint64_t *seed);

/* disk.c */
void write_mapped(struct worker *w);
void write_copied(struct worker *w);
void write_disk(struct worker *w);
void drop_mapped(struct worker *w);
void punch_disk(struct worker *w);

/* armed.c; 0, or there is no userfaultfd */
int armed_open(struct worker *w);
void fill_when_missing(struct worker *w);
void move_when_missing(struct worker *w);
void protect_when_armed(struct worker *w);

/* neighbour.c; to be started before the workers. Parked, it does nothing. */
int neighbour_start(struct torture *t, uint64_t seed);
void neighbour_run(struct torture *t);
/* NULL, or what went wrong with it. */
const char *neighbour_park(struct torture *t);

/* Below @limit. */
static inline size_t below(struct worker *w, size_t limit)
{
	return random_next(&w->seed) % limit;
}

#endif /* _TORTURE_H */
