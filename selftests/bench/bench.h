/* SPDX-License-Identifier: GPL-2.0 */
/* What the measuring programs share. Each prints its results as JSON, an object a line. */
#ifndef _BENCH_H
#define _BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE		4096UL
#define BLOCK_PAGES	512UL	/* of what one page table maps, 2 MiB */
#define AREA_ADDRESS	((void *)0x100000000000UL)	/* a page table's first */
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Private anonymous memory of 4 KiB pages; those of @blocks are there. */
struct area {
	unsigned char *start;
	size_t pages;
	size_t *blocks;
	size_t nr_blocks;
};

__attribute__((noreturn, format(printf, 1, 2)))
void die(const char *fmt, ...);
/* The same, with what errno means. */
__attribute__((noreturn, format(printf, 1, 2)))
void die_errno(const char *fmt, ...);

size_t number(const char *text);

uint64_t now(void);	/* ns */
void rest(unsigned int ms);
uint64_t random_u64(void);

/* 0, 1, 2 and so on, to be released with free() */
size_t *count_up(size_t nr);
/* Brings @nr of @total numbers, chosen at random, to the front. */
void shuffle(size_t *numbers, size_t total, size_t nr);

void area_map(struct area *area, size_t mib);
/*
 * @text: MIB, or MIB/BLOCKS if only so many blocks, anywhere in it, are to be there,
 * or MIB/BLOCKS+FIRST for these and so many at its beginning
 */
void area_map_as(struct area *area, const char *text);
void area_fill(const struct area *area);	/* with what nobody can compress */

static inline void write_page(const struct area *area, size_t page, uint64_t value)
{
	*(volatile uint64_t *)(area->start + page * PAGE) = value;
}

/* Values of many rounds. */
struct samples {
	uint64_t *values;
	size_t nr;
	size_t room;
};

void samples_add(struct samples *s, uint64_t value);
/* Prints "NAME": {"min": …, "median": …, "p99": …}, each divided by @per; empties it. */
void samples_print(struct samples *s, const char *name, double per);

#endif /* _BENCH_H */
