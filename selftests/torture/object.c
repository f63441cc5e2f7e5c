// SPDX-License-Identifier: GPL-2.0
/* A shared object, mapped twice, whose changes are seen. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "torture.h"

/* At either place where it is mapped; nobody knows which of them has fresh entries. */
static struct run shared_run(struct worker *w)
{
	struct torture *t = w->t;

	return below(w, 2) ? some_of(w, t->shared, t->shared_size) :
			     some_of(w, t->alias, t->shared_size - PAGE);
}

void write_shared(struct worker *w)
{
	unsigned int i;

	for (i = 0; i < 8; i++) {
		struct run r = shared_run(w);

		r.start[below(w, r.size)]++;
	}
}

void read_shared(struct worker *w)
{
	struct run r = shared_run(w);
	volatile unsigned char sum = 0;
	size_t i;

	for (i = 0; i < r.size; i += PAGE)
		sum += r.start[i];
}

void write_object(struct worker *w)
{
	struct run r = shared_run(w);
	char text[PAGE + 100];
	size_t at = below(w, w->t->shared_size - sizeof(text));

	memset(text, below(w, 256), sizeof(text));
	if (pwrite(w->t->object, text, sizeof(text), at) < 0)
		w->last = "a failed write";
	if (pread(w->t->file, r.start, PAGE, 0) < 0)
		w->last = "a failed read";
}

void drop_shared(struct worker *w)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_PAGEOUT, MADV_REMOVE, MADV_COLD, MADV_COLLAPSE,
	};
	struct run r = shared_run(w);

	madvise(r.start, r.size, advice[below(w, sizeof(advice) / sizeof(*advice))]);
}

void punch(struct worker *w)
{
	size_t at = below(w, w->t->shared_size), length = 1 + below(w, 64 * PAGE);

	if (fallocate(w->t->object, FALLOC_FL_KEEP_SIZE | (below(w, 4) ? FALLOC_FL_PUNCH_HOLE : 0),
		      at, length))
		w->last = "a failed fallocate";
}

/* Away in one mapping, with what may be written there. */
void remap_alias(struct worker *w)
{
	struct run r = some_of(w, w->t->alias, w->t->shared_size - PAGE);

	mmap(r.start, r.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, w->t->object,
	     PAGE + (r.start - w->t->alias));
	r.start[below(w, r.size)]++;
}
