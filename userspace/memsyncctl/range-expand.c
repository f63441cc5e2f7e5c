// SPDX-License-Identifier: GPL-2.0
/* From what the user wrote and what the process has mapped to plain ranges. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "range.h"

static int append(struct ranges *ranges, uint64_t start, uint64_t end, struct problem *p)
{
	struct memsync_range *items;
	char **names;

	items = reallocarray(ranges->items, ranges->nr + 1, sizeof(*items));
	if (items)
		ranges->items = items;
	names = reallocarray(ranges->names, ranges->nr + 1, sizeof(*names));
	if (names)
		ranges->names = names;
	if (!items || !names)
		return problem(p, "out of memory");
	names[ranges->nr] = NULL;
	items[ranges->nr++] = (struct memsync_range){ .start = start, .end = end };
	return 0;
}

/* One that the module may refuse stays by itself. */
static int append_optional(struct ranges *ranges, const struct mapping *m, struct problem *p)
{
	int err = append(ranges, m->start, m->end, p);

	if (err)
		return err;
	ranges->names[ranges->nr - 1] = strdup(m->name);
	return ranges->names[ranges->nr - 1] ? 0 : problem(p, "out of memory");
}

/* Mappings of one keyword that touch become one range: how often the kernel
 * split them is no part of the geometry.
 */
static int append_merged(struct ranges *ranges, size_t first, const struct mapping *m,
			 struct problem *p)
{
	struct memsync_range *last = ranges->nr > first ? &ranges->items[ranges->nr - 1] : NULL;

	if (!last || last->end != m->start || ranges->names[ranges->nr - 1])
		return append(ranges, m->start, m->end, p);
	last->end = m->end;
	return 0;
}

static int leave_out(struct ranges *ranges, uint64_t start, uint64_t end, const char *name,
		     const char *why, struct problem *p)
{
	struct left_out out = { start, end, strdup(name), strdup(why) };
	struct left_out *items;

	items = reallocarray(ranges->left_out, ranges->nr_left_out + 1, sizeof(*items));
	if (items)
		ranges->left_out = items;
	if (!items || !out.name || !out.why) {
		free(out.name);
		free(out.why);
		return problem(p, "out of memory");
	}
	items[ranges->nr_left_out++] = out;
	return 0;
}

int ranges_leave_out(struct ranges *ranges, size_t index, const char *why, struct problem *p)
{
	const struct memsync_range *r = &ranges->items[index];

	return leave_out(ranges, r->start, r->end, ranges->names[index], why, p);
}

static int expand_writable(const struct maps *maps, bool anon, struct ranges *ranges,
			   struct problem *p)
{
	size_t i, first = ranges->nr;
	int err = 0;

	for (i = 0; !err && i < maps->nr; i++) {
		const struct mapping *m = &maps->items[i];
		const char *why = mapping_refusal(m);

		if (!m->writable || (anon && !mapping_anonymous(m)))
			continue;
		if (why)
			err = leave_out(ranges, m->start, m->end, m->name, why, p);
		else if (mapping_doubtful(m))
			err = append_optional(ranges, m, p);
		else
			err = append_merged(ranges, first, m, p);
	}
	if (!err && ranges->nr == first)
		err = problem_attr(p, "start", "no writable %s of the process can be tracked",
				   anon ? "anonymous memory" : "memory");
	return err;
}

static int expand_named(const struct range_arg *arg, const struct maps *maps,
			struct ranges *ranges, struct problem *p)
{
	size_t i, first = ranges->nr;
	bool found = false;
	int err = 0;

	for (i = 0; !err && i < maps->nr; i++) {
		const struct mapping *m = &maps->items[i];

		if (strcmp(m->name, arg->name))
			continue;
		found = true;
		if (m->writable)
			err = append_merged(ranges, first, m, p);
	}
	if (!err && ranges->nr == first)
		err = problem_attr(p, "start",
				   found ? "no mapping of %s is writable in the process" :
				   "the process has no mapping %s", arg->name);
	return err;
}

