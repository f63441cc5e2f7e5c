// SPDX-License-Identifier: GPL-2.0
/*
 * memsync: kernel sockets, from being made to being closed.
 *
 * They do not hold their network namespace: a namespace that goes ends its
 * sessions first. So no socket may live on by itself after it was closed:
 * what is left to be sent then is given up with a reset.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/file.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/lockdep.h>
#include <linux/net.h>
#include <linux/sizes.h>
#include <linux/uio.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include <net/tcp.h>
#include "tcp.h"

/* TCP's share of the receive buffer goes to skb overhead, more so for small segments. */
#define RCVBUF		(4 << 20)
#define SNDBUF		MEMSYNC_TCP_IN_FLIGHT

static struct lock_class_key lock_key[2];

/*
 * The sink's pages fault in under the socket lock. A fault may lead to other
 * kernel sockets, those of a network file system: they are not of our class.
 * The spin lock below keeps its own, since an interrupt may be about to take it.
 */
static void classify(struct sock *sk)
{
	bool v6 = sk->sk_family == AF_INET6;

	lockdep_init_map(&sk->sk_lock.dep_map, "sk_lock-memsync", &lock_key[v6], 0);
}

static int wake_owner(wait_queue_entry_t *entry, unsigned int mode, int sync, void *key)
{
	struct memsync_tcp *tcp = container_of(entry, struct memsync_tcp, poll);

	wake_up_all(&tcp->owner->wq);
	return 0;
}

void memsync_tcp_adopt(struct memsync_tcp *tcp, struct socket *sock)
{
	struct sock *sk = sock->sk;

	tcp->sock = sock;
	tcp->tx_seq = 0;
	tcp->rx_seq = 0;
	tcp->sent = jiffies;
	tcp->heard = jiffies;
	tcp->rcv_nxt = 0;
	tcp->need = sizeof(__le32);	/* the first frame's magic */
	tcp->has_head = false;
	tcp->started = 0;
	tcp->broken = false;

	/* urgent data is data; it would otherwise be left out of the stream */
	lock_sock(sk);
	sock_set_flag(sk, SOCK_URGINLINE);
	release_sock(sk);

	init_waitqueue_func_entry(&tcp->poll, wake_owner);
	add_wait_queue(sk_sleep(sk), &tcp->poll);
}

static int create(struct memsync_tcp *tcp, struct net *net, int family)
{
	struct socket *sock;
	int err;

	err = sock_create_kern(net, family, SOCK_STREAM, IPPROTO_TCP, &sock);
	if (err)
		return err;
	classify(sock->sk);
	memsync_tcp_adopt(tcp, sock);
	return 0;
}

static int addr_len(const struct sockaddr_storage *addr)
{
	return addr->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
					     sizeof(struct sockaddr_in);
}

static bool connecting(struct sock *sk)
{
	return (1 << READ_ONCE(sk->sk_state)) & (TCPF_SYN_SENT | TCPF_SYN_RECV);
}

static int await_connection(struct memsync_tcp *tcp, struct sockaddr_storage *addr)
{
	struct sock *sk = tcp->sock->sk;

	wait_event_interruptible_timeout(tcp->owner->wq,
					 !connecting(sk) || memsync_thread_stopping(tcp->owner),
					 MEMSYNC_TCP_CONNECT);
	if (memsync_thread_stopping(tcp->owner))
		return -ESHUTDOWN;
	if (connecting(sk))
		return -ETIMEDOUT;
	/* the second call collects the result */
	return kernel_connect(tcp->sock, (struct sockaddr_unsized *)addr, addr_len(addr),
			      O_NONBLOCK);
}

int memsync_tcp_connect(struct memsync_tcp *tcp, struct net *net,
			const struct sockaddr_storage *addr)
{
	struct sockaddr_storage to = *addr;	/* filters may rewrite it */
	int err;

	err = create(tcp, net, addr->ss_family);
	if (err)
		return err;
	tcp_sock_set_nodelay(tcp->sock->sk);

	err = kernel_connect(tcp->sock, (struct sockaddr_unsized *)&to, addr_len(&to), O_NONBLOCK);
	if (err == -EINPROGRESS)
		err = await_connection(tcp, &to);
	if (err)
		memsync_tcp_close(tcp, 0);
	else
		tcp->heard = jiffies;
	return err;
}

