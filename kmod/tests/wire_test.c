// SPDX-License-Identifier: GPL-2.0
/* What the protocol takes and what it refuses, one change to a good frame at a time. */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "../wire.c"

#define PAGE	4096U
#define SIZE	(64ULL * PAGE)	/* of the replica */

/* ---- headers ---- */

struct header_case {
	const char *name;
	void (*spoil)(struct memsync_wire_header *h);
	enum memsync_wire_code code;	/* 0: still good */
};

static void good(struct memsync_wire_header *h)
{
}

static void bad_magic(struct memsync_wire_header *h)
{
	h->magic ^= cpu_to_le32(1);
}

static void version_zero(struct memsync_wire_header *h)
{
	h->version = 0;
}

static void version_next(struct memsync_wire_header *h)
{
	h->version = MEMSYNC_WIRE_MAX + 1;
}

static void type_zero(struct memsync_wire_header *h)
{
	h->type = 0;
}

static void type_unknown(struct memsync_wire_header *h)
{
	h->type = __MEMSYNC_WIRE_TYPES;
}

static void type_highest(struct memsync_wire_header *h)
{
	h->type = 0xff;
}

static void type_unexpected(struct memsync_wire_header *h)
{
	h->type = MEMSYNC_WIRE_HELLO;
}

static void flags_unknown(struct memsync_wire_header *h)
{
	h->flags = cpu_to_le16(MEMSYNC_WIRE_F_LAST);
}

static void reserved_set(struct memsync_wire_header *h)
{
	h->reserved = cpu_to_le32(1);
}

static void too_short(struct memsync_wire_header *h)
{
	h->length = cpu_to_le32(MEMSYNC_WIRE_PAGES_HEAD(1) - 1);
}

static void longest_pages(struct memsync_wire_header *h)
{
	h->length = cpu_to_le32(MEMSYNC_WIRE_PAGES_HEAD(MEMSYNC_WIRE_FRAME_DESCS) +
				MEMSYNC_WIRE_FRAME_PAGES * PAGE);
}

static void too_long(struct memsync_wire_header *h)
{
	longest_pages(h);
	le32_add_cpu(&h->length, 1);
}

static void far_too_long(struct memsync_wire_header *h)
{
	h->length = cpu_to_le32(U32_MAX);
}

static void seq_repeated(struct memsync_wire_header *h)
{
	h->seq = cpu_to_le64(6);
}

static void seq_skipped(struct memsync_wire_header *h)
{
	h->seq = cpu_to_le64(8);
}

static const struct header_case header_cases[] = {
	{ "good", good, 0 },
	{ "longest", longest_pages, 0 },
	{ "magic", bad_magic, MEMSYNC_WIRE_PROTOCOL },
	{ "version 0", version_zero, MEMSYNC_WIRE_VERSION },
	{ "version too new", version_next, MEMSYNC_WIRE_VERSION },
	{ "type 0", type_zero, MEMSYNC_WIRE_PROTOCOL },
	{ "type unknown", type_unknown, MEMSYNC_WIRE_PROTOCOL },
	{ "type highest", type_highest, MEMSYNC_WIRE_PROTOCOL },
	{ "type not now", type_unexpected, MEMSYNC_WIRE_PROTOCOL },
	{ "flags", flags_unknown, MEMSYNC_WIRE_PROTOCOL },
	{ "reserved", reserved_set, MEMSYNC_WIRE_PROTOCOL },
	{ "too short", too_short, MEMSYNC_WIRE_PROTOCOL },
	{ "too long", too_long, MEMSYNC_WIRE_PROTOCOL },
	{ "far too long", far_too_long, MEMSYNC_WIRE_PROTOCOL },
	{ "repeated", seq_repeated, MEMSYNC_WIRE_PROTOCOL },
	{ "skipped", seq_skipped, MEMSYNC_WIRE_PROTOCOL },
};

