/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMSYNC_MM_H
#define _MEMSYNC_MM_H

#include <linux/hash.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/rculist.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include "dirty.h"

#define MEMSYNC_MM_HASH_BITS	8
#define MEMSYNC_IN_FLIGHT_BITS	8
#define MEMSYNC_RECENT		8

struct netlink_ext_ack;
struct task_struct;

/* The addresses of a notifier range. */
struct memsync_started_range {
	unsigned long start;
	unsigned long end;
};

/**
 * struct memsync_mm - the memory of one process that is watched
 * @node: in the table, where a page fault finds it; RCU
 * @mm: grabbed while this lives, so that the address is not used again
 * @notifier: our subscription
 * @head: of the list that the subscription is on
 * @tracks: struct memsync_track.node; RCU, changed under memsync_mm_mutex
 * @nr_tracks: how many, under memsync_mm_mutex
 * @nr_follow: how many of them follow the process; read without
 * @in_flight: faults between their entry and exit hints, by block
 * @active_lock: protects the next nine
 * @active: notifier ranges, and forced writes, between their start and end
 * @started: how many have ever started
 * @recent: the last ones to start, number n in place n modulo their number
 * @spared: those of them that take no content away
 * @active_start: together they lie within this address
 * @active_end: and this one
 * @widening: those of them that may make entries writable with no fault
 * @widening_start: together they lie within this address
 * @widening_end: and this one
 * @scanner: the task that scans it for NUMA balancing right now
 * @walk_mutex: one harvest at a time: what one track takes from the page table
 *	another one may be looking for
 * @references_seen: nobody takes references any more without being watched
 * @passed_by: an RCU callback that sets it
 * @reaper: frees it once no fault is in flight
 * @waited: how often the reaper has looked
 *
 * A fault is in flight from raising a count until lowering it, which is its
 * last touch of this object. So the object dies in stages: off the table and
 * out of the notifier list; an SRCU grace period later the notifier calls
 * back; then the reaper waits for the counts.
 */
struct memsync_mm {
	struct hlist_node node;
	struct mm_struct *mm;
	struct mmu_notifier notifier;
	struct hlist_node **head;
	struct list_head tracks;
	unsigned int nr_tracks;
	unsigned int nr_follow;
	atomic_t in_flight[1 << MEMSYNC_IN_FLIGHT_BITS];
	spinlock_t active_lock;
	unsigned int active;
	unsigned long started;
	struct memsync_started_range recent[MEMSYNC_RECENT];
	const struct mmu_notifier_range *spared[4];
	unsigned long active_start;
	unsigned long active_end;
	unsigned int widening;
	unsigned long widening_start;
	unsigned long widening_end;
	struct task_struct *scanner;
	struct mutex walk_mutex;
	bool references_seen;
	struct rcu_head passed_by;
	struct delayed_work reaper;
	unsigned int waited;
};

extern struct hlist_head memsync_mm_table[1 << MEMSYNC_MM_HASH_BITS];
extern struct mutex memsync_mm_mutex;
extern const struct mmu_notifier_ops memsync_notifier_ops;

static inline struct hlist_head *memsync_mm_bucket(const struct mm_struct *mm)
{
	return &memsync_mm_table[hash_ptr(mm, MEMSYNC_MM_HASH_BITS)];
}

/* Under rcu_read_lock() or memsync_mm_mutex. */
static inline struct memsync_mm *memsync_mm_find(const struct mm_struct *mm)
{
	struct memsync_mm *m;

	hlist_for_each_entry_rcu(m, memsync_mm_bucket(mm), node,
				 lockdep_is_held(&memsync_mm_mutex))
		if (m->mm == mm)
			return m;
	return NULL;
}

static inline atomic_t *memsync_mm_in_flight(struct memsync_mm *m, unsigned long addr)
{
	return &m->in_flight[hash_long(addr >> MEMSYNC_BLOCK_SHIFT, MEMSYNC_IN_FLIGHT_BITS)];
}

void memsync_mm_active_begin(struct memsync_mm *m, unsigned long start, unsigned long end);
void memsync_mm_active_end(struct memsync_mm *m);
bool memsync_mm_active_in(struct memsync_mm *m, unsigned long block_addr,
			  unsigned long *started);

/* Around what may make entries writable with no fault, before a look says so. Any context. */
void memsync_mm_widening_begin(struct memsync_mm *m, unsigned long start, unsigned long end);
void memsync_mm_widening_end(struct memsync_mm *m);
/* Is such under way in [start, end)? Where not, what has ended has left its looks. */
bool memsync_mm_widening_in(struct memsync_mm *m, unsigned long start, unsigned long end);

/*
 * Has a notifier range, or the like, started in this block since @started was read?
 * Context: any in which a page fault may run, possibly under a PTE lock.
 */
bool memsync_mm_began_in(struct memsync_mm *m, unsigned long block_addr, unsigned long started);

/* Is a notifier range, or the like, under way anywhere? As memsync_mm_active(). */
static inline bool memsync_mm_any_active(const struct memsync_mm *m, unsigned long *started)
{
	*started = smp_load_acquire(&m->started);	/* pairs with its raising */
	return READ_ONCE(m->active);
}

/**
 * memsync_mm_active - is a notifier range, or the like, under way in this block?
 * @m: the watched memory
 * @block_addr: first address of the block
 * @started: set to how many ranges have ever started
 *
 * To be asked before hints are taken.
 */
static inline bool memsync_mm_active(struct memsync_mm *m, unsigned long block_addr,
				     unsigned long *started)
{
	return unlikely(memsync_mm_any_active(m, started)) &&
	       memsync_mm_active_in(m, block_addr, started);
}

/**
 * memsync_mm_unsettled - may a page of this block change hands right now?
 * @m: the watched memory
 * @block_addr: an address in the block
 *
 * To be asked after hints were taken: where a fault or a notifier range is under
 * way, its page table change may come after we looked, so the hints must stay.
 * The caller's taking was a full barrier, which pairs with the raising of the
 * counts before the first hint.
 */
static inline bool memsync_mm_unsettled(struct memsync_mm *m, unsigned long block_addr)
{
	unsigned long started;

	return atomic_read(memsync_mm_in_flight(m, block_addr)) ||
	       memsync_mm_active(m, block_addr & ~(MEMSYNC_BLOCK_SIZE - 1), &started);
}

bool memsync_mm_has_others(const struct memsync_mm *m);
int memsync_mm_own(const struct mmu_notifier *notifier);
void memsync_mm_disown(const struct mmu_notifier *notifier);

struct memsync_mm *memsync_mm_get(struct mm_struct *mm, struct netlink_ext_ack *extack);
void memsync_mm_put(struct memsync_mm *m);
void memsync_mm_free_deferred(struct memsync_mm *m);

int memsync_mm_init(void);
void memsync_mm_exit(void);

#endif /* _MEMSYNC_MM_H */
