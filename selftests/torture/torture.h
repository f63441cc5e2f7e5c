/* SPDX-License-Identifier: GPL-2.0 */
/* What torture.c and actions.c share. */
#ifndef _TORTURE_H
#define _TORTURE_H

#include <pthread.h>
#include <stdatomic.h>

#include "pair.h"

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

#define WORKERS	4
#define FREED	8

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
	unsigned long done;
	const char *last;
};

/**
 * struct torture - the memory, and who changes it
 * @area: all of the region: first what everybody writes to, then each worker's own, then
 *	a shared object
 * @size: bytes of it
 * @common: bytes that everybody writes to
 * @object: the file of the shared object
 * @shared: where it is in @area
 * @alias: another mapping of it, without its first page
 * @shared_size: bytes of the object
 * @file: a file of random bytes to read from
 * @holes: held where something is unmapped for a moment, and where something new is
 *	mapped wherever there is room
 * @gate: workers and main meet here before and after each comparison
 * @running: go on; else come to the gate
 */
struct torture {
	unsigned char *area;
	size_t size;
	size_t common;
	int object;
	unsigned char *shared;
	unsigned char *alias;
	size_t shared_size;
	int file;
	pthread_mutex_t holes;
	pthread_barrier_t gate;
	atomic_bool running;
	struct worker workers[WORKERS];
};

/* Some action, by the worker's random numbers. */
void act(struct worker *w);
/* To be called before a comparison: from here on memory changes by nobody's will but ours. */
void settle(struct worker *w);

/* Below @limit. */
static inline size_t below(struct worker *w, size_t limit)
{
	return random_next(&w->seed) % limit;
}

#endif /* _TORTURE_H */