/* Decimal was meant as hex, likely: nothing is mapped at one, all at the other. */
static int check_digits(const struct range_arg *arg, const struct maps *maps, struct problem *p)
{
	char start[24], end[24];
	uint64_t from, to;

	if (!arg->digits_only)
		return 0;
	snprintf(start, sizeof(start), "%" PRIu64, arg->start);
	snprintf(end, sizeof(end), "%" PRIu64, arg->end);
	from = strtoull(start, NULL, 16);
	to = strtoull(end, NULL, 16);
	if (maps_cover(maps, arg->start, arg->end) || !maps_cover(maps, from, to))
		return 0;
	return problem_attr(p, "start", "%s-%s is decimal, not mapped: write 0x%s-0x%s for hex",
			    start, end, start, end);
}

static int expand_one(const struct range_arg *arg, const struct maps *maps, struct ranges *ranges,
		      struct problem *p)
{
	switch (arg->kind) {
	case RANGE_NAMED:
		return expand_named(arg, maps, ranges, p);
	case RANGE_ANON:
		return expand_writable(maps, true, ranges, p);
	case RANGE_ALL:
		return expand_writable(maps, false, ranges, p);
	default:
		if (check_digits(arg, maps, p))
			return -1;
		return append(ranges, arg->start, arg->end, p);
	}
}

static int by_start(const void *a, const void *b)
{
	const struct memsync_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static int overlap(const struct memsync_range *a, const struct memsync_range *b,
		   struct problem *p)
{
	return problem_attr(p, "start",
			    "0x%" PRIx64 "-0x%" PRIx64 " and 0x%" PRIx64 "-0x%" PRIx64 " overlap",
			    a->start, a->end, b->start, b->end);
}

static int check_overlaps(const struct ranges *ranges, struct problem *p)
{
	struct memsync_range *sorted;
	size_t i;
	int err = 0;

	sorted = calloc(ranges->nr + 1, sizeof(*sorted));
	if (!sorted)
		return problem(p, "out of memory");
	if (ranges->nr)
		memcpy(sorted, ranges->items, ranges->nr * sizeof(*sorted));
	qsort(sorted, ranges->nr, sizeof(*sorted), by_start);
	for (i = 1; !err && i < ranges->nr; i++)
		if (sorted[i].start < sorted[i - 1].end)
			err = overlap(&sorted[i - 1], &sorted[i], p);
	free(sorted);
	return err;
}

static void set_offsets(struct ranges *ranges)
{
	uint64_t offset = 0;
	size_t i;

	for (i = 0; i < ranges->nr; i++) {
		ranges->items[i].offset = offset;
		offset += ranges->items[i].end - ranges->items[i].start;
	}
}

int ranges_expand(const struct range_args *args, const struct maps *maps, struct ranges *ranges,
		  struct problem *p)
{
	int err = 0;
	size_t i;

	memset(ranges, 0, sizeof(*ranges));
	for (i = 0; !err && i < args->nr; i++)
		err = expand_one(&args->items[i], maps, ranges, p);
	if (!err)
		err = check_overlaps(ranges, p);
	if (!err)
		set_offsets(ranges);
	return err;
}

void ranges_free(struct ranges *ranges)
{
	size_t i;

	for (i = 0; i < ranges->nr_left_out; i++) {
		free(ranges->left_out[i].name);
		free(ranges->left_out[i].why);
	}
	for (i = 0; i < ranges->nr; i++)
		free(ranges->names[i]);
	free(ranges->left_out);
	free(ranges->names);
	free(ranges->items);
	memset(ranges, 0, sizeof(*ranges));
}

uint64_t ranges_size(const struct ranges *ranges)
{
	const struct memsync_range *last;

	if (!ranges->nr)
		return 0;
	last = &ranges->items[ranges->nr - 1];
	return last->offset + last->end - last->start;
}
