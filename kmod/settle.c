// SPDX-License-Identifier: GPL-2.0
/*
 * The pages of shared objects that a walk has come upon: written or not, and what
 * is in them. Each is write-protected in whatever maps it, with its folio locked.
 * Without the mmap lock, as that lock may be long in coming.
 *
 * folio_mkclean() tells whether any entry was writable or dirty. Who takes a dirty
 * entry away marks the folio, and so the page, first; but not where it maps a huge
 * page. So a page of a large folio that is to be looked at counts as written, as does
 * one that somebody holds a reference to.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include "object.h"
#include "view.h"
#include "walk.h"

static pgoff_t index_of(const struct memsync_part *part, const struct memsync_piece *piece)
{
	return part->index + ((piece->offset - part->offset) >> PAGE_SHIFT);
}

static unsigned long addr_of(const struct memsync_part *part, const struct memsync_piece *piece)
{
	return part->start + (piece->offset - part->offset);
}

/*
 * Not only what the walk took counts: when somebody else found the page written, he
 * has said so before he let go of the folio. That mark stays.
 */
static bool is_wanted(const struct memsync_walk *w, const struct memsync_part *part,
		      const struct memsync_piece *piece)
{
	return piece->page == MEMSYNC_PAGE_SHARED || w->unsure_is_written ||
	       memsync_track_is_marked(w->track, addr_of(part, piece));
}

/* There is nothing to ship. */
static void drop(struct memsync_piece *piece)
{
	piece->page = NULL;
	piece->nr = 0;
}

/* Swapped out, or a hole. */
static int settle_absent(struct memsync_walk *w, const struct memsync_part *part,
			 struct memsync_piece *piece, bool fetch)
{
	if (!is_wanted(w, part, piece)) {
		drop(piece);
		return 0;
	}
	piece->page = NULL;
	return fetch ? memsync_object_read(part->file->f_mapping, index_of(part, piece),
					   &piece->page) : 0;
}

/* The first piece behind @piece that is not of this folio. */
static struct memsync_piece *behind(const struct memsync_part *part,
				    struct memsync_piece *piece,
				    const struct memsync_piece *end, struct folio *folio)
{
	pgoff_t next = folio->index + folio_nr_pages(folio);

	while (piece < end && index_of(part, piece) < next)
		piece++;
	return piece;
}

/* The rest of a large folio in the same view, of which the walk did not want to know. */
static void mark_rest(struct memsync_walk *w, const struct memsync_part *part,
		      const struct memsync_piece *piece, const struct memsync_piece *end,
		      struct folio *folio, const struct memsync_view *view)
{
	pgoff_t index = folio->index, last = index + folio_nr_pages(folio);
	pgoff_t view_end = view->index + ((view->end - view->start) >> PAGE_SHIFT);

	for (; index < last; index++) {
		unsigned long addr;

		if (piece < end && index_of(part, piece) == index) {
			piece++;
			continue;
		}
		if (index < view->index || index >= view_end)
			continue;
		addr = view->start + ((index - view->index) << PAGE_SHIFT);
		memsync_track_mark_range(w->track, addr, addr + PAGE_SIZE);
	}
}

/* Others look for what is not there any more. They learn it while the folio is locked. */
static void tell(struct memsync_walk *w, const struct memsync_part *part,
		 const struct memsync_piece *piece, const struct memsync_piece *end,
		 struct folio *folio)
{
	const struct memsync_view *view = memsync_view_find(w->track, part->start);

	memsync_view_mark(part->file->f_mapping, folio->index, folio_nr_pages(folio), view);
	if (folio_test_large(folio) && view)
		mark_rest(w, part, piece, end, folio, view);
}

