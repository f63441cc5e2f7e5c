// SPDX-License-Identifier: GPL-2.0
/* What is put into a dirty set comes out of it once, and nothing else does. */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include "../dirty.c"

#define BLOCKS	200	/* not a multiple of a word's bits */

static int dirty_test_init(struct kunit *test)
{
	struct memsync_dirty *d = kunit_kzalloc(test, sizeof(*d), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, d);
	KUNIT_ASSERT_EQ(test, memsync_dirty_init(d, BLOCKS), 0);
	test->priv = d;
	return 0;
}

static void dirty_test_exit(struct kunit *test)
{
	if (test->priv)
		memsync_dirty_destroy(test->priv);
}

/* ---- pages ---- */

struct pages_case {
	const char *name;
	unsigned long block;
	unsigned int first;
	unsigned int nr;
};

static const struct pages_case pages_cases[] = {
	{ "first page of the first block", 0, 0, 1 },
	{ "last page of the first block", 0, MEMSYNC_BLOCK_PAGES - 1, 1 },
	{ "last page of the last block", BLOCKS - 1, MEMSYNC_BLOCK_PAGES - 1, 1 },
	{ "a whole block", 3, 0, MEMSYNC_BLOCK_PAGES },
	{ "one word", 4, 64, 64 },
	{ "across two words", 5, 60, 8 },
	{ "all but the ends", 6, 1, MEMSYNC_BLOCK_PAGES - 2 },
	{ "a block at a word's end", 63, 10, 3 },
	{ "a block at a word's begin", 64, 10, 3 },
	{ "no page", 7, 9, 0 },
};

static void pages_desc(const struct pages_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(pages, pages_cases, pages_desc);

/* A visit goes by the words alone. */
static void expect_words(struct kunit *test, const struct memsync_taken *taken)
{
	unsigned int i;

	for (i = 0; i < BITS_PER_LONG; i++)
		KUNIT_EXPECT_EQ_MSG(test, !!(taken->words & BIT(i)),
				    i < ARRAY_SIZE(taken->dirty) && taken->dirty[i],
				    "word %u", i);
}

static void expect_taken_dirty(struct kunit *test, const struct memsync_taken *taken,
			       unsigned int first, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < MEMSYNC_BLOCK_PAGES; i++)
		KUNIT_EXPECT_EQ_MSG(test, test_bit(i, taken->dirty), i >= first && i < first + nr,
				    "page %u", i);
}

static void expect_taken(struct kunit *test, const struct memsync_taken *taken, unsigned int first,
			 unsigned int nr)
{
	expect_taken_dirty(test, taken, first, nr);
	expect_words(test, taken);
}

static void test_pages(struct kunit *test)
{
	const struct pages_case *c = test->param_value;
	struct memsync_dirty *d = test->priv;
	struct memsync_taken taken;
	unsigned int i;

	memsync_dirty_pages(d, c->block, c->first, c->nr);
	KUNIT_EXPECT_EQ(test, memsync_dirty_next(d, 0), c->block);
	KUNIT_EXPECT_EQ(test, memsync_dirty_next(d, c->block + 1), BLOCKS);
	for (i = 0; i < MEMSYNC_BLOCK_PAGES; i++)
		KUNIT_EXPECT_EQ(test, memsync_dirty_is_clean(d, c->block, i),
				i < c->first || i >= c->first + c->nr);
	KUNIT_EXPECT_EQ(test, memsync_dirty_take(d, c->block, &taken), c->nr > 0);
	KUNIT_EXPECT_FALSE(test, taken.look);
	KUNIT_EXPECT_EQ(test, taken.words != 0, c->nr > 0);
	expect_taken(test, &taken, c->first, c->nr);
	KUNIT_EXPECT_EQ(test, memsync_dirty_next(d, 0), BLOCKS);
	KUNIT_EXPECT_FALSE(test, memsync_dirty_take(d, c->block, &taken));
}

