// SPDX-License-Identifier: GPL-2.0
/* RANGE, read and expanded. */
#include <inttypes.h>

#include "../memsyncctl/range.h"
#include "tap.h"

static struct problem p;

static void span_is(const char *text, uint64_t start, uint64_t end)
{
	struct range_args args = { };
	bool ok = !range_args_parse(text, &args, &p) && args.nr == 1 &&
		  args.items[0].kind == RANGE_SPAN && args.items[0].start == start &&
		  args.items[0].end == end;

	if (!CHECK(ok, text))
		printf("# %s\n", p.text);
	range_args_free(&args);
}

/* @attr NULL: a usage error. */
static void fails(const char *text, const char *attr, const char *why)
{
	struct range_args args = { };
	bool ok = range_args_parse(text, &args, &p) && strstr(p.text, why) &&
		  (attr ? p.attr && !strcmp(p.attr, attr) : !p.attr);

	if (!CHECK(ok, text))
		printf("# %s, %s\n", p.attr, p.text);
	range_args_free(&args);
}

static void test_parse(void)
{
	span_is("0x1000-0x3000", 0x1000, 0x3000);
	span_is("4096-12288", 0x1000, 0x3000);
	span_is("0x1000+8K", 0x1000, 0x3000);
	span_is("4K+0x2000", 0x1000, 0x3000);
	span_is("1G-2G", 1ULL << 30, 2ULL << 30);
	span_is("7f000-7f80000", 0x7f000, 0x7f80000);
	span_is("7f0000001000-7f0000003000", 0x7f0000001000, 0x7f0000003000);
	span_is("400000-4ff000", 0x400000, 0x4ff000);
	span_is("4ff000-600000", 0x4ff000, 0x600000);
	span_is("0x7f0000001000+1T", 0x7f0000001000, 0x7f0000001000 + (1ULL << 40));
	fails("0x1000-0x1000", "end", "empty");
	fails("0x1000+0", "end", "empty");
	fails("0x3000-0x1000", "end", "reversed");
	fails("0x1000-0x3001", "end", "0x1000-0x4000");
	fails("0x1fff-0x3000", "start", "0x1000-0x3000");
	fails("0x1000+5", "end", "0x1000-0x2000");
	fails("0xffffffff81000000-0xffffffff82000000", "end", "kernel");
	fails("0x7fffffffffffe000-0x8000000000001000", "end", "kernel");
	fails("0xfffffffffffff000+0x2000", "end", "overflow");
	fails("0xfffffffffffff000+18446744073709551615", "end", "overflow");
	fails("10000-12000", "start", "write 0x10000-0x12000");
	fails("0x1000", NULL, "no range");
	fails("heap", NULL, "no range");
	fails("", NULL, "empty");
	fails("0x1000-0x2000,", NULL, "empty");
	fails("0x1000-", NULL, "no number");
	fails("-0x1000", NULL, "no number");
	fails("0x1000--0x2000", NULL, "no number");
	fails("0x1000-0x2000-0x3000", NULL, "no number");
	fails("7f00+4096", NULL, "0x7f00");
	fails("0xg000-0x1000", NULL, "no number");
	fails("0x10000000000000000-0x20000000000000000", NULL, "too large");
	fails("f0000000000000000-ff000000000000000", NULL, "too large");
	fails("ALL", NULL, "no range");
}

static void test_list(void)
{
	struct range_args args = { };

	CHECK(!range_args_parse("[heap],/a\\,b\\\\c,anon,all,0x1000-0x2000", &args, &p) &&
	      args.nr == 5, "a list");
	CHECK(args.items[0].kind == RANGE_NAMED && !strcmp(args.items[0].name, "[heap]"), "a name");
	CHECK_SAME(args.items[1].name, "/a,b\\c", "a path with a comma and a backslash");
	CHECK(args.items[2].kind == RANGE_ANON && args.items[3].kind == RANGE_ALL, "keywords");
	CHECK(range_args_any_sort(&args) && range_args_any_all(&args),
	      "for which flags are needed");
	CHECK(!range_args_parse("0x5000-0x6000", &args, &p) && args.nr == 6, "a second list");
	range_args_free(&args);
	range_args_parse("[heap]", &args, &p);
	CHECK(!range_args_any_sort(&args), "names need no flags");
	range_args_free(&args);
}

static struct mapping mappings[] = {
	{ 0x10000, 0x12000, true, true, false, 0, "[heap]", "" },
	{ 0x12000, 0x13000, true, true, false, 0, "", "" },
	{ 0x20000, 0x21000, true, false, false, 0, "", "" },
	{ 0x30000, 0x31000, true, true, false, 7, "/lib/x.so", "" },
	{ 0x31000, 0x32000, true, false, false, 7, "/lib/x.so", "" },
	{ 0x40000, 0x41000, true, true, true, 8, "/dev/shm/y", "" },
	{ 0x50000, 0x51000, true, true, false, 0, "", " rd wr uw " },
	{ 0x58000, 0x59000, true, true, false, 0, "", " rd wr pf io " },
	{ 0x60000, 0x61000, true, true, false, 0, "[stack]", "" },
	{ 0x99999000, 0x9999a000, true, true, false, 9, "/lib/z", "" },
};