KUNIT_ARRAY_PARAM_DESC(header, header_cases, name);

static void test_header(struct kunit *test)
{
	const struct header_case *c = test->param_value;
	struct memsync_wire_fault fault = {};
	struct memsync_wire_header h;
	bool ok;

	memsync_wire_header_fill(&h, MEMSYNC_WIRE_PAGES, 0, MEMSYNC_WIRE_PAGES_HEAD(1) + PAGE, 7);
	c->spoil(&h);
	ok = memsync_wire_check_header(&h, MEMSYNC_WIRE_TYPE(PAGES) | MEMSYNC_WIRE_TYPE(PING), 7,
				       PAGE, &fault);
	KUNIT_EXPECT_EQ(test, ok, !c->code);
	KUNIT_EXPECT_EQ(test, fault.code, c->code);
}

/* ---- HELLO ---- */

struct hello_case {
	const char *desc;
	const char *name;
	u16 min, max;
	u32 page_size;
	u64 size;
	u32 nr_ranges;
	enum memsync_wire_code code;
};

#define LONG63 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"

static const struct hello_case hello_cases[] = {
	{ "good", "redis", 1, 1, PAGE, SIZE, 2, 0 },
	{ "longest name", LONG63, 1, 1, PAGE, SIZE, 1, 0 },
	{ "every character", "aZ09._@-", 1, 1, PAGE, SIZE, 1, 0 },
	{ "newer too", "n", 1, 9, PAGE, SIZE, 1, 0 },
	{ "most ranges", "n", 1, 1, PAGE, 65536ULL * PAGE, 65536, 0 },
	{ "no name", "", 1, 1, PAGE, SIZE, 1, MEMSYNC_WIRE_PROTOCOL },
	{ "slash", "a/b", 1, 1, PAGE, SIZE, 1, MEMSYNC_WIRE_PROTOCOL },
	{ "newline", "a\n", 1, 1, PAGE, SIZE, 1, MEMSYNC_WIRE_PROTOCOL },
	{ "high bit", "a\xff", 1, 1, PAGE, SIZE, 1, MEMSYNC_WIRE_PROTOCOL },
	{ "only newer", "n", 2, 3, PAGE, SIZE, 1, MEMSYNC_WIRE_VERSION },
	{ "only older", "n", 0, 0, PAGE, SIZE, 1, MEMSYNC_WIRE_VERSION },
	{ "upside down", "n", 2, 1, PAGE, SIZE, 1, MEMSYNC_WIRE_PROTOCOL },
	{ "page size", "n", 1, 1, 65536, SIZE, 1, MEMSYNC_WIRE_OTHER_GEOMETRY },
	{ "no ranges", "n", 1, 1, PAGE, SIZE, 0, MEMSYNC_WIRE_PROTOCOL },
	{ "too many ranges", "n", 1, 1, PAGE, SIZE, 65537, MEMSYNC_WIRE_PROTOCOL },
	{ "no size", "n", 1, 1, PAGE, 0, 1, MEMSYNC_WIRE_PROTOCOL },
	{ "odd size", "n", 1, 1, PAGE, SIZE + 1, 1, MEMSYNC_WIRE_PROTOCOL },
	{ "huge size", "n", 1, 1, PAGE, -(u64)PAGE, 1, MEMSYNC_WIRE_PROTOCOL },
};

KUNIT_ARRAY_PARAM_DESC(hello, hello_cases, desc);

static void test_hello(struct kunit *test)
{
	const struct hello_case *c = test->param_value;
	struct memsync_hello in = {
		.version_min = c->min, .version_max = c->max, .page_size = c->page_size,
		.size = c->size, .nr_ranges = c->nr_ranges, .session = { 1, 2, 3 },
	}, out = {};
	struct memsync_wire_fault fault = {};
	struct memsync_wire_hello w;
	bool ok;

	strscpy(in.name, c->name, sizeof(in.name));
	memsync_wire_put_hello(&w, &in);
	ok = memsync_wire_check_hello(&w, PAGE, &out, &fault);
	KUNIT_EXPECT_EQ(test, ok, !c->code);
	KUNIT_EXPECT_EQ(test, fault.code, c->code);
	if (ok)
		KUNIT_EXPECT_EQ(test, memcmp(&in, &out, sizeof(in)), 0);
}