/* Page by page, and by bitmap, it is the same. */
static void test_page_by_page(struct kunit *test)
{
	const struct pages_case *c = test->param_value;
	DECLARE_BITMAP(pages, MEMSYNC_BLOCK_PAGES);
	struct memsync_dirty *d = test->priv;
	struct memsync_taken taken;
	unsigned int i;

	if (!c->nr)
		return;
	for (i = 0; i < c->nr; i++)
		memsync_dirty_page(d, c->block, c->first + i);
	KUNIT_EXPECT_TRUE(test, memsync_dirty_take(d, c->block, &taken));
	expect_taken(test, &taken, c->first, c->nr);
	bitmap_zero(pages, MEMSYNC_BLOCK_PAGES);
	bitmap_set(pages, c->first, c->nr);
	memsync_dirty_bitmap(d, c->block, pages);
	KUNIT_EXPECT_TRUE(test, memsync_dirty_take(d, c->block, &taken));
	expect_taken(test, &taken, c->first, c->nr);
}

/* ---- sums ---- */

static void test_pages_add_up(struct kunit *test)
{
	struct memsync_dirty *d = test->priv;
	struct memsync_taken taken;

	memsync_dirty_pages(d, 9, 10, 5);
	memsync_dirty_page(d, 9, 15);
	memsync_dirty_pages(d, 9, 12, 6);
	KUNIT_EXPECT_TRUE(test, memsync_dirty_take(d, 9, &taken));
	expect_taken(test, &taken, 10, 8);
}

static void test_taken_once(struct kunit *test)
{
	struct memsync_dirty *d = test->priv;
	struct memsync_taken taken;

	memsync_dirty_page(d, 1, 1);
	KUNIT_EXPECT_TRUE(test, memsync_dirty_take(d, 1, &taken));
	KUNIT_EXPECT_FALSE(test, memsync_dirty_take(d, 1, &taken));
	memsync_dirty_page(d, 1, 2);
	KUNIT_EXPECT_TRUE(test, memsync_dirty_take(d, 1, &taken));
	expect_taken(test, &taken, 2, 1);
}

static void test_fill(struct kunit *test)
{
	struct memsync_dirty *d = test->priv;
	struct memsync_taken taken;

	memsync_dirty_page(d, 2, 77);
	KUNIT_EXPECT_TRUE(test, memsync_dirty_take(d, 2, &taken));
	memsync_taken_fill(&taken);
	expect_taken(test, &taken, 0, MEMSYNC_BLOCK_PAGES);
}

/* ---- looks ---- */

static void test_look(struct kunit *test)
{
	struct memsync_dirty *d = test->priv;
	struct memsync_taken taken;

	memsync_dirty_look(d, 17);
	KUNIT_EXPECT_EQ(test, memsync_dirty_next(d, 0), 17UL);
	/* Any page may have been written. */
	KUNIT_EXPECT_FALSE(test, memsync_dirty_is_clean(d, 17, 0));
	KUNIT_EXPECT_FALSE(test, memsync_dirty_is_clean(d, 17, MEMSYNC_BLOCK_PAGES - 1));
	KUNIT_EXPECT_TRUE(test, memsync_dirty_is_clean(d, 16, 0));
	KUNIT_EXPECT_TRUE(test, memsync_dirty_take(d, 17, &taken));
	KUNIT_EXPECT_TRUE(test, taken.look);
	KUNIT_EXPECT_FALSE(test, taken.words);
	expect_taken(test, &taken, 0, 0);
	KUNIT_EXPECT_TRUE(test, memsync_dirty_is_clean(d, 17, 0));
	KUNIT_EXPECT_FALSE(test, memsync_dirty_take(d, 17, &taken));
}

