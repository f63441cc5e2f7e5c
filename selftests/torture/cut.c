// SPDX-License-Identifier: GPL-2.0
/*
 * Objects that are cut short and grow again, in the middle of pages too: one in memory, and
 * one on a disk, which is compared. Whoever goes there holds their lock, and goes no further
 * than their end, behind which a mapping has nothing.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "torture.h"

#define CUT_PATH	"/mnt/fs/cut"

int cut_open(struct torture *t)
{
	int flags = PROT_READ | PROT_WRITE;

	t->cut[0].fd = memfd_create("cut", 0);
	t->cut[1].fd = open(CUT_PATH, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	pthread_mutex_init(&t->cutting, NULL);
	for (struct cut *c = t->cut; c < t->cut + ARRAY_SIZE(t->cut); c++)
		if (c->fd < 0 || ftruncate(c->fd, CUT_SIZE) ||
		    mmap(c->start, CUT_SIZE, flags, MAP_SHARED | MAP_FIXED, c->fd, 0) != c->start)
			return -1;
	return 0;
}

static void write_below(struct worker *w, struct cut *c, size_t end)
{
	unsigned int i;

	for (i = 0; i < 4 && end; i++)
		c->start[below(w, end)]++;
}

/* Nothing, whole pages, the middle of one, or all. */
static size_t any_end(struct worker *w)
{
	switch (below(w, 8)) {
	case 0:
		return 0;
	case 1:
		return below(w, CUT_SIZE / PAGE) * PAGE;
	case 2:
	case 3:
		return below(w, CUT_SIZE);
	default:
		return CUT_SIZE;
	}
}

void truncate_object(struct worker *w)
{
	struct cut *c = &w->t->cut[below(w, ARRAY_SIZE(w->t->cut))];
	size_t end = any_end(w);

	pthread_mutex_lock(&w->t->cutting);
	if (ftruncate(c->fd, end))
		w->last = "a failed truncate";
	else
		write_below(w, c, end);
	pthread_mutex_unlock(&w->t->cutting);
}

void write_cut(struct worker *w)
{
	struct cut *c = &w->t->cut[below(w, ARRAY_SIZE(w->t->cut))];
	struct stat is;

	pthread_mutex_lock(&w->t->cutting);
	if (!fstat(c->fd, &is))
		write_below(w, c, is.st_size);
	pthread_mutex_unlock(&w->t->cutting);
}
