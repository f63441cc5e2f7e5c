// SPDX-License-Identifier: GPL-2.0
/* Memory under a userfaultfd for a while, filled, moved and protected by who has it. */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "torture.h"
#include "userfault-move.h"

int armed_open(struct worker *w)
{
	struct uffdio_api api = { .api = UFFD_API };

	w->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	return w->uffd < 0 || ioctl(w->uffd, UFFDIO_API, &api);
}

static struct uffdio_range range_of(struct run r)
{
	return (struct uffdio_range){ .start = (uintptr_t)r.start, .len = r.size };
}

/* Nobody else touches a worker's own memory, so nobody waits for what is missing. */
static bool arm(struct worker *w, struct run r, uint64_t mode)
{
	struct uffdio_register reg = { .range = range_of(r), .mode = mode };

	return !ioctl(w->uffd, UFFDIO_REGISTER, &reg);
}

static void disarm(struct worker *w, struct run r)
{
	struct uffdio_range range = range_of(r);

	ioctl(w->uffd, UFFDIO_UNREGISTER, &range);
}

void fill_when_missing(struct worker *w)
{
	struct run r = some_of(w, w->own, w->own_size);
	struct uffdio_copy copy = {
		.dst = (uintptr_t)r.start,
		.src = (uintptr_t)w->t->area + below(w, w->t->common / 2 / PAGE) * PAGE,
		.len = r.size < w->t->common / 2 ? r.size : w->t->common / 2,
	};
	struct uffdio_zeropage zeros = { .range = range_of(r) };

	if (!arm(w, r, UFFDIO_REGISTER_MODE_MISSING))
		return;
	madvise(r.start, r.size, MADV_DONTNEED);
	if (below(w, 4))
		ioctl(w->uffd, UFFDIO_COPY, &copy);
	else
		ioctl(w->uffd, UFFDIO_ZEROPAGE, &zeros);
	disarm(w, r);
}

/* With no fault, too. From 6.8 on. */
void move_when_missing(struct worker *w)
{
	struct run r = some_of(w, w->own, w->own_size);
	struct uffdio_move move = {
		.dst = (uintptr_t)r.start,
		.src = (uintptr_t)w->scratch,
		.len = r.size,
		.mode = UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES,
	};

	if (mmap(w->scratch, r.size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ||
	    !arm(w, r, UFFDIO_REGISTER_MODE_MISSING))
		return;
	memset(w->scratch, below(w, 256), r.size);
	madvise(r.start, r.size, MADV_DONTNEED);
	ioctl(w->uffd, UFFDIO_MOVE, &move);
	disarm(w, r);
	madvise(w->scratch, r.size, MADV_DONTNEED);
}

void protect_when_armed(struct worker *w)
{
	struct run r = some_of(w, w->own, w->own_size);
	struct uffdio_writeprotect wp = {
		.range = range_of(r),
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	if (!arm(w, r, UFFDIO_REGISTER_MODE_WP))
		return;
	*r.start = below(w, 256);
	ioctl(w->uffd, UFFDIO_WRITEPROTECT, &wp);
	if (below(w, 2)) {
		wp.mode = 0;
		ioctl(w->uffd, UFFDIO_WRITEPROTECT, &wp);
		r.start[below(w, r.size)]++;
	}
	disarm(w, r);
}
