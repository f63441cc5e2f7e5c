/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMSYNC_COMPAT_NET_GENETLINK_H
#define _MEMSYNC_COMPAT_NET_GENETLINK_H

#include <linux/version.h>
#include_next <net/genetlink.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)

/* A dump knew its attributes only; what else there is comes from the callback. */
#define genl_info_dump(cb) (&(const struct genl_info){	\
	.snd_seq = (cb)->nlh->nlmsg_seq,		\
	.snd_portid = NETLINK_CB((cb)->skb).portid,	\
	.attrs = genl_dumpit_info(cb)->attrs,		\
	.extack = (cb)->extack,				\
})

#endif

#endif /* _MEMSYNC_COMPAT_NET_GENETLINK_H */
