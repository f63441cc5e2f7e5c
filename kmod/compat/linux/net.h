/* SPDX-License-Identifier: GPL-2.0 */
/*
 * MSG_SPLICE_PAGES came with 6.5 and replaced sendpage. Before, a message of
 * pages is handed over one stretch at a time.
 */
#ifndef _MEMSYNC_COMPAT_LINUX_NET_H
#define _MEMSYNC_COMPAT_LINUX_NET_H

#include_next <linux/net.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#include <linux/bvec.h>
#include <linux/uio.h>

#define MSG_SPLICE_PAGES	0x8000000

/* The iterator is not moved: callers send a copy and look at the result. */
static inline int memsync_splice_pages(struct socket *sock, struct msghdr *msg)
{
	int flags = msg->msg_flags & ~MSG_SPLICE_PAGES;
	const struct bio_vec *bv = msg->msg_iter.bvec;
	size_t left = iov_iter_count(&msg->msg_iter);
	size_t skip = msg->msg_iter.iov_offset;
	int done = 0;

	while (left) {
		size_t len = min_t(size_t, left, bv->bv_len - skip);
		int n;

		n = kernel_sendpage(sock, bv->bv_page, bv->bv_offset + skip, len,
				    flags | (len < left ? MSG_SENDPAGE_NOTLAST : 0));
		if (n <= 0)
			return done ?: n;
		done += n;
		left -= n;
		if (n < len)
			break;
		skip = 0;
		bv++;
	}
	return done;
}

static inline int memsync_sock_sendmsg(struct socket *sock, struct msghdr *msg)
{
	if (msg->msg_flags & MSG_SPLICE_PAGES)
		return memsync_splice_pages(sock, msg);
	return sock_sendmsg(sock, msg);
}

#define sock_sendmsg memsync_sock_sendmsg
#endif

#endif /* _MEMSYNC_COMPAT_LINUX_NET_H */
