// SPDX-License-Identifier: GPL-2.0
/*
 * A file on a disk: mapped shared, which is compared, and private, which is the
 * process's own where it was written and else changes with the file.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "torture.h"

void write_mapped(struct worker *w)
{
	unsigned int i;

	for (i = 0; i < 8; i++)
		w->t->mapped[below(w, DISK_SIZE)]++;
}

void write_copied(struct worker *w)
{
	unsigned int i;

	for (i = 0; i < 8; i++)
		w->t->copied[below(w, DISK_SIZE)]++;
}

void write_disk(struct worker *w)
{
	_Alignas(4096) unsigned char page[PAGE];
	bool direct = below(w, 2);
	size_t length = direct ? PAGE : 1 + below(w, PAGE);
	size_t at = direct ? below(w, DISK_SIZE / PAGE) * PAGE : below(w, DISK_SIZE - length);

	memset(page, below(w, 256), sizeof(page));
	if (pwrite(direct ? w->t->direct : w->t->disk, page, length, at) < 0)
		w->last = "a failed write to the disk";
}

void drop_mapped(struct worker *w)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_PAGEOUT, MADV_COLD, MADV_WILLNEED,
	};
	struct run r = some_of(w, below(w, 2) ? w->t->mapped : w->t->copied, DISK_SIZE);

	madvise(r.start, r.size, advice[below(w, ARRAY_SIZE(advice))]);
}

/*
 * On 6.1, where blocks of a page that is mapped are punched or zeroed, ext4 loses what is
 * written there by way of the mapping afterwards: with nobody writing, the memory changes back
 * once the page is dropped and read again.
 */
static bool loses_parts(void)
{
	const char *kernel = getenv("MEMSYNC_KERNEL");

	return kernel && !strcmp(kernel, "6.1");
}

void punch_disk(struct worker *w)
{
	static const int modes[] = { FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE, 0 };
	size_t at = below(w, DISK_SIZE), length = 1 + below(w, 16 * PAGE);

	if (loses_parts()) {
		at -= at % PAGE;
		length += PAGE - 1 - (length - 1) % PAGE;
	}
	if (fallocate(w->t->disk, FALLOC_FL_KEEP_SIZE | modes[below(w, ARRAY_SIZE(modes))], at,
		      length))
		w->last = "a failed fallocate of the disk's";
}