/* The folio is locked. What was dirty in an entry only is kept in the folio. */
static bool protect(struct memsync_walk *w, const struct memsync_part *part,
		    const struct memsync_piece *piece, const struct memsync_piece *end,
		    struct folio *folio)
{
	if (!folio_mkclean(folio))
		return folio_test_large(folio);
	folio_set_dirty(folio);
	tell(w, part, piece, end, folio);
	return true;
}

/* What may be written through a reference stays dirty. One reference is ours. */
static void keep_excess(struct memsync_walk *w, const struct memsync_piece *piece,
			const struct memsync_piece *end, struct folio *folio)
{
	if (!memsync_folio_has_excess(folio, 1))
		return;
	for (; piece < end; piece++)
		if (piece->nr)
			memsync_track_mark(w->track, piece->offset, 1);
}

static int take(const struct memsync_walk *w, const struct memsync_part *part,
		struct memsync_piece *piece, struct folio *folio)
{
	struct page *page = folio_file_page(folio, index_of(part, piece));

	piece->page = NULL;
	if (!folio_test_uptodate(folio))	/* allocated, and not cleared yet */
		return 0;
	if (PageHWPoison(page))
		return -EHWPOISON;
	get_page(page);
	piece->page = page;
	piece->coarse = folio_test_large(folio) && !w->h->of_all;
	return 0;
}

static int settle_folio(struct memsync_walk *w, const struct memsync_part *part,
			struct memsync_piece *piece, struct memsync_piece *end,
			struct folio *folio)
{
	bool changed = protect(w, part, piece, end, folio) || memsync_folio_has_excess(folio, 1);
	struct memsync_piece *p;
	int err = 0;

	for (p = piece; p < end; p++)
		if (!changed && !is_wanted(w, part, p))
			drop(p);
	keep_excess(w, piece, end, folio);
	for (p = piece; p < end && !err; p++)
		if (p->nr)
			err = take(w, part, p, folio);
	return err;
}

static int settle_part(struct memsync_walk *w, const struct memsync_part *part, bool fetch)
{
	struct memsync_piece *piece = w->h->pieces + part->first;
	struct memsync_piece *next, *end = w->h->pieces + part->end;
	struct address_space *mapping = part->file->f_mapping;
	struct folio *folio;
	int err = 0;

	for (; piece < end && !err; piece = next) {
		next = piece + 1;
		folio = filemap_lock_folio(mapping, index_of(part, piece));
		if (IS_ERR(folio)) {
			err = settle_absent(w, part, piece, fetch);
			continue;
		}
		next = behind(part, piece, end, folio);
		err = settle_folio(w, part, piece, next, folio);
		folio_unlock(folio);
		folio_put(folio);
		cond_resched();
	}
	return err;
}

/**
 * memsync_settle - protect what was noted of shared objects, and find its content
 * @w: the walk; the mmap lock is not held any more
 * @fetch: also what is swapped out
 *
 * Return: 0; -EOPNOTSUPP where a page cannot be read, and the track has ended; -ENOMEM.
 * Pieces may be without a page then, or with one of walk.h's.
 */
int memsync_settle(struct memsync_walk *w, bool fetch)
{
	const struct address_space *flushed = NULL;
	unsigned int i;
	int err = 0;

	for (i = 0; i < w->h->nr_parts && !err; i++) {
		const struct memsync_part *part = &w->h->parts[i];

		if (part->file->f_mapping != flushed) {
			flushed = part->file->f_mapping;
			w->unsure_is_written = memsync_object_flush(part->file->f_mapping);
		}
		err = settle_part(w, part, fetch);
	}
	if (!err || err == -ENOMEM || err == -EINTR)
		return err;
	memsync_track_ended(w->track, "a page of it cannot be read (memory or swap error)");
	return -EOPNOTSUPP;
}

/* Lets go of the objects, in any case. */
void memsync_settle_end(struct memsync_walk *w)
{
	unsigned int i;

	for (i = 0; i < w->h->nr_parts; i++)
		fput(w->h->parts[i].file);
	w->h->nr_parts = 0;
}