static const struct maps maps = { mappings, ARRAY_SIZE(mappings) };

static int expand(const char *text, struct ranges *ranges)
{
	struct range_args args = { };
	int err;

	memset(ranges, 0, sizeof(*ranges));
	err = range_args_parse(text, &args, &p);
	if (!err)
		err = ranges_expand(&args, &maps, ranges, &p);
	range_args_free(&args);
	return err;
}

static bool range_is(const struct ranges *ranges, size_t i, uint64_t start, uint64_t end,
		     uint64_t offset)
{
	const struct memsync_range *r = &ranges->items[i];

	return i < ranges->nr && r->start == start && r->end == end && r->offset == offset;
}

static void expand_fails(const char *text, const char *why)
{
	struct ranges ranges;

	if (!CHECK(expand(text, &ranges) && strstr(p.text, why) && p.attr, text))
		printf("# %s\n", p.text);
	ranges_free(&ranges);
}

static void test_expand(void)
{
	struct ranges ranges;

	CHECK(!expand("anon", &ranges) && ranges.nr == 3, "anon");
	CHECK(range_is(&ranges, 0, 0x10000, 0x13000, 0), "joins mappings that touch");
	CHECK(range_is(&ranges, 1, 0x50000, 0x51000, 0x3000) && ranges.names[1],
	      "takes what has a userfaultfd if the module does");
	CHECK(range_is(&ranges, 2, 0x60000, 0x61000, 0x4000) && !ranges.names[2],
	      "takes the stack");
	CHECK(ranges.nr_left_out == 1 && ranges.left_out[0].start == 0x58000, "leaves one out");
	CHECK_SAME(ranges.left_out[0].why, "device memory", "for this reason");
	CHECK(ranges_size(&ranges) == 0x5000, "and has this size");
	ranges_free(&ranges);
	CHECK(!expand("all", &ranges) && ranges.nr == 6 && ranges.nr_left_out == 1,
	      "all leaves out what cannot be tracked");
	CHECK(range_is(&ranges, 1, 0x30000, 0x31000, 0x3000) && !ranges.names[0] &&
	      !strcmp(ranges.names[1], "/lib/x.so"), "and files if the module says so");
	CHECK(!ranges_leave_out(&ranges, 1, "far away", &p) && ranges.nr_left_out == 2 &&
	      !strcmp(ranges.left_out[1].name, "/lib/x.so") &&
	      !strcmp(ranges.left_out[1].why, "far away"), "which is listed, too");
	CHECK(range_is(&ranges, 2, 0x40000, 0x41000, 0x4000) &&
	      !strcmp(ranges.names[2], "/dev/shm/y"), "and so with shared memory");
	ranges_free(&ranges);
	CHECK(!expand("[stack],[heap]", &ranges) && range_is(&ranges, 0, 0x60000, 0x61000, 0) &&
	      range_is(&ranges, 1, 0x10000, 0x12000, 0x1000), "names in the order given");
	ranges_free(&ranges);
	CHECK(!expand("/lib/x.so", &ranges) && ranges.nr == 1 &&
	      range_is(&ranges, 0, 0x30000, 0x31000, 0), "a path's writable mapping");
	ranges_free(&ranges);
	CHECK(!expand("0x10000-0x11000,0x11000-0x12000", &ranges) && ranges.nr == 2,
	      "explicit ranges stay as they are");
	ranges_free(&ranges);
	expand_fails("[heap],anon", "overlap");
	expand_fails("0x60000-0x62000,0x10000-0x12000,0x11000-0x13000", "0x10000-0x12000");
	expand_fails("0x1000-0x2000,0x1000-0x2000", "overlap");
	expand_fails("/no/such", "no mapping /no/such");
	expand_fails("[nonsense]", "no mapping [nonsense]");
}

/* Decimal, not mapped, while the same digits in hex are. */
static void test_digits(void)
{
	struct range_arg arg = {
		.kind = RANGE_SPAN, .start = 10000, .end = 12000, .digits_only = true,
	};
	struct range_args args = { &arg, 1 };
	struct ranges ranges;

	CHECK(ranges_expand(&args, &maps, &ranges, &p) &&
	      strstr(p.text, "0x10000-0x12000"), "digits that were meant as hex");
	ranges_free(&ranges);
	arg.start = 0x1000;
	arg.end = 0x2000;
	CHECK(!ranges_expand(&args, &maps, &ranges, &p), "digits that make no sense in hex");
	ranges_free(&ranges);
}

int main(void)
{
	test_parse();
	test_list();
	test_expand();
	test_digits();
	return tap_done();
}