int memsync_tcp_listen(struct memsync_tcp *tcp, struct net *net,
		       const struct sockaddr_storage *addr)
{
	struct sockaddr_storage at = *addr;
	int err;

	err = create(tcp, net, addr->ss_family);
	if (err)
		return err;
	sock_set_reuseaddr(tcp->sock->sk);
	if (addr->ss_family == AF_INET6) {
		/* each family has a listener of its own */
		lock_sock(tcp->sock->sk);
		tcp->sock->sk->sk_ipv6only = true;
		release_sock(tcp->sock->sk);
	}

	err = kernel_bind(tcp->sock, (struct sockaddr_unsized *)&at, addr_len(&at));
	if (!err)
		err = kernel_listen(tcp->sock, 128);
	if (err)
		memsync_tcp_close(tcp, 0);
	return err;
}

int memsync_tcp_accept(struct memsync_tcp *listener, struct socket **sock)
{
	struct memsync_thread *owner = listener->owner;
	struct inet_connection_sock *icsk = inet_csk(listener->sock->sk);
	int err;

	for (;;) {
		wait_event_interruptible(owner->wq, !reqsk_queue_empty(&icsk->icsk_accept_queue) ||
					 memsync_thread_stopping(owner));
		if (memsync_thread_stopping(owner))
			return -ESHUTDOWN;
		err = kernel_accept(listener->sock, sock, O_NONBLOCK);
		if (err != -EAGAIN)
			break;
	}
	if (err)
		return err;

	classify((*sock)->sk);
	tcp_sock_set_nodelay((*sock)->sk);
	/* notices a dead source even while nothing is read */
	tcp_sock_set_user_timeout((*sock)->sk, jiffies_to_msecs(MEMSYNC_TCP_SILENCE));
	return 0;
}

void memsync_tcp_widen(struct memsync_tcp *tcp)
{
	struct sock *sk = tcp->sock->sk;

	sock_set_rcvbuf(sk, RCVBUF);
	lock_sock(sk);
	/* autotuning rests now, so the window is ours to open */
	WRITE_ONCE(tcp_sk(sk)->window_clamp, tcp_full_space(sk));
	sk->sk_userlocks |= SOCK_SNDBUF_LOCK;
	WRITE_ONCE(sk->sk_sndbuf, SNDBUF);
	release_sock(sk);
}

/* What the peer still sends is read and dropped, or its reset would hide our last words. */
static void drain(struct memsync_tcp *tcp, unsigned long grace)
{
	unsigned long end = jiffies + grace;

	kernel_sock_shutdown(tcp->sock, SHUT_WR);
	memsync_tcp_want(tcp, 1);
	while (!memsync_tcp_closed(tcp) && time_before(jiffies, end)) {
		struct kvec nowhere = { .iov_len = SZ_1M };
		struct msghdr msg = {};

		iov_iter_kvec(&msg.msg_iter, ITER_DEST, &nowhere, 1, nowhere.iov_len);
		sock_recvmsg(tcp->sock, &msg, MSG_DONTWAIT | MSG_TRUNC);
		wait_event_interruptible_timeout(tcp->owner->wq, memsync_tcp_readable(tcp),
						 HZ / 20);
	}
}

void memsync_tcp_close(struct memsync_tcp *tcp, unsigned long grace)
{
	if (!tcp->sock)
		return;
	if (grace)
		drain(tcp, grace);
	remove_wait_queue(sk_sleep(tcp->sock->sk), &tcp->poll);
	sock_no_linger(tcp->sock->sk);
	sock_release(tcp->sock);
	tcp->sock = NULL;
}

void memsync_tcp_want(struct memsync_tcp *tcp, u32 need)
{
	struct sock *sk = tcp->sock->sk;

	if (tcp->need == need)
		return;
	tcp->need = need;
	lock_sock(sk);
	READ_ONCE(tcp->sock->ops)->set_rcvlowat(sk, need);
	release_sock(sk);
}

bool memsync_tcp_closed(struct memsync_tcp *tcp)
{
	struct sock *sk = tcp->sock->sk;

	return READ_ONCE(sk->sk_err) || (READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN) ||
	       READ_ONCE(sk->sk_state) == TCP_CLOSE;
}

int memsync_tcp_lost(struct memsync_tcp *tcp)
{
	return memsync_tcp_closed(tcp) ? sock_error(tcp->sock->sk) ?: -ENOTCONN : 0;
}

bool memsync_tcp_readable(struct memsync_tcp *tcp)
{
	return tcp_inq(tcp->sock->sk) >= tcp->need || memsync_tcp_closed(tcp);
}