static void test_look_and_pages(struct kunit *test)
{
	struct memsync_dirty *d = test->priv;
	struct memsync_taken taken;

	memsync_dirty_look(d, 18);
	memsync_dirty_pages(d, 18, 100, 3);
	KUNIT_EXPECT_TRUE(test, memsync_dirty_take(d, 18, &taken));
	KUNIT_EXPECT_TRUE(test, taken.look);
	KUNIT_EXPECT_TRUE(test, taken.words);
	expect_taken(test, &taken, 100, 3);
}

/* Where there is a look, what is promoted is dirty, and the look stays. */
static void test_promote(struct kunit *test)
{
	struct memsync_dirty *d = test->priv;
	struct memsync_taken taken;

	KUNIT_EXPECT_FALSE(test, memsync_dirty_promote(d, 20, 5, 7));
	KUNIT_EXPECT_EQ(test, memsync_dirty_next(d, 0), BLOCKS);
	memsync_dirty_page(d, 20, 300);
	KUNIT_EXPECT_FALSE(test, memsync_dirty_promote(d, 20, 5, 7));
	KUNIT_EXPECT_TRUE(test, memsync_dirty_take(d, 20, &taken));
	expect_taken(test, &taken, 300, 1);

	memsync_dirty_look(d, 20);
	KUNIT_EXPECT_TRUE(test, memsync_dirty_promote(d, 20, 5, 7));
	KUNIT_EXPECT_TRUE(test, memsync_dirty_take(d, 20, &taken));
	KUNIT_EXPECT_TRUE(test, taken.look);
	expect_taken(test, &taken, 5, 7);
}

/* ---- open pages ---- */

static void open_pages(struct memsync_dirty *d, unsigned long block, unsigned int first,
		       unsigned int nr)
{
	while (nr--)
		memsync_dirty_open(d, block, first++);
}

/* They are to be visited, and are neither clean nor dirty. */
static void test_open(struct kunit *test)
{
	struct memsync_dirty *d = test->priv;
	struct memsync_taken taken;

	open_pages(d, 30, 62, 4);
	memsync_dirty_page(d, 30, 300);
	KUNIT_EXPECT_EQ(test, memsync_dirty_next(d, 0), 30UL);
	KUNIT_EXPECT_FALSE(test, memsync_dirty_is_clean(d, 30, 63));
	KUNIT_EXPECT_TRUE(test, memsync_dirty_is_clean(d, 30, 66));
	KUNIT_EXPECT_TRUE(test, memsync_dirty_take(d, 30, &taken));
	KUNIT_EXPECT_TRUE(test, taken.opened);
	KUNIT_EXPECT_FALSE(test, taken.look);
	KUNIT_EXPECT_EQ(test, taken.words, BIT(0) | BIT(1) | BIT(4));
	KUNIT_EXPECT_EQ(test, bitmap_weight(taken.open, MEMSYNC_BLOCK_PAGES), 4U);
	KUNIT_EXPECT_EQ(test, find_first_bit(taken.open, MEMSYNC_BLOCK_PAGES), 62UL);
	KUNIT_EXPECT_EQ(test, bitmap_weight(taken.dirty, MEMSYNC_BLOCK_PAGES), 1U);
	KUNIT_EXPECT_TRUE(test, memsync_dirty_is_clean(d, 30, 63));
	KUNIT_EXPECT_FALSE(test, memsync_dirty_take(d, 30, &taken));
	/* What was open is not, unless it is opened again. */
	memsync_dirty_page(d, 30, 300);
	KUNIT_EXPECT_TRUE(test, memsync_dirty_take(d, 30, &taken));
	KUNIT_EXPECT_FALSE(test, taken.opened);
	expect_taken(test, &taken, 300, 1);
}

