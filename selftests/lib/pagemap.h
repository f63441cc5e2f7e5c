/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel says of a page of ours: see Documentation/admin-guide/mm/pagemap.rst. */
#ifndef _SELFTESTS_PAGEMAP_H
#define _SELFTESTS_PAGEMAP_H

#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "pair.h"

#define PAGEMAP_FRAME	((1ULL << 55) - 1)
#define PAGEMAP_UFFD_WP	(1ULL << 57)
#define PAGEMAP_PRESENT	(1ULL << 63)

/* Or 0. */
static inline uint64_t pagemap_entry(const void *page)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	if (pread(fd, &entry, sizeof(entry), (uintptr_t)page / PAGE * sizeof(entry)) !=
	    sizeof(entry))
		entry = 0;
	close(fd);
	return entry;
}

#endif /* _SELFTESTS_PAGEMAP_H */
