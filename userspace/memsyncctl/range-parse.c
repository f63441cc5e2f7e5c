// SPDX-License-Identifier: GPL-2.0
/*
 * RANGE[,RANGE…] as users write it.
 *
 * A number with 0x is hex, one without is decimal. START-END as /proc/PID/maps
 * prints it is bare hex: it is read so when either number has a letter a-f.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "range.h"
#include "units.h"

#define KERNEL_HALF	(1ULL << 63)

static bool bare_hex(const char *text)
{
	return strlen(text) > strspn(text, "0123456789") &&
	       strlen(text) == strspn(text, "0123456789abcdefABCDEF");
}

static bool only_digits(const char *text)
{
	return *text && strlen(text) == strspn(text, "0123456789");
}

static int read_hex(const char *text, uint64_t *value, struct problem *p)
{
	if (strlen(text) > 16)
		return problem(p, "address '%s' is too large", text);
	*value = strtoull(text, NULL, 16);
	return 0;
}

/* @maps_style: the other end is bare hex, so digits are hex here too. */
static int read_address(const char *text, bool maps_style, uint64_t *value, struct problem *p)
{
	if (bare_hex(text) || (maps_style && only_digits(text)))
		return read_hex(text, value, p);
	return unit_read_bytes(text, "address", value, p);
}

/* Digits that are aligned as hex were copied from /proc/PID/maps, likely. */
static bool meant_as_hex(const struct range_arg *arg, const char *text, uint64_t mask)
{
	const char *dash = strchr(text, '-');

	return arg->digits_only && dash &&
	       !((strtoull(text, NULL, 16) | strtoull(dash + 1, NULL, 16)) & mask);
}

static int check_aligned(const struct range_arg *arg, const char *text, struct problem *p)
{
	uint64_t page = sysconf(_SC_PAGESIZE), mask = page - 1;

	if (!((arg->start | arg->end) & mask))
		return 0;
	if (meant_as_hex(arg, text, mask))
		return problem_attr(p, "start",
				    "range %s is decimal, not aligned: write 0x%.*s-0x%s for hex",
				    text, (int)strcspn(text, "-"), text, strchr(text, '-') + 1);
	return problem_attr(p, arg->start & mask ? "start" : "end",
		       "range %s is not aligned to pages of %" PRIu64
		       " bytes; the aligned range is 0x%" PRIx64 "-0x%" PRIx64,
		       text, page, arg->start & ~mask, (arg->end + mask) & ~mask);
}

static int check_span(const struct range_arg *arg, const char *text, struct problem *p)
{
	if (arg->start == arg->end)
		return problem_attr(p, "end", "range %s is empty", text);
	if (arg->start > arg->end)
		return problem_attr(p, "end", "range %s is reversed", text);
	if (arg->end > KERNEL_HALF)
		return problem_attr(p, "end", "range %s lies in the kernel's half of addresses",
				    text);
	return check_aligned(arg, text, p);
}

/* @second is what follows the operator, which has been overwritten with NUL. */
static int parse_length(struct range_arg *arg, const char *first, const char *second,
			const char *text, struct problem *p)
{
	uint64_t length;

	if (bare_hex(first))
		return problem(p, "in START+LENGTH hex needs 0x: write 0x%s", first);
	if (unit_read_bytes(first, "address", &arg->start, p) ||
	    unit_read_bytes(second, "length", &length, p))
		return -1;
	if (!length)
		return problem_attr(p, "end", "range %s is empty", text);
	if (length > UINT64_MAX - arg->start)
		return problem_attr(p, "end", "range %s goes beyond all addresses (overflow)",
				    text);
	arg->end = arg->start + length;
	return 0;
}

static int parse_ends(struct range_arg *arg, const char *first, const char *second,
		      struct problem *p)
{
	bool maps_style = bare_hex(first) || bare_hex(second);

	arg->digits_only = only_digits(first) && only_digits(second);
	if (read_address(first, maps_style, &arg->start, p) ||
	    read_address(second, maps_style, &arg->end, p))
		return -1;
	return 0;
}

static int parse_span(const char *text, struct range_arg *arg, struct problem *p)
{
	char *first = strdup(text);
	char *op;
	int err;

	if (!first)
		return problem(p, "out of memory");
	op = strpbrk(first, "-+");
	if (!op) {
		free(first);
		return problem(p, "'%s' is no range: START-END, START+LENGTH, a name, anon, all",
			       text);
	}
	arg->kind = RANGE_SPAN;
	if (*op == '+') {
		*op = '\0';
		err = parse_length(arg, first, op + 1, text, p);
	} else {
		*op = '\0';
		err = parse_ends(arg, first, op + 1, p);
	}
	free(first);
	return err ? err : check_span(arg, text, p);
}

static int parse_one(const char *text, struct range_arg *arg, struct problem *p)
{
	if (!*text)
		return problem(p, "an empty range");
	if (!strcmp(text, "anon") || !strcmp(text, "all")) {
		arg->kind = *text == 'a' && text[1] == 'n' ? RANGE_ANON : RANGE_ALL;
		return 0;
	}
	if (*text != '[' && *text != '/')
		return parse_span(text, arg, p);
	arg->kind = RANGE_NAMED;
	arg->name = strdup(text);
	return arg->name ? 0 : problem(p, "out of memory");
}

static int append(struct range_args *args, const struct range_arg *arg, struct problem *p)
{
	struct range_arg *items = reallocarray(args->items, args->nr + 1, sizeof(*items));

	if (!items) {
		free(arg->name);
		return problem(p, "out of memory");
	}
	args->items = items;
	items[args->nr++] = *arg;
	return 0;
}

/* Copies up to the next bare comma; returns what is left, NULL at the end. */
static const char *next_part(const char *text, char *part)
{
	for (; *text && *text != ','; text++) {
		if (*text == '\\' && (text[1] == ',' || text[1] == '\\'))
			text++;
		*part++ = *text;
	}
	*part = '\0';
	return *text ? text + 1 : NULL;
}

int range_args_parse(const char *text, struct range_args *args, struct problem *p)
{
	char *part = malloc(strlen(text) + 1);
	int err = 0;

	if (!part)
		return problem(p, "out of memory");
	while (!err && text) {
		struct range_arg arg = { };

		text = next_part(text, part);
		err = parse_one(part, &arg, p);
		if (!err)
			err = append(args, &arg, p);
	}
	free(part);
	return err;
}

void range_args_free(struct range_args *args)
{
	size_t i;

	for (i = 0; i < args->nr; i++)
		free(args->items[i].name);
	free(args->items);
	memset(args, 0, sizeof(*args));
}

static bool any_of(const struct range_args *args, enum range_kind kind)
{
	size_t i;

	for (i = 0; i < args->nr; i++)
		if (args->items[i].kind == kind)
			return true;
	return false;
}

bool range_args_any_sort(const struct range_args *args)
{
	return any_of(args, RANGE_ANON) || any_of(args, RANGE_ALL);
}

bool range_args_any_all(const struct range_args *args)
{
	return any_of(args, RANGE_ALL);
}
