// SPDX-License-Identifier: GPL-2.0
/* userfaultfd's asynchronous write protection, harvested with PAGEMAP_SCAN; from 6.7 on. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "scan.h"
#include "tracker.h"

static int pagemap;
static uintptr_t from, to;
static struct page_region *found;
static size_t room;

static size_t scan(void)
{
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC,
		.start = from,
		.end = to,
		.vec = (uintptr_t)found,
		.vec_len = room,
		.category_mask = PAGE_IS_WRITTEN,
		.return_mask = PAGE_IS_WRITTEN,
	};
	int i, n = ioctl(pagemap, PAGEMAP_SCAN, &arg);
	size_t pages = 0;

	if (n < 0)
		die_errno("PAGEMAP_SCAN");
	for (i = 0; i < n; i++)
		pages += (found[i].end - found[i].start) / PAGE;
	return pages;
}

static void start(const struct area *area)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED,
	};
	struct uffdio_register reg = {
		.range = { (uintptr_t)area->start, area->pages * PAGE },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) || ioctl(uffd, UFFDIO_REGISTER, &reg))
		die_errno("userfaultfd with WP_ASYNC");
	from = (uintptr_t)area->start;
	to = from + area->pages * PAGE;
	room = area->pages;
	found = calloc(room, sizeof(*found));
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (!found || pagemap < 0)
		die_errno("pagemap");
	scan();
}

static uint64_t harvest(size_t *pages)
{
	uint64_t began = now();

	*pages = scan();
	return now() - began;
}

const struct tracker wpasync = {
	.name = "wp-async",
	.start = start,
	.harvest = harvest,
};
