// SPDX-License-Identifier: GPL-2.0
/*
 * memsync: the threads of sessions, from start to joining.
 *
 * A thread may end by itself, when its connection is lost, or because somebody
 * asks. Nobody can join it while holding region->lock, which it takes; and a
 * thread that signals that it is done still runs some last instructions of this
 * module. So a thread that is done hands itself to the reaper, a work item
 * that joins it with kthread_stop() and only then releases it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kthread.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include "thread.h"

/* Protects what follows, and each thread's @ended, @node and @region. Innermost. */
static DEFINE_SPINLOCK(lock);
static LIST_HEAD(threads);
static bool closing;
/* The one the reaper is about to release; it is not on the list any more. */
static struct {
	bool busy;
	struct net *net;
	struct memsync_region *region;
} reaping;

static DECLARE_WAIT_QUEUE_HEAD(released);

struct workqueue_struct *memsync_thread_wq;

static struct memsync_thread *take_ended(void)
{
	struct memsync_thread *t;

	spin_lock(&lock);
	reaping.busy = false;
	list_for_each_entry(t, &threads, node) {
		if (!t->ended)
			continue;
		list_del(&t->node);
		reaping.busy = true;
		reaping.net = t->net;
		reaping.region = t->region;
		spin_unlock(&lock);
		return t;
	}
	spin_unlock(&lock);
	return NULL;
}

static void reap(struct work_struct *work)
{
	struct memsync_thread *t;

	while ((t = take_ended())) {
		kthread_stop(t->task);
		put_task_struct(t->task);
		t->release(t);
		wake_up_all(&released);
	}
	wake_up_all(&released);
}

static DECLARE_WORK(reap_work, reap);

static int thread_main(void *data)
{
	struct memsync_thread *t = data;

	t->run(t);
	spin_lock(&lock);
	t->ended = true;
	/* under the lock: once the reaper has seen @ended, @t may be freed */
	queue_work(memsync_thread_wq, &reap_work);
	spin_unlock(&lock);
	return 0;
}

void memsync_thread_init(struct memsync_thread *t, struct net *net,
			 void (*run)(struct memsync_thread *t),
			 void (*release)(struct memsync_thread *t))
{
	init_waitqueue_head(&t->wq);
	INIT_LIST_HEAD(&t->node);
	t->stop = false;
	t->ended = false;
	t->run = run;
	t->release = release;
	t->net = net;
	t->region = NULL;
}

int memsync_thread_start(struct memsync_thread *t, const char *fmt, ...)
{
	char name[TASK_COMM_LEN];
	struct task_struct *task;
	va_list args;

	va_start(args, fmt);
	vsnprintf(name, sizeof(name), fmt, args);
	va_end(args);

	task = kthread_create(thread_main, t, "%s", name);
	if (IS_ERR(task))
		return PTR_ERR(task);
	t->task = get_task_struct(task);

	spin_lock(&lock);
	if (closing) {
		spin_unlock(&lock);
		kthread_stop(task);
		put_task_struct(task);
		return -ESHUTDOWN;
	}
	list_add_tail(&t->node, &threads);
	spin_unlock(&lock);
	wake_up_process(task);
	return 0;
}

void memsync_thread_stop(struct memsync_thread *t)
{
	WRITE_ONCE(t->stop, true);
	/* Heard only where a fault in somebody's memory may wait for ever. */
	if (t->task)
		send_sig(SIGKILL, t->task, 1);
	wake_up_all(&t->wq);
}

void memsync_thread_set_region(struct memsync_thread *t, struct memsync_region *region)
{
	spin_lock(&lock);
	t->region = region;
	spin_unlock(&lock);
}

/* NULL matches everything. */
static bool matches(struct net *net, struct memsync_region *region, struct net *of_net,
		    struct memsync_region *of_region)
{
	return (!net || of_net == net) && (!region || of_region == region);
}

/* Returns whether there are any that match. */
static bool stop_matching(struct net *net, struct memsync_region *region)
{
	struct memsync_thread *t;
	bool found;

	spin_lock(&lock);
	found = reaping.busy && matches(net, region, reaping.net, reaping.region);
	list_for_each_entry(t, &threads, node) {
		if (!matches(net, region, t->net, t->region))
			continue;
		memsync_thread_stop(t);
		found = true;
	}
	spin_unlock(&lock);
	return found;
}

/* Told again and again, since one that was not to be killed a moment ago may be by now. */
static void stop_all(struct net *net, struct memsync_region *region)
{
	while (!wait_event_timeout(released, !stop_matching(net, region), HZ))
		;
}

void memsync_threads_stop_region(struct memsync_region *region)
{
	stop_all(NULL, region);
}

void memsync_threads_stop_net(struct net *net)
{
	stop_all(net, NULL);
}

int memsync_threads_init(void)
{
	closing = false;
	memsync_thread_wq = alloc_ordered_workqueue("memsync_reap", 0);
	return memsync_thread_wq ? 0 : -ENOMEM;
}

void memsync_threads_exit(void)
{
	spin_lock(&lock);
	closing = true;
	spin_unlock(&lock);
	stop_all(NULL, NULL);
	destroy_workqueue(memsync_thread_wq);
}
