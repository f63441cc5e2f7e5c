// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <sys/mman.h>

#include "huge.h"
#include "pair.h"

long huge_pages(const char *which)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128], format[32];
	long n = -1;

	if (!f)
		return -1;
	snprintf(format, sizeof(format), "HugePages_%s: %%ld", which);
	while (fgets(line, sizeof(line), f) && sscanf(line, format, &n) != 1)
		;
	fclose(f);
	return n;
}

bool huge_pool(unsigned long pages)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", pages);
	return !file_put("/proc/sys/vm/nr_hugepages", text) && huge_pages("Total") == (long)pages;
}

void *huge_map(void *at, size_t size, int flags)
{
	void *m = mmap(at, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | flags, -1, 0);

	return m == MAP_FAILED ? NULL : m;
}
