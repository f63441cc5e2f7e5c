// SPDX-License-Identifier: GPL-2.0
/* The table of watched processes, and how an entry dies. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <linux/netlink.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/xarray.h>
#include "hook.h"
#include "mm.h"

#define REAP_INTERVAL	(HZ / 100 ?: 1)
#define REAP_COMPLAIN	500	/* intervals, about 5 s */

struct hlist_head memsync_mm_table[1 << MEMSYNC_MM_HASH_BITS];
DEFINE_MUTEX(memsync_mm_mutex);	/* protects the table and all track lists */

static struct workqueue_struct *reapers;
static atomic_t alive = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(all_dead);

static bool any_in_flight(struct memsync_mm *m)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(m->in_flight); i++)
		if (atomic_read_acquire(&m->in_flight[i]))
			return true;
	return false;
}

/* Faults may sleep for as long as a userfaultfd of the process likes. */
static void reap(struct work_struct *work)
{
	struct memsync_mm *m = container_of(to_delayed_work(work), struct memsync_mm, reaper);
	bool faults;

	/* A fault that found it in the table has raised its count by now. */
	synchronize_rcu();
	faults = any_in_flight(m);
	if (faults || !smp_load_acquire(&m->references_seen)) {	/* pairs with passed_by() */
		if (faults && ++m->waited % REAP_COMPLAIN == 0)
			pr_info("waiting for a page fault that has been in flight for %u s\n",
				m->waited / REAP_COMPLAIN * 5);
		queue_delayed_work(reapers, &m->reaper, REAP_INTERVAL);
		return;
	}
	mmdrop(m->mm);
	kfree(m);
	if (atomic_dec_and_test(&alive))
		wake_up_all(&all_dead);
}

static void passed_by(struct rcu_head *head)
{
	struct memsync_mm *m = container_of(head, struct memsync_mm, passed_by);

	smp_store_release(&m->references_seen, true);	/* may be freed from here on */
}

/* From the notifier's free callback, where nothing may sleep. */
void memsync_mm_free_deferred(struct memsync_mm *m)
{
	queue_delayed_work(reapers, &m->reaper, 0);
}

static struct memsync_mm *alloc_mm(struct mm_struct *mm)
{
	struct memsync_mm *m = kzalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);

	if (!m)
		return NULL;
	mmgrab(mm);
	m->mm = mm;
	m->notifier.ops = &memsync_notifier_ops;
	INIT_LIST_HEAD(&m->tracks);
	spin_lock_init(&m->active_lock);
	mutex_init(&m->walk_mutex);
	INIT_DELAYED_WORK(&m->reaper, reap);
	m->references_seen = true;
	atomic_inc(&alive);
	return m;
}

/* From now on harvests keep the hints that they find in [start, end). */
void memsync_mm_active_begin(struct memsync_mm *m, unsigned long start, unsigned long end)
{
	spin_lock(&m->active_lock);
	if (!m->active) {
		m->active_start = start;
		m->active_end = end;
	} else {
		m->active_start = min(m->active_start, start);
		m->active_end = max(m->active_end, end);
	}
	m->recent[m->started % MEMSYNC_RECENT] = (struct memsync_started_range){ start, end };
	WRITE_ONCE(m->active, m->active + 1);
	smp_store_release(&m->started, m->started + 1);	/* after @active, for memsync_mm_active() */
	spin_unlock(&m->active_lock);
	smp_mb();	/* pairs with the taking, see memsync_mm_unsettled() */
}

void memsync_mm_active_end(struct memsync_mm *m)
{
	spin_lock(&m->active_lock);
	WRITE_ONCE(m->active, m->active - 1);
	spin_unlock(&m->active_lock);
}

void memsync_mm_widening_begin(struct memsync_mm *m, unsigned long start, unsigned long end)
{
	spin_lock(&m->active_lock);
	if (!m->widening) {
		m->widening_start = start;
		m->widening_end = end;
	} else {
		m->widening_start = min(m->widening_start, start);
		m->widening_end = max(m->widening_end, end);
	}
	WRITE_ONCE(m->widening, m->widening + 1);
	spin_unlock(&m->active_lock);
}

void memsync_mm_widening_end(struct memsync_mm *m)
{
	spin_lock(&m->active_lock);
	/* after the looks, for memsync_mm_widening_in() */
	smp_store_release(&m->widening, m->widening - 1);
	spin_unlock(&m->active_lock);
}

bool memsync_mm_widening_in(struct memsync_mm *m, unsigned long start, unsigned long end)
{
	bool ret;

	if (likely(!smp_load_acquire(&m->widening)))	/* pairs with its lowering */
		return false;
	spin_lock(&m->active_lock);
	ret = m->widening && m->widening_start < end && start < m->widening_end;
	spin_unlock(&m->active_lock);
	return ret;
}

bool memsync_mm_active_in(struct memsync_mm *m, unsigned long block_addr, unsigned long *started)
{
	bool ret;

	spin_lock(&m->active_lock);
	ret = m->active && m->active_start < block_addr + MEMSYNC_BLOCK_SIZE &&
	      block_addr < m->active_end;
	*started = m->started;
	spin_unlock(&m->active_lock);
	return ret;
}

static bool touches_block(const struct memsync_started_range *r, unsigned long block_addr)
{
	return r->start < block_addr + MEMSYNC_BLOCK_SIZE && block_addr < r->end;
}