/* Those of them that are promoted are dirty, no others; they stay open. */
static void test_open_promote(struct kunit *test)
{
	struct memsync_dirty *d = test->priv;
	struct memsync_taken taken;

	open_pages(d, 31, 100, 10);
	memsync_dirty_promote(d, 31, 105, 200);
	memsync_dirty_promote(d, 31, 0, 50);
	KUNIT_EXPECT_TRUE(test, memsync_dirty_take(d, 31, &taken));
	expect_taken_dirty(test, &taken, 105, 5);
	KUNIT_EXPECT_EQ(test, bitmap_weight(taken.open, MEMSYNC_BLOCK_PAGES), 10U);
	memsync_taken_fill_open(&taken);
	expect_taken(test, &taken, 100, 10);
}

/* ---- the whole set ---- */

static void test_walk(struct kunit *test)
{
	static const unsigned long blocks[] = { 0, 1, 62, 63, 64, 127, 128, BLOCKS - 1 };
	struct memsync_dirty *d = test->priv;
	struct memsync_taken taken;
	unsigned long block = 0;
	unsigned int i;

	for (i = ARRAY_SIZE(blocks); i--;)
		memsync_dirty_page(d, blocks[i], i);
	for (i = 0; i < ARRAY_SIZE(blocks); i++) {
		block = memsync_dirty_next(d, block);
		KUNIT_ASSERT_EQ(test, block, blocks[i]);
		KUNIT_EXPECT_TRUE(test, memsync_dirty_take(d, block, &taken));
		expect_taken(test, &taken, i, 1);
	}
	KUNIT_EXPECT_EQ(test, memsync_dirty_next(d, 0), BLOCKS);
}

/* At random against a plain model. */
static void test_random(struct kunit *test)
{
	unsigned long *model = kunit_kcalloc(test, BITS_TO_LONGS(BLOCKS * MEMSYNC_BLOCK_PAGES),
					     sizeof(long), GFP_KERNEL);
	struct memsync_dirty *d = test->priv;
	struct memsync_taken taken;
	struct rnd_state rnd;
	unsigned int round;
	bool took;

	KUNIT_ASSERT_NOT_NULL(test, model);
	prandom_seed_state(&rnd, 42);
	for (round = 0; round < 4000; round++) {
		unsigned long block = prandom_u32_state(&rnd) % BLOCKS;
		unsigned int first = prandom_u32_state(&rnd) % MEMSYNC_BLOCK_PAGES;
		unsigned int nr = prandom_u32_state(&rnd) % (MEMSYNC_BLOCK_PAGES - first) + 1;
		unsigned long *pages = model + block * BITS_TO_LONGS(MEMSYNC_BLOCK_PAGES);

		if (prandom_u32_state(&rnd) % 3) {
			memsync_dirty_pages(d, block, first, nr);
			bitmap_set(pages, first, nr);
			continue;
		}
		took = memsync_dirty_take(d, block, &taken);
		KUNIT_ASSERT_EQ(test, took, !bitmap_empty(pages, MEMSYNC_BLOCK_PAGES));
		if (took) {
			KUNIT_ASSERT_TRUE(test, bitmap_equal(taken.dirty, pages,
							     MEMSYNC_BLOCK_PAGES));
			expect_words(test, &taken);
		}
		bitmap_zero(pages, MEMSYNC_BLOCK_PAGES);
	}
}

/* ---- writers beside the taker ---- */

#define WRITERS	2
#define WRITES	20000

struct writer {
	struct memsync_dirty *dirty;
	struct completion done;
	unsigned int nr;
	atomic_t *written;	/* by page: how often */
};

static int writer(void *arg)
{
	struct writer *w = arg;
	struct rnd_state rnd;
	unsigned int i;

	prandom_seed_state(&rnd, w->nr);
	for (i = 0; i < WRITES; i++) {
		unsigned int page = prandom_u32_state(&rnd) % MEMSYNC_BLOCK_PAGES;

		atomic_inc(&w->written[page]);
		memsync_dirty_page(w->dirty, 0, page);
		if (i % 64 == 0)
			cond_resched();
	}
	/* Not back into the module, which may be gone by then. */
	kthread_complete_and_exit(&w->done, 0);
}

