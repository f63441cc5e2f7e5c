/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMSYNC_THREAD_H
#define _MEMSYNC_THREAD_H

#include <linux/list.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <linux/wait.h>

struct memsync_region;
struct net;
struct workqueue_struct;

/**
 * struct memsync_thread - a kthread that serves a peer, a connection or a listener
 * @wq: where it sleeps; whoever has something for it wakes it here
 * @stop: it is to end; set once, never cleared
 * @run: its body; returns soon after @stop
 * @release: frees what embeds this, from the reaper, when the thread is gone
 * @task: held
 * @net: the namespace that ends it, or NULL where a region does; not held
 * @region: what region it serves, if any; not held here
 * @node: on the list of all
 *
 * Life: start ──> runs ──(@stop, or by itself)──> ended ──reaper──> released.
 * The embedding object belongs to the thread until then: others may only look
 * at it under a lock under which the thread takes it out of their sight
 * before it ends.
 */
struct memsync_thread {
	wait_queue_head_t wq;
	bool stop;
	void (*run)(struct memsync_thread *t);
	void (*release)(struct memsync_thread *t);
	struct task_struct *task;
	struct net *net;
	struct memsync_region *region;
	struct list_head node;
	bool ended;
};

static inline bool memsync_thread_stopping(const struct memsync_thread *t)
{
	return READ_ONCE(t->stop);
}

/* Before memsync_thread_start(), so that upcalls may wake it already. */
void memsync_thread_init(struct memsync_thread *t, struct net *net,
			 void (*run)(struct memsync_thread *t),
			 void (*release)(struct memsync_thread *t));

/*
 * Context: process; sleeps. Return: 0, and from now on @release frees it; or
 * -ENOMEM, -EINTR, -ESHUTDOWN, and the caller does.
 */
__printf(2, 3)
int memsync_thread_start(struct memsync_thread *t, const char *fmt, ...);

/* Asks it to end; does not wait. Any context that keeps @t from going away. */
void memsync_thread_stop(struct memsync_thread *t);

/* Says whose region it serves now. By the thread itself. */
void memsync_thread_set_region(struct memsync_thread *t, struct memsync_region *region);

/*
 * Ask all threads of a region, or of a network namespace, to end, and wait until
 * they are released. Context: process; sleeps; the caller holds no lock that they
 * take (region->lock) and is none of them.
 */
void memsync_threads_stop_region(struct memsync_region *region);
void memsync_threads_stop_net(struct net *net);

/* For work that must be done before the module goes. */
extern struct workqueue_struct *memsync_thread_wq;

int memsync_threads_init(void);
void memsync_threads_exit(void);	/* stops and waits for all */

#endif /* _MEMSYNC_THREAD_H */
