/* SPDX-License-Identifier: GPL-2.0 */
/*
 * NL_SET_ERR_MSG_FMT() came with 6.2. Before, an extended ACK only points at
 * its text, and the ack is built when the handler has returned; the start of a
 * dump had none at all. So whoever calls a handler lends a buffer with
 * nl_extack_lend(), and nl_extack_reclaim() sends the ack while the buffer is
 * still there. Newer kernels need neither.
 */
#ifndef _MEMSYNC_COMPAT_LINUX_NETLINK_H
#define _MEMSYNC_COMPAT_LINUX_NETLINK_H

#include_next <linux/netlink.h>

#ifndef NL_SET_ERR_MSG_FMT

#define NETLINK_MAX_FMTMSG_LEN	80

/* Kept in the cookie's bytes; with cookie_len 0 they are not sent. */
static inline char *nl_extack_buf(const struct netlink_ext_ack *extack)
{
	char *buf;

	BUILD_BUG_ON(sizeof(buf) > sizeof(extack->cookie));
	memcpy(&buf, extack->cookie, sizeof(buf));
	return extack->cookie_len ? NULL : buf;
}

static inline void nl_extack_lend(struct netlink_ext_ack *extack, char *buf)
{
	memcpy(extack->cookie, &buf, sizeof(buf));
}

static inline int nl_extack_reclaim(struct sk_buff *skb, const struct nlmsghdr *nlh, int err,
				    struct netlink_ext_ack *extack)
{
	const char *buf = nl_extack_buf(extack);

	nl_extack_lend(extack, NULL);
	if (!err && buf && extack->_msg == buf)
		extack->_msg = NULL;	/* nothing may point at it from here on */
	if (!err || !buf)
		return err;
	netlink_ack(skb, (struct nlmsghdr *)nlh, err, extack);
	return -EINTR;	/* the core's "answered already" */
}

/* Texts go with errors. Without a buffer there is none. */
#define NL_SET_ERR_MSG_FMT(extack, fmt, args...) do {			\
	struct netlink_ext_ack *__extack = (extack);			\
	char *__buf = __extack ? nl_extack_buf(__extack) : NULL;	\
									\
	if (!__buf)							\
		break;							\
	snprintf(__buf, NETLINK_MAX_FMTMSG_LEN, fmt, ##args);		\
	do_trace_netlink_extack(__buf);					\
	__extack->_msg = __buf;						\
} while (0)

#define NL_SET_ERR_MSG_ATTR_FMT(extack, attr, fmt, args...) do {	\
	struct netlink_ext_ack *__ack = (extack);			\
									\
	NL_SET_ERR_MSG_FMT(__ack, fmt, ##args);				\
	NL_SET_BAD_ATTR(__ack, attr);					\
} while (0)

#else /* NL_SET_ERR_MSG_FMT */

static inline void nl_extack_lend(struct netlink_ext_ack *extack, char *buf)
{
}

static inline int nl_extack_reclaim(struct sk_buff *skb, const struct nlmsghdr *nlh, int err,
				    struct netlink_ext_ack *extack)
{
	return err;
}

#endif /* NL_SET_ERR_MSG_FMT */

#endif /* _MEMSYNC_COMPAT_LINUX_NETLINK_H */