bool memsync_mm_began_in(struct memsync_mm *m, unsigned long block_addr, unsigned long started)
{
	bool ret;

	if (likely(READ_ONCE(m->started) == started))
		return false;
	spin_lock(&m->active_lock);
	ret = m->started - started > MEMSYNC_RECENT;
	for (; !ret && started != m->started; started++)
		ret = touches_block(&m->recent[started % MEMSYNC_RECENT], block_addr);
	spin_unlock(&m->active_lock);
	return ret;
}

/* This module's subscriptions, by where they hang on a list. */
static DEFINE_XARRAY(own);

static unsigned long own_index(const struct hlist_node *node)
{
	return (unsigned long)node / sizeof(*node);
}

/* @notifier, about to be registered, is one of this module's. Return: 0 or -ENOMEM. */
int memsync_mm_own(const struct mmu_notifier *notifier)
{
	return xa_err(xa_store(&own, own_index(&notifier->hlist), (void *)notifier,
			       GFP_KERNEL));
}

/* To be called before it is unregistered. */
void memsync_mm_disown(const struct mmu_notifier *notifier)
{
	xa_erase(&own, own_index(&notifier->hlist));
}

/*
 * Has somebody else subscribed to this memory (KVM, an IOMMU)? Their devices
 * would write through page tables that we do not protect. What they hang on is
 * private to the kernel, but begins with the head of a list and a flag for
 * those that watch an interval. Nobody else's entry is looked into, and ours
 * stay while the lock is held.
 */
bool memsync_mm_has_others(const struct memsync_mm *m)
{
	const struct hlist_node *node;

	xa_lock(&own);
	node = READ_ONCE(*m->head);
	while (node && (node == &m->notifier.hlist || xa_load(&own, own_index(node))))
		node = READ_ONCE(node->next);
	xa_unlock(&own);
	return node || READ_ONCE(*(const bool *)(m->head + 1));
}

static int refuse_others(struct netlink_ext_ack *extack)
{
	NL_SET_ERR_MSG(extack, "KVM or another device also writes this process's memory, unseen");
	return -EOPNOTSUPP;
}

/*
 * From the moment of publishing, faults that begin are seen; subscribing takes
 * the mmap lock for writing and so waits for those that had begun before.
 */
static int publish(struct memsync_mm *m, struct netlink_ext_ack *extack)
{
	bool others = false;
	int err;

	hlist_add_head_rcu(&m->node, memsync_mm_bucket(m->mm));
	/* Who was past the hook by then, on his way to a page with no lock (reference.c)? */
	m->references_seen = false;
	call_rcu_tasks(&m->passed_by, passed_by);
	err = mmap_write_lock_killable(m->mm);
	if (err)
		goto hide;
	err = __mmu_notifier_register(&m->notifier, m->mm);
	if (!err) {
		m->head = m->notifier.hlist.pprev;
		others = memsync_mm_has_others(m);
	}
	mmap_write_unlock(m->mm);
	if (err)
		goto hide;
	/* Ours is the first on the list, so the head is where it should be. */
	return others ? refuse_others(extack) : 0;

hide:
	hlist_del_rcu(&m->node);
	NL_SET_ERR_MSG(extack, "cannot subscribe to the process's memory changes");
	return err;
}

/**
 * memsync_mm_get - watch a process's memory
 * @mm: whose; the caller holds a user reference (mmget)
 * @extack: told what went wrong
 *
 * Each get is undone by a memsync_mm_put(). Context: process, with
 * memsync_mm_mutex held; takes the mmap lock for writing the first time.
 * Return: it, or ERR_PTR().
 */
struct memsync_mm *memsync_mm_get(struct mm_struct *mm, struct netlink_ext_ack *extack)
{
	struct memsync_mm *m;
	int err;

	lockdep_assert_held(&memsync_mm_mutex);
	m = memsync_mm_find(mm);
	if (m) {
		if (memsync_mm_has_others(m))
			return ERR_PTR(refuse_others(extack));
		m->nr_tracks++;
		return m;
	}
	m = alloc_mm(mm);
	if (!m)
		return ERR_PTR(-ENOMEM);
	err = memsync_hook_get(extack);
	if (err)
		goto free_mm;
	m->nr_tracks = 1;
	err = publish(m, extack);
	if (err == -EOPNOTSUPP) {
		memsync_mm_put(m);
		return ERR_PTR(err);
	}
	if (err)
		goto unhook;
	return m;

unhook:
	memsync_hook_put();
free_mm:
	memsync_mm_free_deferred(m);	/* a fault may have found it */
	return ERR_PTR(err);
}

void memsync_mm_put(struct memsync_mm *m)
{
	lockdep_assert_held(&memsync_mm_mutex);
	if (--m->nr_tracks)
		return;
	hlist_del_rcu(&m->node);
	mmu_notifier_put(&m->notifier);
	memsync_hook_put();
}

int memsync_mm_init(void)
{
	reapers = alloc_workqueue("memsync_reap", WQ_UNBOUND, 0);
	return reapers ? 0 : -ENOMEM;
}

/* Every track is stopped. Waits until no fault can still touch what they left. */
void memsync_mm_exit(void)
{
	mmu_notifier_synchronize();
	wait_event(all_dead, !atomic_read(&alive));
	destroy_workqueue(reapers);
}
