// SPDX-License-Identifier: LGPL-2.1-or-later
/* One request and its answers. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include <linux/netlink.h>
#include <netlink/errno.h>
#include <netlink/genl/genl.h>

#include "internal.h"

struct exchange {
	struct memsync *ms;
	const struct nlmsghdr *request;
	ms_reply_fn fn;
	void *arg;
	int err;
	bool done;
};

static const struct {
	int nl;
	int err;
} errors[] = {
	{ NLE_OBJ_NOTFOUND, ENOENT },
	{ NLE_NOMEM, ENOMEM },
	{ NLE_PERM, EPERM },
	{ NLE_NOACCESS, EACCES },
	{ NLE_AGAIN, EAGAIN },
	{ NLE_INTR, EINTR },
	{ NLE_BUSY, EBUSY },
	{ NLE_OPNOTSUPP, EOPNOTSUPP },
	{ NLE_AF_NOSUPPORT, EAFNOSUPPORT },
	{ NLE_MSGSIZE, EMSGSIZE },
	{ NLE_INVAL, EINVAL },
};

int ms_from_nl(int nl_error)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(errors); i++)
		if (errors[i].nl == -nl_error)
			return -errors[i].err;
	return -EPROTO;
}

struct nl_msg *ms_msg(struct memsync *ms, int cmd, int flags)
{
	struct nl_msg *msg = nlmsg_alloc();

	if (!msg)
		return NULL;
	if (!genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, ms->family, 0, flags, cmd,
			 MEMSYNC_GENL_VERSION)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

struct nl_msg *ms_region_msg(struct memsync *ms, int cmd, int flags, uint32_t id)
{
	struct nl_msg *msg = ms_msg(ms, cmd, flags);

	if (msg)
		nla_put_u32(msg, MEMSYNC_A_ID, id);
	return msg;
}

int ms_full(struct memsync *ms, struct nl_msg *msg)
{
	nlmsg_free(msg);
	return ms_fail(ms, -EMSGSIZE, "the request is too long");
}

/* A request that could not be sent, or an answer that was not read, leaves a gap. */
static int on_seq(struct nl_msg *msg, void *arg)
{
	const struct exchange *x = arg;

	return nlmsg_hdr(msg)->nlmsg_seq == x->request->nlmsg_seq ? NL_OK : NL_SKIP;
}

static int on_error(struct sockaddr_nl *nla, struct nlmsgerr *e, void *arg)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)e - 1;
	int skip = sizeof(*e);
	struct exchange *x = arg;

	(void)nla;
	x->err = e->error;
	x->done = true;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		skip += NLMSG_ALIGN(e->msg.nlmsg_len) - sizeof(e->msg);
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS) || skip > nlmsg_datalen(nlh))
		skip = nlmsg_datalen(nlh);
	ms_extack(x->ms, e->error, (const void *)((const char *)e + skip),
		  nlmsg_datalen(nlh) - skip, x->request);
	return NL_STOP;
}

static int on_ack(struct nl_msg *msg, void *arg)
{
	struct exchange *x = arg;

	(void)msg;
	x->done = true;
	return NL_STOP;
}

/* The end of a dump carries its error, which libnl leaves unread. */
static int on_finish(struct nl_msg *msg, void *arg)
{
	const struct nlmsghdr *nlh = nlmsg_hdr(msg);
	int skip = NLMSG_ALIGN(sizeof(int));
	struct exchange *x = arg;

	x->done = true;
	if (nlmsg_datalen(nlh) < (int)sizeof(int))
		return NL_STOP;
	if (x->err)
		return NL_STOP;
	memcpy(&x->err, nlmsg_data(nlh), sizeof(int));
	if (x->err >= 0) {
		x->err = 0;
		return NL_STOP;
	}
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		skip = nlmsg_datalen(nlh);
	ms_extack(x->ms, x->err, (const void *)((const char *)nlmsg_data(nlh) + skip),
		  nlmsg_datalen(nlh) - skip, x->request);
	return NL_STOP;
}

static int on_valid(struct nl_msg *msg, void *arg)
{
	struct exchange *x = arg;

	if (x->err || !x->fn)
		return NL_OK;
	x->err = x->fn(nlmsg_hdr(msg), x->arg);
	if (x->err)
		ms_fail(x->ms, x->err, "the module's answer could not be read: %s",
			strerror(-x->err));
	return NL_OK;
}

/* The rest of an answer whose reading failed: no other dump begins before its end. */
static void drain(struct exchange *x, struct nl_cb *cb)
{
	struct pollfd fd = { .fd = nl_socket_get_fd(x->ms->sk), .events = POLLIN };
	int tries;

	x->fn = NULL;
	for (tries = 0; tries < 100 && !x->done && poll(&fd, 1, 0) == 1; tries++)
		nl_recvmsgs(x->ms->sk, cb);
}

static int receive(struct exchange *x)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int err = 0;

	if (!cb)
		return ms_fail(x->ms, -ENOMEM, "out of memory");
	nl_cb_set(cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, on_seq, x);
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, x);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, x);
	nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_finish, x);
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, x);
	while (!x->done && err >= 0)
		err = nl_recvmsgs(x->ms->sk, cb);
	if (err < 0 && err != -NLE_DUMP_INTR && !x->done) {
		drain(x, cb);
		x->err = ms_fail(x->ms, ms_from_nl(err), "reading from the module: %s",
				 nl_geterror(err));
	}
	nl_cb_put(cb);
	return err == -NLE_DUMP_INTR ? -EAGAIN : x->err;
}

int ms_exchange(struct memsync *ms, struct nl_msg *msg, ms_reply_fn fn, void *arg)
{
	struct exchange x = { .ms = ms, .fn = fn, .arg = arg };
	int err;

	if (!msg)
		return ms_fail(ms, -ENOMEM, "out of memory");
	x.request = nlmsg_hdr(msg);
	err = nl_send_auto(ms->sk, msg);
	if (err < 0)
		err = ms_fail(ms, ms_from_nl(err), "asking the module: %s", nl_geterror(err));
	else
		err = receive(&x);
	nlmsg_free(msg);
	return err;
}

int ms_do(struct memsync *ms, struct nl_msg *msg)
{
	return ms_exchange(ms, msg, NULL, NULL);
}