static void test_hello_name_without_end(struct kunit *test)
{
	struct memsync_hello hello = {
		.version_min = 1, .version_max = 1, .page_size = PAGE, .size = SIZE,
		.nr_ranges = 1, .name = "n",
	};
	struct memsync_wire_fault fault;
	struct memsync_wire_hello w;

	memsync_wire_put_hello(&w, &hello);
	memset(w.name, 'a', sizeof(w.name));
	KUNIT_EXPECT_FALSE(test, memsync_wire_check_hello(&w, PAGE, &hello, &fault));
	memset(w.name, 0, sizeof(w.name));
	w.name[0] = 'a';
	w.name[2] = 'b';	/* hidden behind the NUL */
	KUNIT_EXPECT_FALSE(test, memsync_wire_check_hello(&w, PAGE, &hello, &fault));
}

/* ---- GEOMETRY ---- */

struct geometry_case {
	const char *name;
	u32 first, nr, length, next, total;
	u64 lengths[3];
	u64 sum;
	bool ok;
};

#define G(n) (sizeof(struct memsync_wire_geometry) + (n) * 8)

static const struct geometry_case geometry_cases[] = {
	{ "whole", 0, 2, G(2), 0, 2, { SIZE / 2, SIZE / 2 }, 0, true },
	{ "part", 0, 2, G(2), 0, 3, { PAGE, PAGE }, 0, true },
	{ "rest", 2, 1, G(1), 2, 3, { PAGE }, SIZE - PAGE, true },
	{ "empty", 0, 0, G(0), 0, 2, {}, 0, false },
	{ "longer than its count", 0, 2, G(3), 0, 3, { PAGE, PAGE, PAGE }, 0, false },
	{ "shorter than its count", 0, 2, G(1), 0, 2, { PAGE }, 0, false },
	{ "count wraps", 0, 0x20000001, G(1), 0, 2, { PAGE }, 0, false },
	{ "gap", 1, 1, G(1), 0, 2, { PAGE }, 0, false },
	{ "again", 0, 1, G(1), 1, 2, { PAGE }, PAGE, false },
	{ "more than announced", 0, 3, G(3), 0, 2, { PAGE, PAGE, PAGE }, 0, false },
	{ "range of nothing", 0, 2, G(2), 0, 3, { PAGE, 0 }, 0, false },
	{ "odd length", 0, 1, G(1), 0, 2, { PAGE + 8 }, 0, false },
	{ "longer than the whole", 0, 1, G(1), 0, 2, { SIZE + PAGE }, 0, false },
	{ "overflow", 0, 2, G(2), 0, 3, { PAGE, -(u64)PAGE }, 0, false },
	{ "sum too small", 0, 2, G(2), 0, 2, { PAGE, PAGE }, 0, false },
};

KUNIT_ARRAY_PARAM_DESC(geometry, geometry_cases, name);

static void test_geometry(struct kunit *test)
{
	const struct geometry_case *c = test->param_value;
	struct memsync_wire_fault fault;
	struct memsync_wire_geometry *w;
	u32 i, next = c->next;
	u64 sum = c->sum;
	bool ok;

	w = kunit_kzalloc(test, G(3), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, w);
	w->first = cpu_to_le32(c->first);
	w->nr = cpu_to_le32(c->nr);
	for (i = 0; i < 3; i++)
		w->lengths[i] = cpu_to_le64(c->lengths[i]);
	ok = memsync_wire_check_geometry(w, c->length, c->total, SIZE, PAGE, &next, &sum, &fault);
	KUNIT_EXPECT_EQ(test, ok, c->ok);
	if (ok)
		KUNIT_EXPECT_EQ(test, next, c->next + c->nr);
}

