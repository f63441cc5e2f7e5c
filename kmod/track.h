/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMSYNC_TRACK_H
#define _MEMSYNC_TRACK_H

#include <linux/bits.h>
#include <linux/mm_types.h>
#include "range.h"

struct memsync_track;
struct netlink_ext_ack;

/**
 * struct memsync_track_ops - what a track tells its owner
 * @dirtied: the first hint since memsync_track_arm(); any context in which a
 *	page fault or an MMU notifier may run, possibly under a PTE lock; must not
 *	sleep nor take a lock that is held around memsync_harvest()
 * @ended: the process is going (exit or exec) or its memory can no longer be
 *	tracked; called once at most, possibly from the process's exit path;
 *	must not sleep and must not call back into the track
 */
struct memsync_track_ops {
	void (*dirtied)(void *owner);
	void (*ended)(void *owner, const char *reason);
};

/**
 * enum memsync_track_how - what a track is to do
 * @MEMSYNC_TRACK_ALL_DIRTY: everything counts as dirty at first (a peer's view);
 *	else only what changes from now on (a region that has no peer)
 * @MEMSYNC_TRACK_FOLLOW: ops->dirtied also for memory outside the ranges that
 *	could be tracked; and a mapping of another kind inside them is a hole
 * @MEMSYNC_TRACK_FOLLOW_FILES: with that, private mappings of files are such
 *	memory, too
 * @MEMSYNC_TRACK_PASSES: harvests follow one another, so that pages may be left
 *	writable of which a later one is to find out whether they were written
 * @MEMSYNC_TRACK_COMPARE: memory whose changes cannot be seen may be in the ranges, and
 *	all of it is found each time
 */
enum memsync_track_how {
	MEMSYNC_TRACK_ALL_DIRTY	= BIT(0),
	MEMSYNC_TRACK_FOLLOW	= BIT(1),
	MEMSYNC_TRACK_FOLLOW_FILES	= BIT(2),
	MEMSYNC_TRACK_PASSES		= BIT(3),
	MEMSYNC_TRACK_COMPARE		= BIT(4),
};

/**
 * memsync_track_start - begin to watch a process's memory
 * @mm: the process's memory; the caller holds a reference (mmget or mmgrab)
 *	during the call, the track takes its own
 * @ranges: as memsync_ranges_check() accepted; copied
 * @nr: how many
 * @how: enum memsync_track_how
 * @ops: upcalls
 * @owner: handed to them
 * @extack: told what went wrong
 *
 * Several tracks may watch the same memory, each with dirtiness of its own.
 *
 * Context: process; sleeps; takes the mmap lock for writing when it is the
 * first track of this mm.
 * Return: the track or ERR_PTR(): -ENOMEM, -EINTR, -ESRCH (exiting), -EBUSY
 * (the fault path is taken by a livepatch), -EOPNOTSUPP.
 */
struct memsync_track *
memsync_track_start(struct mm_struct *mm, const struct memsync_range *ranges, unsigned int nr,
		    unsigned int how, const struct memsync_track_ops *ops, void *owner,
		    struct netlink_ext_ack *extack);

/**
 * memsync_track_grow - watch more of the same process
 * @track: taken over, and freed, on success
 * @ranges: its ranges and more, as for memsync_track_start()
 * @nr: how many
 *
 * What is new counts as dirty. The owner is as it was.
 *
 * Context: process; sleeps; the caller runs no harvest of @track, and nobody
 * else uses it meanwhile. Return: the track that replaces @track, or
 * ERR_PTR(-ENOMEM).
 */
struct memsync_track *memsync_track_grow(struct memsync_track *track,
					 const struct memsync_range *ranges, unsigned int nr);

/*
 * Ends the watching and frees the track. No upcall runs once it has returned.
 * Context: process; sleeps; the caller runs no harvest of it any more.
 */
void memsync_track_stop(struct memsync_track *track);

/* Of the ranges: how many, bytes of all of them, and those of the one at a place in the replica. */
unsigned int memsync_track_nr_ranges(const struct memsync_track *track);
u64 memsync_track_size(const struct memsync_track *track);
u64 memsync_track_length(const struct memsync_track *track, unsigned int place);

/*
 * The owner of one that follows looks for new mappings now: those that are
 * touched from here on are told of again.
 */
void memsync_track_looked(struct memsync_track *track);

/* Everything is dirty again: a new peer, or one that may have lost pages. */
void memsync_track_mark_all(struct memsync_track *track);

/* Marks pages dirty again whose shipping failed: @offset and @nr pages of the replica. */
void memsync_track_mark(struct memsync_track *track, u64 offset, unsigned long nr);

/* Dirty pages now; an estimate while the process runs. Costs a scan of what is marked. */
u64 memsync_track_dirty_pages(struct memsync_track *track);

