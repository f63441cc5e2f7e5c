// SPDX-License-Identifier: GPL-2.0
/* The ways in which a process changes its memory. */
#include <linux/mempolicy.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "torture.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

struct run some_of(struct worker *w, unsigned char *start, size_t size)
{
	size_t pages = size / PAGE;
	size_t first = below(w, pages);
	size_t nr = below(w, 8) ? 1 + below(w, 16) : 1 + below(w, 4 * MIB / PAGE);

	if (nr > pages - first)
		nr = pages - first;
	return (struct run){ start + first * PAGE, nr * PAGE };
}

struct run common_run(struct worker *w)
{
	return some_of(w, w->t->area, w->t->common);
}

struct run own_run(struct worker *w)
{
	return some_of(w, w->own, w->own_size);
}

struct run any_run(struct worker *w)
{
	if (!below(w, 8))
		return some_of(w, w->t->huge, 2 * w->t->huge_size);
	return below(w, 2) ? common_run(w) : own_run(w);
}

/* Pages of an own run that are not mapped are mapped again. */
static void repair(struct run r)
{
	mmap(r.start, r.size, PROT_READ | PROT_WRITE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

/* ---- by the processor ---- */

static void write_words(struct worker *w)
{
	unsigned int i;

	for (i = 0; i < 64; i++) {
		uint64_t n = random_next(&w->seed);

		*(uint64_t *)(w->t->area + (n >> 8) % w->t->common / 8 * 8) = n;
	}
}

static void write_run(struct worker *w)
{
	struct run r = common_run(w);

	memset(r.start, below(w, 256), r.size);
}

static void write_upwards(struct worker *w)
{
	struct run r = common_run(w);
	size_t i;

	for (i = 0; i < r.size; i += PAGE)
		r.start[i + i / PAGE % PAGE]++;
}

static void write_own(struct worker *w)
{
	struct run r = own_run(w);

	memset(r.start, below(w, 256), r.size);
}

/* The same pages again and again. */
static void write_hot(struct worker *w)
{
	unsigned int i;

	for (i = 0; i < 256; i++)
		w->own[i % 16 * PAGE + below(w, PAGE)]++;
}

static void read_run(struct worker *w)
{
	struct run r = any_run(w);
	volatile unsigned char sum = 0;
	size_t i;

	for (i = 0; i < r.size; i += PAGE)
		sum += r.start[i];
}

/* ---- advice ---- */

static void advise(struct run r, int advice)
{
	/* Not every kernel has each, and a part may be unmapped. */
	madvise(r.start, r.size, advice);
}

static void drop(struct worker *w)
{
	advise(any_run(w), MADV_DONTNEED);
}

void settle(struct worker *w)
{
	size_t i;

	while (w->nr_freed) {
		struct run r = w->freed[--w->nr_freed];

		for (i = 0; i < r.size; i += PAGE)
			*(volatile unsigned char *)(r.start + i) += 1;
	}
}

static void free_lazily(struct worker *w)
{
	struct run r = any_run(w);

	if (w->nr_freed == FREED)
		settle(w);
	advise(r, MADV_FREE);
	if (below(w, 2))
		*r.start = below(w, 256);
	w->freed[w->nr_freed++] = r;
}

static void page_out(struct worker *w)
{
	advise(any_run(w), MADV_PAGEOUT);
}

static void cool(struct worker *w)
{
	advise(any_run(w), MADV_COLD);
}

static void populate(struct worker *w)
{
	advise(any_run(w), MADV_POPULATE_WRITE);
}

static void collapse(struct worker *w)
{
	advise(any_run(w), MADV_COLLAPSE);
}

static void make_huge(struct worker *w)
{
	struct run r = any_run(w);

	advise(r, below(w, 2) ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

static void lock(struct worker *w)
{
	struct run r = any_run(w);

	/* Not for long, or the limits are reached. */
	mlock2(r.start, r.size, below(w, 2) ? MLOCK_ONFAULT : 0);
	*r.start = below(w, 256);
	munlock(r.start, r.size);
}

/* What it says of a child, or of a dump, splits mappings. */
static void set_aside(struct worker *w)
{
	static const int advice[] = {
		MADV_DONTDUMP, MADV_DODUMP, MADV_WIPEONFORK, MADV_KEEPONFORK,
	};

	advise(own_run(w), advice[below(w, ARRAY_SIZE(advice))]);
}

static void make_mergeable(struct worker *w)
{
	struct run r = any_run(w);

	advise(r, below(w, 2) ? MADV_MERGEABLE : MADV_UNMERGEABLE);
}

/* ---- mappings of one's own ---- */

static void protect(struct worker *w)
{
	struct run r = own_run(w);

	mprotect(r.start, r.size, below(w, 2) ? PROT_READ : PROT_NONE);
	mprotect(r.start, r.size, PROT_READ | PROT_WRITE);
	*r.start = below(w, 256);
}

static void unmap(struct worker *w)
{
	struct run r = own_run(w);

	pthread_mutex_lock(&w->t->holes);
	munmap(r.start, r.size);
	repair(r);
	pthread_mutex_unlock(&w->t->holes);
	if (below(w, 2))
		*r.start = below(w, 256);
}

static void map_over(struct worker *w)
{
	struct run r = own_run(w);

	mmap(r.start, r.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
	     -1, 0);
}

/* In place, unless it is of several mappings by now. */
static void shrink_and_grow(struct worker *w)
{
	struct run r = own_run(w);
	size_t less = (1 + below(w, r.size / PAGE)) * PAGE;

	pthread_mutex_lock(&w->t->holes);
	if (mremap(r.start, r.size, less, 0) == r.start &&
	    mremap(r.start, less, r.size, 0) == MAP_FAILED && less < r.size)
		repair((struct run){ r.start + less, r.size - less });
	pthread_mutex_unlock(&w->t->holes);
	r.start[r.size - 1] = below(w, 256);
}

/* Content that comes with no fault. */
static void move_in(struct worker *w)
{
	struct run r = own_run(w);
	unsigned char *from;

	pthread_mutex_lock(&w->t->holes);
	from = mmap(NULL, r.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_mutex_unlock(&w->t->holes);
	if (from == MAP_FAILED)
		return;
	memset(from, below(w, 256), r.size);
	pthread_mutex_lock(&w->t->holes);
	if (mremap(from, r.size, r.size, MREMAP_MAYMOVE | MREMAP_FIXED, r.start) == MAP_FAILED) {
		munmap(from, r.size);
		repair(r);
	}
	pthread_mutex_unlock(&w->t->holes);
}

/* Away, changed there, and back; in between there is nothing, or empty memory. */
static void move_out(struct worker *w)
{
	struct run r = own_run(w);
	unsigned char *to = w->scratch + (r.start - w->own);
	bool leave = below(w, 2);
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;

	pthread_mutex_lock(&w->t->holes);
	if (mremap(r.start, r.size, r.size, flags | (leave ? MREMAP_DONTUNMAP : 0), to) !=
	    MAP_FAILED) {
		to[below(w, r.size)]++;
		if (leave)
			*r.start = 0;
		mremap(to, r.size, r.size, flags | MREMAP_DONTUNMAP, r.start);
	}
	repair(r);
	/* What could not be moved has unmapped its destination. */
	repair((struct run){ to, r.size });
	pthread_mutex_unlock(&w->t->holes);
}

/* ---- the process ---- */

static void child(struct worker *w)
{
	unsigned int i;

	for (i = 0; i < 32; i++) {
		w->t->area[below(w, w->t->common)] ^= 1;
		w->t->alias[below(w, w->t->shared_size - PAGE)]++;
		w->t->mapped[below(w, DISK_SIZE)]++;
		w->t->huge_shared[below(w, w->t->huge_size)]++;
	}
	_exit(0);
}

static void fork_and_write(struct worker *w)
{
	pid_t pid = fork();

	if (!pid)
		child(w);
	write_words(w);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void spawn_another(struct worker *w)
{
	char *argv[] = { "true", NULL };
	pid_t pid = 0;
	int err;

	pthread_mutex_lock(&w->t->holes);
	err = posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ);
	pthread_mutex_unlock(&w->t->holes);
	if (!err)
		waitpid(pid, NULL, 0);
}

/* Of the replica's memory too. */
static void reclaim(struct worker *w)
{
	file_put("/sys/fs/cgroup/torture/memory.reclaim", "6M");
}

static void forget_soft_dirty(struct worker *w)
{
	file_put("/proc/self/clear_refs", "4");
}

static void compact(struct worker *w)
{
	file_put("/proc/sys/vm/compact_memory", "1");
}

/* As if it were about to break. It is lost for good, so only now and then. */
static void retire(struct worker *w)
{
	struct run r = below(w, 2) ? common_run(w) : own_run(w);

	madvise(r.start, PAGE, MADV_SOFT_OFFLINE);
}

/* Between the nodes, where there are two. */
static void migrate(struct worker *w)
{
	struct run r = any_run(w);
	void *pages[16];
	int nodes[16], status[16];
	unsigned int nr;

	for (nr = 0; nr < ARRAY_SIZE(pages) && nr * PAGE < r.size; nr++) {
		pages[nr] = r.start + nr * PAGE;
		nodes[nr] = below(w, 2);
	}
	syscall(SYS_move_pages, 0, nr, pages, nodes, status, MPOL_MF_MOVE);
}

#define ACTION(weight, fn)	{ #fn, fn, weight }

static const struct {
	const char *name;
	void (*fn)(struct worker *w);
	unsigned int weight;
} actions[] = {
	ACTION(300, write_words),
	ACTION(60, write_run),
	ACTION(60, write_upwards),
	ACTION(60, write_own),
	ACTION(60, write_hot),
	ACTION(60, read_run),
	ACTION(60, write_shared),
	ACTION(20, read_shared),
	ACTION(20, write_object),
	ACTION(20, drop_shared),
	ACTION(8, punch),
	ACTION(8, remap_alias),
	ACTION(30, write_huge),
	ACTION(4, drop_huge),
	ACTION(2, map_huge_over),
	ACTION(60, write_mapped),
	ACTION(20, write_copied),
	ACTION(20, write_disk),
	ACTION(20, drop_mapped),
	ACTION(8, punch_disk),
	ACTION(10, truncate_object),
	ACTION(30, write_cut),
	ACTION(40, read_file),
	ACTION(30, read_pipe),
	ACTION(30, read_direct),
	ACTION(10, pin),
	ACTION(30, read_pinned),
	ACTION(20, read_ring),
	ACTION(20, receive),
	ACTION(20, wake_and_count),
	ACTION(10, take_signal),
	ACTION(30, write_remotely),
	ACTION(30, write_proc_mem),
	ACTION(20, drop),
	ACTION(20, free_lazily),
	ACTION(8, page_out),
	ACTION(10, cool),
	ACTION(10, populate),
	ACTION(4, collapse),
	ACTION(6, make_huge),
	ACTION(6, make_mergeable),
	ACTION(6, lock),
	ACTION(6, set_aside),
	ACTION(20, protect),
	ACTION(15, unmap),
	ACTION(10, map_over),
	ACTION(15, move_in),
	ACTION(15, move_out),
	ACTION(8, shrink_and_grow),
	ACTION(8, fill_when_missing),
	ACTION(6, move_when_missing),
	ACTION(8, protect_when_armed),
	ACTION(3, fork_and_write),
	ACTION(1, spawn_another),
	ACTION(2, reclaim),
	ACTION(3, forget_soft_dirty),
	ACTION(1, compact),
	ACTION(8, migrate),
	ACTION(1, retire),
};

void act(struct worker *w)
{
	unsigned int i, all = 0, at;

	for (i = 0; i < ARRAY_SIZE(actions); i++)
		all += actions[i].weight;
	at = below(w, all);
	for (i = 0; at >= actions[i].weight; i++)
		at -= actions[i].weight;
	w->last = actions[i].name;
	actions[i].fn(w);
	w->done++;
}