/* ---- GROW ---- */

struct grow_case {
	const char *name;
	u32 nr_ranges;
	u64 size;
	u32 reserved;
	bool ok;
};

/* Of two ranges and SIZE so far. */
static const struct grow_case grow_cases[] = {
	{ "one more", 3, SIZE + PAGE, 0, true },
	{ "as many as there may be", MEMSYNC_WIRE_MAX_RANGES, SIZE * 2, 0, true },
	{ "as large as it may be", 3, S64_MAX - (PAGE - 1), 0, true },
	{ "no more ranges", 2, SIZE + PAGE, 0, false },
	{ "less ranges", 1, SIZE + PAGE, 0, false },
	{ "too many ranges", MEMSYNC_WIRE_MAX_RANGES + 1, SIZE * 2, 0, false },
	{ "no more bytes", 3, SIZE, 0, false },
	{ "less bytes", 3, PAGE, 0, false },
	{ "odd size", 3, SIZE + 8, 0, false },
	{ "too large", 3, BIT_ULL(63), 0, false },
	{ "reserved", 3, SIZE + PAGE, 1, false },
};

KUNIT_ARRAY_PARAM_DESC(grow, grow_cases, name);

static void test_grow(struct kunit *test)
{
	const struct grow_case *c = test->param_value;
	struct memsync_wire_grow w = {
		.size = cpu_to_le64(c->size),
		.nr_ranges = cpu_to_le32(c->nr_ranges),
		.reserved = cpu_to_le32(c->reserved),
	};
	struct memsync_wire_fault fault;

	KUNIT_EXPECT_EQ(test, memsync_wire_check_grow(&w, 2, SIZE, PAGE, &fault), c->ok);
}

/* ---- PAGES ---- */

struct pages_case {
	const char *name;
	u32 nr_descs, nr_pages, length;
	struct { u64 offset; u32 nr, flags; } descs[3];
	bool head_ok, ok;
};

#define Z MEMSYNC_WIRE_DESC_ZERO
#define L(descs, pages) (MEMSYNC_WIRE_PAGES_HEAD(descs) + (pages) * PAGE)

static const struct pages_case pages_cases[] = {
	{ "one", 1, 1, L(1, 1), { { 0, 1 } }, true, true },
	{ "last", 1, 1, L(1, 1), { { SIZE - PAGE, 1 } }, true, true },
	{ "run", 1, 64, L(1, 64), { { 0, 64 } }, true, true },
	{ "zeros", 1, 0, L(1, 0), { { 0, 64, Z } }, true, true },
	{ "mixed", 3, 3, L(3, 3), { { 0, 1 }, { PAGE, 5, Z }, { 6 * PAGE, 2 } }, true, true },
	{ "nothing", 0, 0, L(0, 0), {}, false, false },
	{ "too many descriptors", 257, 1, L(257, 1), {}, false, false },
	{ "too many pages", 1, 65, L(1, 65), { { 0, 65 } }, false, false },
	{ "length short", 1, 1, L(1, 1) - 1, { { 0, 1 } }, false, false },
	{ "length long", 1, 1, L(1, 2), { { 0, 1 } }, false, false },
	{ "counts wrap", 1, 0x100001, L(1, 1), { { 0, 1 } }, false, false },
	{ "past the end", 1, 1, L(1, 1), { { SIZE, 1 } }, true, false },
	{ "across the end", 1, 2, L(1, 2), { { SIZE - PAGE, 2 } }, true, false },
	{ "wraps", 1, 1, L(1, 1), { { -(u64)PAGE, 1 } }, true, false },
	{ "zeros wrap", 1, 0, L(1, 0), { { 0, U32_MAX, Z } }, true, false },
	{ "odd offset", 1, 1, L(1, 1), { { 1, 1 } }, true, false },
	{ "of nothing", 2, 1, L(2, 1), { { 0, 1 }, { PAGE, 0 } }, true, false },
	{ "descending", 2, 2, L(2, 2), { { PAGE, 1 }, { 0, 1 } }, true, false },
	{ "overlap", 2, 3, L(2, 3), { { 0, 2 }, { PAGE, 1 } }, true, false },
	{ "unknown flag", 1, 0, L(1, 0), { { 0, 1, 2 } }, true, false },
	{ "fewer contents", 1, 1, L(1, 1), { { 0, 2 } }, true, false },
	{ "more contents", 1, 2, L(1, 2), { { 0, 1 } }, true, false },
	{ "contents of zeros", 1, 1, L(1, 1), { { 0, 1, Z } }, true, false },
};