/* The taker's part: after taking a page it sees every write made before its mark. */
static unsigned int take(struct memsync_dirty *d, atomic_t *written, int *seen)
{
	struct memsync_taken taken;
	unsigned int page, nr = 0;

	if (!memsync_dirty_take(d, 0, &taken))
		return 0;
	for_each_set_bit(page, taken.dirty, MEMSYNC_BLOCK_PAGES) {
		seen[page] = atomic_read(&written[page]);
		nr++;
	}
	return nr;
}

static void test_writers(struct kunit *test)
{
	atomic_t *written = kunit_kcalloc(test, MEMSYNC_BLOCK_PAGES, sizeof(*written), GFP_KERNEL);
	int *seen = kunit_kcalloc(test, MEMSYNC_BLOCK_PAGES, sizeof(*seen), GFP_KERNEL);
	struct writer *writers = kunit_kcalloc(test, WRITERS, sizeof(*writers), GFP_KERNEL);
	struct memsync_dirty *d = test->priv;
	struct task_struct *task;
	unsigned int i, started;

	KUNIT_ASSERT_NOT_NULL(test, written);
	KUNIT_ASSERT_NOT_NULL(test, seen);
	KUNIT_ASSERT_NOT_NULL(test, writers);
	for (started = 0; started < WRITERS; started++) {
		writers[started].dirty = d;
		writers[started].written = written;
		writers[started].nr = started;
		init_completion(&writers[started].done);
		task = kthread_run(writer, &writers[started], "memsync-test/%u", started);
		if (IS_ERR(task))
			break;
	}
	KUNIT_EXPECT_EQ(test, started, WRITERS);
	for (i = 0; i < started; i++)
		while (!wait_for_completion_timeout(&writers[i].done, 1))
			take(d, written, seen);
	while (take(d, written, seen))
		;
	for (i = 0; i < MEMSYNC_BLOCK_PAGES; i++)
		KUNIT_EXPECT_EQ_MSG(test, seen[i], atomic_read(&written[i]), "page %u", i);
}

/* ---- size ---- */

static void test_bytes(struct kunit *test)
{
	struct memsync_dirty d;

	KUNIT_ASSERT_EQ(test, memsync_dirty_init(&d, 1), 0);
	KUNIT_EXPECT_LE(test, memsync_dirty_bytes(&d), (size_t)288);
	memsync_dirty_destroy(&d);
	/* A two thousandth of 64 GiB is the bound, and it is a fourth of that */
	KUNIT_ASSERT_EQ(test, memsync_dirty_init(&d, 32768), 0);
	KUNIT_EXPECT_LE(test, memsync_dirty_bytes(&d), (size_t)(32768UL * 2097152 / 8000));
	KUNIT_EXPECT_EQ(test, memsync_dirty_next(&d, 0), 32768UL);
	memsync_dirty_destroy(&d);
	KUNIT_EXPECT_PTR_EQ(test, d.blocks, NULL);
}

static struct kunit_case dirty_cases[] = {
	KUNIT_CASE_PARAM(test_pages, pages_gen_params),
	KUNIT_CASE_PARAM(test_page_by_page, pages_gen_params),
	KUNIT_CASE(test_pages_add_up),
	KUNIT_CASE(test_taken_once),
	KUNIT_CASE(test_fill),
	KUNIT_CASE(test_look),
	KUNIT_CASE(test_look_and_pages),
	KUNIT_CASE(test_promote),
	KUNIT_CASE(test_open),
	KUNIT_CASE(test_open_promote),
	KUNIT_CASE(test_walk),
	KUNIT_CASE(test_random),
	KUNIT_CASE(test_writers),
	KUNIT_CASE(test_bytes),
	{}
};

static struct kunit_suite dirty_suite = {
	.name = "memsync_dirty",
	.init = dirty_test_init,
	.exit = dirty_test_exit,
	.test_cases = dirty_cases,
};

kunit_test_suite(dirty_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("memsync: tests of the dirty set");
