// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "bench.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

static void complain(const char *fmt, va_list args)
{
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, fmt, args);
}

void die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	complain(fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

void die_errno(const char *fmt, ...)
{
	int err = errno;
	va_list args;

	va_start(args, fmt);
	complain(fmt, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(err));
	exit(1);
}

size_t number(const char *text)
{
	char *end;
	size_t value = strtoul(text, &end, 0);

	if (!*text || *end)
		die("%s is not a number", text);
	return value;
}

uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

void rest(unsigned int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
}

/* xorshift64*: the same sequence in each run */
uint64_t random_u64(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1d;
}

size_t *count_up(size_t nr)
{
	size_t *numbers = calloc(nr + 1, sizeof(*numbers));
	size_t i;

	if (!numbers)
		die_errno("numbers");
	for (i = 0; i < nr; i++)
		numbers[i] = i;
	return numbers;
}

void shuffle(size_t *numbers, size_t total, size_t nr)
{
	size_t i, j, tmp;

	for (i = 0; i < nr; i++) {
		j = i + random_u64() % (total - i);
		tmp = numbers[i];
		numbers[i] = numbers[j];
		numbers[j] = tmp;
	}
}

static void reserve(struct area *area, size_t mib)
{
	size_t size = mib << 20;
	void *p = mmap(AREA_ADDRESS, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	if (p == MAP_FAILED)
		die_errno("mmap of %zu MiB", mib);
	if (madvise(p, size, MADV_NOHUGEPAGE))
		die_errno("MADV_NOHUGEPAGE");
	area->start = p;
	area->pages = size / PAGE;
	area->nr_blocks = area->pages / BLOCK_PAGES;
	area->blocks = count_up(area->nr_blocks);
}

static void populate(const struct area *area, size_t page, size_t pages)
{
	if (madvise(area->start + page * PAGE, pages * PAGE, MADV_POPULATE_WRITE))
		die_errno("MADV_POPULATE_WRITE");
}

void area_map(struct area *area, size_t mib)
{
	reserve(area, mib);
	populate(area, 0, area->pages);
}

void area_map_as(struct area *area, const char *text)
{
	char *copy = strdupa(text), *mib = strsep(&copy, "/"), *blocks = strsep(&copy, "+");
	size_t i, first = copy ? number(copy) : 0;

	if (!blocks) {
		area_map(area, number(mib));
		return;
	}
	reserve(area, number(mib));
	if (first + number(blocks) > area->nr_blocks)
		die("%s has fewer blocks", text);
	shuffle(area->blocks + first, area->nr_blocks - first, number(blocks));
	area->nr_blocks = first + number(blocks);
	for (i = 0; i < area->nr_blocks; i++)
		populate(area, area->blocks[i] * BLOCK_PAGES, BLOCK_PAGES);
}

void area_fill(const struct area *area)
{
	uint64_t *word = (uint64_t *)area->start;
	size_t i;

	for (i = 0; i < area->pages * PAGE / sizeof(*word); i++)
		word[i] = random_u64();
}

void samples_add(struct samples *s, uint64_t value)
{
	if (s->nr == s->room) {
		s->room = s->room ? 2 * s->room : 64;
		s->values = reallocarray(s->values, s->room, sizeof(*s->values));
		if (!s->values)
			die_errno("samples");
	}
	s->values[s->nr++] = value;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void samples_print(struct samples *s, const char *name, double per)
{
	if (!s->nr)
		die("no samples of %s", name);
	qsort(s->values, s->nr, sizeof(*s->values), compare);
	printf("\"%s\": {\"min\": %.1f, \"median\": %.1f, \"p99\": %.1f}", name,
	       s->values[0] / per, s->values[s->nr / 2] / per,
	       s->values[(s->nr - 1) * 99 / 100] / per);
	s->nr = 0;
}
