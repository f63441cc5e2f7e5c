// SPDX-License-Identifier: GPL-2.0
/* Memory from the kernel's pool of huge pages: private, and shared, which is compared. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "huge.h"
#include "torture.h"

int huge_open(struct torture *t)
{
	t->pool = memfd_create("huge", MFD_HUGETLB);
	return t->pool < 0 || ftruncate(t->pool, t->huge_size) ||
	       huge_map(t->huge, t->huge_size, MAP_FIXED) != t->huge ||
	       mmap(t->huge_shared, t->huge_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		    t->pool, 0) != t->huge_shared;
}

static size_t any_huge_page(struct worker *w)
{
	return below(w, w->t->huge_size / HUGE) * HUGE;
}

void write_huge(struct worker *w)
{
	unsigned char *start = below(w, 2) ? w->t->huge : w->t->huge_shared;
	unsigned int i;

	for (i = 0; i < 8; i++)
		start[below(w, w->t->huge_size)]++;
}

void drop_huge(struct worker *w)
{
	size_t at = any_huge_page(w);

	switch (below(w, 4)) {
	case 0:
		madvise(w->t->huge + at, HUGE, MADV_DONTNEED);
		break;
	case 1:
		madvise(w->t->huge_shared + at, HUGE, MADV_DONTNEED);
		break;
	case 2:
		madvise(w->t->huge_shared + at, HUGE, MADV_REMOVE);
		break;
	default:
		if (fallocate(w->t->pool, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, at, HUGE))
			w->last = "a failed fallocate of huge pages";
	}
}

/* The pool has more than are mapped, so there is never a hole that others could meet. */
void map_huge_over(struct worker *w)
{
	unsigned char *at = w->t->huge + any_huge_page(w);

	if (huge_map(at, HUGE, MAP_FIXED) == at)
		at[below(w, HUGE)]++;
	else
		w->last = "huge pages that could not be mapped";
}