bool memsync_addr_loopback(const struct sockaddr_storage *addr)
{
	struct in6_addr v6;

	memsync_addr_to_v6(addr, &v6);
	return ipv6_addr_loopback(&v6) ||
	       (ipv6_addr_v4mapped(&v6) && ipv4_is_loopback(v6.s6_addr32[3]));
}

void memsync_addr_to_v6(const struct sockaddr_storage *addr, struct in6_addr *v6)
{
	if (addr->ss_family == AF_INET6)
		*v6 = ((const struct sockaddr_in6 *)addr)->sin6_addr;
	else
		ipv6_addr_set_v4mapped(((const struct sockaddr_in *)addr)->sin_addr.s_addr, v6);
}

bool memsync_addr_equal(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)a;
	const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)b;
	struct in6_addr va, vb;

	memsync_addr_to_v6(a, &va);
	memsync_addr_to_v6(b, &vb);
	/* the port is at the same place in both families */
	return a->ss_family == b->ss_family && ipv6_addr_equal(&va, &vb) &&
	       a6->sin6_port == b6->sin6_port &&
	       (a->ss_family != AF_INET6 || a6->sin6_scope_id == b6->sin6_scope_id);
}

int memsync_tcp_peer_addr(struct memsync_tcp *tcp, struct sockaddr_storage *addr)
{
	int len;

	memset(addr, 0, sizeof(*addr));
	len = kernel_getpeername(tcp->sock, (struct sockaddr *)addr);
	return len < 0 ? len : 0;
}

bool memsync_tcp_loopback(struct memsync_tcp *tcp)
{
	struct sockaddr_storage local = {}, remote;

	return kernel_getsockname(tcp->sock, (struct sockaddr *)&local) >= 0 &&
	       !memsync_tcp_peer_addr(tcp, &remote) &&
	       memsync_addr_loopback(&local) && memsync_addr_loopback(&remote);
}

/* The other end of a connection within this host. */
static struct sock *other_end(const struct sock *sk)
{
	struct net *net = sock_net(sk);
	const struct inet_sock *inet = inet_sk(sk);

#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6 && !ipv6_addr_v4mapped(&sk->sk_v6_daddr))
		return __inet6_lookup_established(net, &sk->sk_v6_rcv_saddr, inet->inet_sport,
						  &sk->sk_v6_daddr, ntohs(inet->inet_dport),
						  LOOPBACK_IFINDEX, 0);
#endif
	return __inet_lookup_established(net, inet->inet_rcv_saddr, inet->inet_sport,
					 inet->inet_daddr, ntohs(inet->inet_dport),
					 LOOPBACK_IFINDEX, 0);
}

/* Whose it is. One that is about to be accepted is its listener's. */
static const struct sock *owner_of(struct sock *other)
{
	if (sk_fullsock(other))
		return other;
	return other->sk_state == TCP_NEW_SYN_RECV ? inet_reqsk(other)->rsk_listener : NULL;
}

/**
 * memsync_tcp_trusted - does the other end, on this host, belong to root?
 * @tcp: a connection over loopback
 *
 * Any user may connect over loopback, or listen there. The module's own
 * sockets are made by kernel threads, so they belong to root.
 *
 * Context: process. Return: 1 if so, 0 if not, -ENOTCONN if it is there no more.
 */
int memsync_tcp_trusted(struct memsync_tcp *tcp)
{
	struct sock *sk = tcp->sock->sk, *other = other_end(sk);
	const struct sock *owner;
	int ret = -ENOTCONN;

	if (!other)
		return ret;
	owner = owner_of(other);
	if (owner)
		ret = uid_eq(owner->sk_uid, GLOBAL_ROOT_UID) ||
		      uid_eq(owner->sk_uid, make_kuid(sock_net(sk)->user_ns, 0));
	sock_gen_put(other);
	return ret;
}

const char *memsync_tcp_strerror(int err)
{
	switch (err) {
	case -ECONNREFUSED:
		return "connection refused: nobody listens there";
	case -ETIMEDOUT:
		return "no answer";
	case -EHOSTUNREACH:
		return "host unreachable";
	case -ENETUNREACH:
		return "network unreachable";
	case -ENETDOWN:
		return "network is down";
	case -EADDRNOTAVAIL:
		return "address not available";
	case -ECONNRESET:
		return "connection reset by the peer";
	case -ENOTCONN:
	case -EPIPE:
		return "connection closed by the peer";
	case -ESHUTDOWN:
		return "stopped";
	case -ENOMEM:
	case -ENOBUFS:
		return "out of memory";
	case -EACCES:
	case -EPERM:
		return "the network does not permit the connection";
	default:
		return "network error";
	}
}