KUNIT_ARRAY_PARAM_DESC(pages, pages_cases, name);

static void test_pages(struct kunit *test)
{
	const struct pages_case *c = test->param_value;
	struct memsync_wire_fault fault;
	struct memsync_wire_pages *w;
	u32 i, head;

	w = kunit_kzalloc(test, MEMSYNC_WIRE_PAGES_HEAD(3), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, w);
	w->nr_descs = cpu_to_le32(c->nr_descs);
	w->nr_pages = cpu_to_le32(c->nr_pages);
	for (i = 0; i < 3; i++) {
		w->descs[i].offset = cpu_to_le64(c->descs[i].offset);
		w->descs[i].nr = cpu_to_le32(c->descs[i].nr);
		w->descs[i].flags = cpu_to_le32(c->descs[i].flags);
	}
	head = memsync_wire_pages_head(w, c->length, PAGE, &fault);
	KUNIT_EXPECT_EQ(test, !!head, c->head_ok);
	if (!head)
		return;
	KUNIT_EXPECT_EQ(test, head, MEMSYNC_WIRE_PAGES_HEAD(c->nr_descs));
	KUNIT_EXPECT_EQ(test, memsync_wire_check_descs(w, SIZE, PAGE, &fault), c->ok);
}

/* ---- digests ---- */

struct digest_case {
	const char *name;
	u32 nr, length;
	struct { u64 offset; u32 nr, reserved; } runs[2];
	u64 next;
	bool ok;
};

#define D(n) (sizeof(struct memsync_wire_digest) + (n) * sizeof(struct memsync_wire_digest_run))

static const struct digest_case digest_cases[] = {
	{ "none", 0, D(0), {}, 0, true },
	{ "one", 1, D(1), { { 0, 1 } }, 0, true },
	{ "all", 2, D(2), { { 0, 63 }, { 63 * PAGE, 1 } }, 0, true },
	{ "goes on", 1, D(1), { { PAGE, 1 } }, PAGE, true },
	{ "again", 1, D(1), { { 0, 1 } }, PAGE, false },
	{ "length", 1, D(2), { { 0, 1 } }, 0, false },
	{ "count", 2, D(1), { { 0, 1 } }, 0, false },
	{ "past the end", 1, D(1), { { 0, 65 } }, 0, false },
	{ "odd offset", 1, D(1), { { 8, 1 } }, 0, false },
	{ "of nothing", 1, D(1), { { 0, 0 } }, 0, false },
	{ "reserved", 1, D(1), { { 0, 1, 1 } }, 0, false },
	{ "wraps", 1, D(1), { { -(u64)PAGE, 1 } }, 0, false },
};

KUNIT_ARRAY_PARAM_DESC(digest, digest_cases, name);