/*
 * Asks for one ops->dirtied at the next hint. Returns false, and asks for
 * nothing, if something is dirty (or to be looked for) already, or can be written
 * with no hint.
 */
bool memsync_track_arm(struct memsync_track *track);
/* Asks no longer. */
void memsync_track_disarm(struct memsync_track *track);

/* Did the last walk find memory of which nobody tells that it has changed? */
bool memsync_track_has_compared(const struct memsync_track *track);

/* Write faults seen in the ranges; bytes of memory the track occupies. */
u64 memsync_track_write_faults(struct memsync_track *track);
size_t memsync_track_bytes(struct memsync_track *track);

/**
 * struct memsync_piece - what a harvest found
 * @offset: bytes into the replica
 * @nr: pages; more than one, or none, only where @page is NULL
 * @coarse: found for what it lies in, so that it may be as it was; @nr is 1 then
 * @page: the content, with a reference; NULL: reads as zeros
 */
struct memsync_piece {
	u64 offset;
	unsigned int nr;
	unsigned int coarse;
	struct page *page;
};

/**
 * struct memsync_part - pieces that lie in one mapping of a shared object
 * @file: the object, with a reference
 * @start: address of the first one
 * @offset: bytes into the replica at @start
 * @index: page of the object at @start
 * @first: the first of the pieces
 * @end: the one behind the last
 */
struct memsync_part {
	struct file *file;
	unsigned long start;
	u64 offset;
	unsigned long index;
	unsigned int first;
	unsigned int end;
};

#define MEMSYNC_HARVEST_PARTS	512	/* a block never has more */

/* As many pages are held until they are shipped, which reclaim would like to have: few. */
#define MEMSYNC_HARVEST_PIECES	1024

/**
 * struct memsync_harvest - one walk over the dirty pages
 * @next: block where the walk goes on; zero at first, owned by the track
 * @nr: pieces filled in by the last call
 * @pieces: them, in address order within a call
 * @compare: find memory, too, whose changes cannot be seen: all of it
 * @of_all: the track's own
 * @nr_parts: the track's own
 * @parts: the track's own
 *
 * Allocate with kvmalloc(), zero with memsync_harvest_begin().
 */
struct memsync_harvest {
	unsigned long next;
	unsigned int nr;
	struct memsync_piece pieces[MEMSYNC_HARVEST_PIECES];
	bool compare;
	bool of_all;
	unsigned int nr_parts;
	struct memsync_part parts[MEMSYNC_HARVEST_PARTS];
};

static inline void memsync_harvest_begin(struct memsync_harvest *h, bool compare)
{
	h->next = 0;
	h->compare = compare;
	h->of_all = false;
	h->nr = 0;
	h->nr_parts = 0;
}

/**
 * memsync_harvest - collect dirty pages and protect them again
 * @track: whose
 * @h: where the walk stands; call until it returns 0
 *
 * Every write made to the ranges before memsync_harvest_begin() (where memory is only
 * compared: that with @compare) is in what the calls up to the one that returns 0
 * found, together with all that was found by earlier walks. A page may still be
 * rewritten after it was found: then it is dirty again and a later walk finds it. The
 * content may be read once the call has returned.
 *
 * The pages of a piece that the caller failed to ship must be marked again
 * with memsync_track_mark() or memsync_track_mark_all().
 *
 * Context: process; sleeps; takes the mmap lock for reading; one walk of a
 * track at a time, and the owner keeps the track from being stopped.
 * Return: 1 if there may be more, with @h->nr pieces (possibly none) to be
 * put; 0 at the end of the walk, with @h->nr last pieces (possibly none);
 * -EAGAIN, with no pieces, when a page is still on its way from swap or the like: to
 * be called again; -ESRCH when the process is gone, -EOPNOTSUPP when memory of another
 * kind was mapped into a range (ops->ended says which), -ENOMEM, -EINTR.
 */
int memsync_harvest(struct memsync_track *track, struct memsync_harvest *h);

/* Drops the page references of the pieces. Each is a put_page() a caller may also do itself. */
void memsync_harvest_put(struct memsync_harvest *h);

/*
 * The content of page @offset of the replica as it is now, for comparing
 * digests: *@page with a reference, or NULL for zeros.
 * Context: process; may fault the page in. Return: 0 or -errno.
 */
int memsync_track_peek(struct memsync_track *track, u64 offset, struct page **page);

/*
 * Was this page certainly not written since the walk that found it last? To be
 * asked after its content was read; false also where it cannot be told.
 */
bool memsync_track_unchanged(struct memsync_track *track, u64 offset);

/* A sink's page that is not there reads as zeros without being allocated. */
bool memsync_page_absent(struct mm_struct *mm, unsigned long addr);

int memsync_track_init(void);
void memsync_track_exit(void);

#endif /* _MEMSYNC_TRACK_H */
