// SPDX-License-Identifier: GPL-2.0
/*
 * memsync: listeners, one thread each, and what they accept.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/mutex.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include "conn.h"

#define MAX_LISTENERS	64	/* of one network namespace */

/**
 * struct memsync_listener - one address that is listened at
 * @thread: accepts
 * @tcp: the listening socket
 * @node: on the list of all; off it once it is to go
 * @addr: the address
 * @plaintext: it takes plain connections off loopback
 * @gone: completed at its release, if somebody waits
 */
struct memsync_listener {
	struct memsync_thread thread;
	struct memsync_tcp tcp;
	struct list_head node;
	struct sockaddr_storage addr;
	bool plaintext;
	struct completion *gone;
};

static DEFINE_MUTEX(lock);	/* protects the list; outside the socket locks */
static LIST_HEAD(listeners);

static void run(struct memsync_thread *thread)
{
	struct memsync_listener *l = container_of(thread, struct memsync_listener, thread);
	struct socket *sock;
	int err;

	while (!memsync_thread_stopping(thread)) {
		err = memsync_tcp_accept(&l->tcp, &sock);
		if (!err)
			memsync_conn_start(sock, thread->net, l->plaintext);
		else if (err != -ESHUTDOWN)
			/* out of memory or files, or the connection went while it waited */
			schedule_timeout_interruptible(HZ / 10);
	}
	memsync_tcp_close(&l->tcp, 0);
}

static void release(struct memsync_thread *thread)
{
	struct memsync_listener *l = container_of(thread, struct memsync_listener, thread);

	if (l->gone)
		complete(l->gone);
	kfree(l);
}

static struct memsync_listener *find(struct net *net, const struct sockaddr_storage *addr)
{
	struct memsync_listener *l;

	lockdep_assert_held(&lock);
	list_for_each_entry(l, &listeners, node)
		if (l->thread.net == net && memsync_addr_equal(&l->addr, addr))
			return l;
	return NULL;
}

static unsigned int count(struct net *net)
{
	struct memsync_listener *l;
	unsigned int n = 0;

	lockdep_assert_held(&lock);
	list_for_each_entry(l, &listeners, node)
		n += l->thread.net == net;
	return n;
}

static int check(struct net *net, const struct sockaddr_storage *addr, bool plaintext,
		 struct netlink_ext_ack *extack)
{
	if (!plaintext && !memsync_addr_loopback(addr)) {
		NL_SET_ERR_MSG(extack, "listening off loopback needs TLS, or plaintext allowed");
		return -EPERM;
	}
	if (find(net, addr)) {
		NL_SET_ERR_MSG(extack, "listening there already");
		return -EEXIST;
	}
	if (count(net) >= MAX_LISTENERS) {
		NL_SET_ERR_MSG(extack, "too many listeners");
		return -ENOSPC;
	}
	return 0;
}

static int start(struct memsync_listener *l, struct netlink_ext_ack *extack)
{
	int err;

	err = memsync_tcp_listen(&l->tcp, l->thread.net, &l->addr);
	if (err) {
		if (err == -EADDRINUSE)
			NL_SET_ERR_MSG(extack, "address in use");
		else if (err == -EADDRNOTAVAIL)
			NL_SET_ERR_MSG(extack, "not an address of this host");
		else
			NL_SET_ERR_MSG(extack, "cannot listen there");
		return err;
	}
	err = memsync_thread_start(&l->thread, "memsync/listen");
	if (err) {
		memsync_tcp_close(&l->tcp, 0);
		return err;
	}
	list_add_tail(&l->node, &listeners);
	return 0;
}

int memsync_listener_add(struct net *net, const struct sockaddr_storage *addr, bool plaintext,
			 struct netlink_ext_ack *extack)
{
	struct memsync_listener *l;
	int err;

	l = kzalloc(sizeof(*l), GFP_KERNEL);
	if (!l)
		return -ENOMEM;
	l->addr = *addr;
	l->plaintext = plaintext;
	l->tcp.owner = &l->thread;
	memsync_thread_init(&l->thread, net, run, release);

	mutex_lock(&lock);
	err = check(net, addr, plaintext, extack) ?: start(l, extack);
	mutex_unlock(&lock);
	if (err)
		kfree(l);
	return err;
}

int memsync_listener_del(struct net *net, const struct sockaddr_storage *addr,
			 struct netlink_ext_ack *extack)
{
	DECLARE_COMPLETION_ONSTACK(gone);
	struct memsync_listener *l;

	mutex_lock(&lock);
	l = find(net, addr);
	if (l) {
		list_del(&l->node);
		l->gone = &gone;
		memsync_thread_stop(&l->thread);
	}
	mutex_unlock(&lock);
	if (!l) {
		NL_SET_ERR_MSG(extack, "nobody listens there");
		return -ENOENT;
	}
	/* the address can be used again when this returns */
	wait_for_completion(&gone);
	return 0;
}

bool memsync_listener_info(struct net *net, unsigned int index, struct memsync_listener_info *info)
{
	struct memsync_listener *l;
	bool found = false;

	mutex_lock(&lock);
	list_for_each_entry(l, &listeners, node) {
		if (l->thread.net != net || index--)
			continue;
		info->addr = l->addr;
		info->plaintext = l->plaintext;
		found = true;
		break;
	}
	mutex_unlock(&lock);
	return found;
}

static void unlist(struct net *net)
{
	struct memsync_listener *l, *next;

	mutex_lock(&lock);
	list_for_each_entry_safe(l, next, &listeners, node) {
		if (net && l->thread.net != net)
			continue;
		list_del(&l->node);
		memsync_thread_stop(&l->thread);
	}
	mutex_unlock(&lock);
}

void memsync_listener_stop_net(struct net *net)
{
	unlist(net);
	memsync_threads_stop_net(net);
}

void memsync_listeners_exit(void)
{
	unlist(NULL);
}