static void test_digest(struct kunit *test)
{
	const struct digest_case *c = test->param_value;
	struct memsync_wire_fault fault;
	struct memsync_wire_digest *w;
	u64 next = c->next;
	u32 i;

	w = kunit_kzalloc(test, D(2), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, w);
	w->nr = cpu_to_le32(c->nr);
	for (i = 0; i < 2; i++) {
		w->runs[i].offset = cpu_to_le64(c->runs[i].offset);
		w->runs[i].nr = cpu_to_le32(c->runs[i].nr);
		w->runs[i].reserved = cpu_to_le32(c->runs[i].reserved);
	}
	KUNIT_EXPECT_EQ(test, memsync_wire_check_digest(w, c->length, SIZE, PAGE, &next, &fault),
			c->ok);
}

struct reply_case {
	const char *name;
	u64 compared, different;
	u32 nr, length;
	struct { u64 offset, length; } stretches[2];
	bool ok;
};

#define R(n) (sizeof(struct memsync_wire_digest_reply) + \
	      (n) * sizeof(struct memsync_wire_stretch))

static const struct reply_case reply_cases[] = {
	{ "equal", 64, 0, 0, R(0), {}, true },
	{ "different", 64, 3, 2, R(2), { { 0, PAGE }, { 2 * PAGE, 2 * PAGE } }, true },
	{ "more than compared", 1, 2, 0, R(0), {}, false },
	{ "more than there are", 65, 0, 0, R(0), {}, false },
	{ "length", 64, 1, 1, R(0), {}, false },
	{ "too many", 64, 1, 65, R(65), {}, false },
	{ "odd", 64, 1, 1, R(1), { { 1, PAGE } }, false },
	{ "empty", 64, 1, 1, R(1), { { 0, 0 } }, false },
	{ "past the end", 64, 1, 1, R(1), { { SIZE, PAGE } }, false },
	{ "wraps", 64, 1, 1, R(1), { { PAGE, -(u64)PAGE } }, false },
	{ "descending", 64, 2, 2, R(2), { { PAGE, PAGE }, { 0, PAGE } }, false },
};

KUNIT_ARRAY_PARAM_DESC(reply, reply_cases, name);

static void test_digest_reply(struct kunit *test)
{
	const struct reply_case *c = test->param_value;
	struct memsync_wire_digest_reply *w;
	struct memsync_wire_fault fault;
	u32 i;

	w = kunit_kzalloc(test, R(2), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, w);
	w->compared = cpu_to_le64(c->compared);
	w->different = cpu_to_le64(c->different);
	w->nr = cpu_to_le32(c->nr);
	for (i = 0; i < 2; i++) {
		w->stretches[i].offset = cpu_to_le64(c->stretches[i].offset);
		w->stretches[i].length = cpu_to_le64(c->stretches[i].length);
	}
	KUNIT_EXPECT_EQ(test, memsync_wire_check_digest_reply(w, c->length, SIZE, PAGE, &fault),
			c->ok);
}

/* ---- the small ones ---- */

static void test_hello_ack(struct kunit *test)
{
	struct memsync_wire_hello_ack w = {
		.version = cpu_to_le16(1), .frame_pages = cpu_to_le32(64),
	};
	struct memsync_wire_fault fault;

	KUNIT_EXPECT_TRUE(test, memsync_wire_check_hello_ack(&w, 0, &fault));
	w.frame_pages = cpu_to_le32(0);
	KUNIT_EXPECT_FALSE(test, memsync_wire_check_hello_ack(&w, 0, &fault));
	w.frame_pages = cpu_to_le32(65);
	KUNIT_EXPECT_FALSE(test, memsync_wire_check_hello_ack(&w, 0, &fault));
	w.frame_pages = cpu_to_le32(1);
	w.features = cpu_to_le64(2);
	KUNIT_EXPECT_FALSE(test, memsync_wire_check_hello_ack(&w, 1, &fault));
	KUNIT_EXPECT_TRUE(test, memsync_wire_check_hello_ack(&w, 3, &fault));
	w.version = cpu_to_le16(2);
	KUNIT_EXPECT_FALSE(test, memsync_wire_check_hello_ack(&w, 3, &fault));
	KUNIT_EXPECT_EQ(test, fault.code, MEMSYNC_WIRE_VERSION);
}

static void test_barrier(struct kunit *test)
{
	struct memsync_wire_barrier w = { .id = cpu_to_le64(5) };
	struct memsync_wire_fault fault;

	KUNIT_EXPECT_TRUE(test, memsync_wire_check_barrier(&w, 4, &fault));
	KUNIT_EXPECT_FALSE(test, memsync_wire_check_barrier(&w, 5, &fault));
	KUNIT_EXPECT_FALSE(test, memsync_wire_check_barrier(&w, U64_MAX, &fault));
}

static void test_ack(struct kunit *test)
{
	struct memsync_wire_ack w = {
		.seq = cpu_to_le64(4), .pages = cpu_to_le64(10), .barrier = cpu_to_le64(2),
	};
	struct memsync_wire_fault fault;

	KUNIT_EXPECT_TRUE(test, memsync_wire_check_ack(&w, 5, 10, 2, &fault));
	KUNIT_EXPECT_FALSE(test, memsync_wire_check_ack(&w, 4, 10, 2, &fault));
	KUNIT_EXPECT_FALSE(test, memsync_wire_check_ack(&w, 5, 9, 2, &fault));
	KUNIT_EXPECT_FALSE(test, memsync_wire_check_ack(&w, 5, 10, 1, &fault));
}

static void test_error(struct kunit *test)
{
	struct memsync_wire_error w;
	char reason[MEMSYNC_WIRE_REASON_LEN];
	char tiny[4];

	memsync_wire_put_error(&w, MEMSYNC_WIRE_BUSY, "another source is connected");
	KUNIT_EXPECT_EQ(test, memsync_wire_get_error(&w, reason, sizeof(reason)),
			MEMSYNC_WIRE_BUSY);
	KUNIT_EXPECT_STREQ(test, reason, "another source is connected");
	memsync_wire_get_error(&w, tiny, sizeof(tiny));
	KUNIT_EXPECT_STREQ(test, tiny, "ano");

	/* what a peer made up: no end, a terminal's escapes, an unknown code */
	memset(w.reason, '\x1b', sizeof(w.reason));
	w.code = cpu_to_le32(4711);
	KUNIT_EXPECT_EQ(test, memsync_wire_get_error(&w, reason, sizeof(reason)),
			MEMSYNC_WIRE_INTERNAL);
	KUNIT_EXPECT_EQ(test, strlen(reason), sizeof(reason) - 1);
	KUNIT_EXPECT_EQ(test, strspn(reason, "?"), sizeof(reason) - 1);
	w.reason[0] = '\0';
	memsync_wire_get_error(&w, reason, sizeof(reason));
	KUNIT_EXPECT_STREQ(test, reason, "?");
}

static struct kunit_case wire_cases[] = {
	KUNIT_CASE_PARAM(test_header, header_gen_params),
	KUNIT_CASE_PARAM(test_hello, hello_gen_params),
	KUNIT_CASE(test_hello_name_without_end),
	KUNIT_CASE_PARAM(test_geometry, geometry_gen_params),
	KUNIT_CASE_PARAM(test_grow, grow_gen_params),
	KUNIT_CASE_PARAM(test_pages, pages_gen_params),
	KUNIT_CASE_PARAM(test_digest, digest_gen_params),
	KUNIT_CASE_PARAM(test_digest_reply, reply_gen_params),
	KUNIT_CASE(test_hello_ack),
	KUNIT_CASE(test_barrier),
	KUNIT_CASE(test_ack),
	KUNIT_CASE(test_error),
	{}
};

static struct kunit_suite wire_suite = {
	.name = "memsync_wire",
	.test_cases = wire_cases,
};

kunit_test_suite(wire_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("memsync: tests of the protocol");
