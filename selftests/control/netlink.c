// SPDX-License-Identifier: GPL-2.0
/* Messages that no well-behaved program sends: each gets an error, a reason, no effect. */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"

/* A message being put together, and the answer to it. */
struct message {
	struct nlmsghdr nlh;
	struct genlmsghdr genl;
	unsigned char payload[65536];
};

struct answer {
	int err;		/* positive, 0: acknowledged */
	char text[256];		/* of the extended ACK */
	uint32_t attr;		/* offset of the attribute it is about, 0: none */
	uint32_t missing;	/* type of the attribute that is missing */
};

FIXTURE(netlink) {
	struct memsync *ms;
	int fd;
	uint16_t family;
	struct message msg;
	struct answer answer;
	unsigned char *area;
};

/* ---- messages ---- */

static void begin(struct message *m, uint16_t family, uint8_t cmd, uint16_t flags)
{
	memset(m, 0, sizeof(m->nlh) + sizeof(m->genl));
	m->nlh.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN);
	m->nlh.nlmsg_type = family;
	m->nlh.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	m->nlh.nlmsg_seq = 1;
	m->genl.cmd = cmd;
	m->genl.version = MEMSYNC_GENL_VERSION;
}

static struct nlattr *put(struct message *m, uint16_t type, const void *data, uint16_t length)
{
	struct nlattr *attr = (void *)m + NLMSG_ALIGN(m->nlh.nlmsg_len);

	attr->nla_type = type;
	attr->nla_len = NLA_HDRLEN + length;
	memset((void *)attr + NLA_HDRLEN, 0, NLA_ALIGN(length));
	if (length)
		memcpy((void *)attr + NLA_HDRLEN, data, length);
	m->nlh.nlmsg_len = NLMSG_ALIGN(m->nlh.nlmsg_len) + NLA_ALIGN(attr->nla_len);
	return attr;
}

static void put_u32(struct message *m, uint16_t type, uint32_t value)
{
	put(m, type, &value, sizeof(value));
}

static void put_u64(struct message *m, uint16_t type, uint64_t value)
{
	put(m, type, &value, sizeof(value));
}

static void put_name(struct message *m, const char *name)
{
	put(m, MEMSYNC_A_NAME, name, strlen(name) + 1);
}

/* ---- answers ---- */

static void take_ack(struct answer *a, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *err = NLMSG_DATA(nlh);
	size_t skip = sizeof(*err);
	const struct nlattr *attr;

	a->err = -err->error;
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		skip += NLMSG_ALIGN(err->msg.nlmsg_len) - sizeof(err->msg);
	attr = (void *)err + skip;
	while ((void *)attr + NLA_HDRLEN <= (void *)nlh + nlh->nlmsg_len) {
		const void *data = (void *)attr + NLA_HDRLEN;

		switch (attr->nla_type & NLA_TYPE_MASK) {
		case NLMSGERR_ATTR_MSG:
			snprintf(a->text, sizeof(a->text), "%s", (const char *)data);
			break;
		case NLMSGERR_ATTR_OFFS:
			a->attr = *(const uint32_t *)data;
			break;
		case NLMSGERR_ATTR_MISS_TYPE:
			a->missing = *(const uint32_t *)data;
			break;
		}
		attr = (void *)attr + NLA_ALIGN(attr->nla_len);
	}
}

/* Sends, and reads until the kernel's answer, or the end of a dump. */
static int talk(int fd, struct message *m, struct answer *a)
{
	static unsigned char buf[65536] __attribute__((aligned(8)));

	memset(a, 0, sizeof(*a));
	if (send(fd, m, m->nlh.nlmsg_len, 0) < 0)
		return -errno;
	for (;;) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);
		struct nlmsghdr *nlh = (void *)buf;

		if (n < 0)
			return -errno;
		for (; NLMSG_OK(nlh, (size_t)n); nlh = NLMSG_NEXT(nlh, n)) {
			if (nlh->nlmsg_type == NLMSG_ERROR) {
				take_ack(a, nlh);
				return a->err;
			}
			if (nlh->nlmsg_type == NLMSG_DONE) {
				a->err = -*(int *)NLMSG_DATA(nlh);
				return a->err;
			}
		}
	}
}

static uint16_t find_family(int fd)
{
	static struct message m;
	const struct nlattr *attr;
	uint16_t family = 0;
	ssize_t n, at;

	begin(&m, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	m.nlh.nlmsg_flags &= ~NLM_F_ACK;
	m.genl.version = 1;
	put(&m, CTRL_ATTR_FAMILY_NAME, MEMSYNC_GENL_NAME, sizeof(MEMSYNC_GENL_NAME));
	if (send(fd, &m, m.nlh.nlmsg_len, 0) < 0)
		return 0;
	n = recv(fd, &m, sizeof(m), 0);
	if (n < 0 || m.nlh.nlmsg_type != GENL_ID_CTRL)
		return 0;
	for (at = NLMSG_LENGTH(GENL_HDRLEN); at < n; at += NLA_ALIGN(attr->nla_len)) {
		attr = (void *)&m + at;
		if (attr->nla_type == CTRL_ATTR_FAMILY_ID)
			memcpy(&family, (void *)attr + NLA_HDRLEN, sizeof(family));
	}
	return family;
}

static int open_netlink(void)
{
	int one = 1, fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);

	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	return fd;
}

FIXTURE_SETUP(netlink)
{
	ASSERT_OK(pair_net(&self->ms));
	self->fd = open_netlink();
	ASSERT_LE(0, self->fd);
	self->family = find_family(self->fd);
	ASSERT_NE(0, self->family);
	self->area = memory_new(MIB);
	memory_fill(self->area, MIB, 1);
}

static int count_region(const struct memsync_region *region, void *arg)
{
	++*(unsigned int *)arg;
	return 0;
}

static unsigned int nr_regions(struct memsync *ms)
{
	unsigned int nr = 0;

	memsync_dump_regions(ms, count_region, &nr);
	return nr;
}

FIXTURE_TEARDOWN(netlink)
{
	close(self->fd);
	memsync_close(self->ms);
}

#define BEGIN(cmd)	begin(&self->msg, self->family, cmd, 0)
#define TALK()		talk(self->fd, &self->msg, &self->answer)

/* An error with a reason. */
#define EXPECT_ANSWER(expected) do {					\
	int __err = TALK();						\
	EXPECT_EQ(expected, __err);					\
	if (__err && !self->answer.text[0])				\
		TH_LOG("no reason given with error %d", __err);		\
	if (__err)							\
		EXPECT_NE(0, self->answer.text[0]);			\
} while (0)

static void begin_region_new(struct message *m, uint16_t family, const char *name)
{
	begin(m, family, MEMSYNC_CMD_REGION_NEW, 0);
	if (name)
		put_name(m, name);
}

static void full_region_new(struct message *m, uint16_t family, const char *name)
{
	begin_region_new(m, family, name);
	put_u32(m, MEMSYNC_A_ROLE, MEMSYNC_ROLE_SOURCE);
	put_u32(m, MEMSYNC_A_PID, getpid());
}

TEST_F(netlink, well_formed)
{
	full_region_new(&self->msg, self->family, "t");
	EXPECT_EQ(0, TALK());
	BEGIN(MEMSYNC_CMD_RANGE_ADD);
	put_name(&self->msg, "t");
	put_u64(&self->msg, MEMSYNC_A_START, (uintptr_t)self->area);
	put_u64(&self->msg, MEMSYNC_A_END, (uintptr_t)self->area + MIB);
	EXPECT_EQ(0, TALK());
	BEGIN(MEMSYNC_CMD_REGION_START);
	put_name(&self->msg, "t");
	EXPECT_EQ(0, TALK());
	BEGIN(MEMSYNC_CMD_REGION_DEL);
	put_name(&self->msg, "t");
	EXPECT_EQ(0, TALK());
	EXPECT_EQ(0, nr_regions(self->ms));
}

TEST_F(netlink, missing)
{
	begin_region_new(&self->msg, self->family, NULL);
	EXPECT_ANSWER(EINVAL);
	begin_region_new(&self->msg, self->family, "t");
	EXPECT_ANSWER(EINVAL);
	begin_region_new(&self->msg, self->family, "t");
	put_u32(&self->msg, MEMSYNC_A_ROLE, MEMSYNC_ROLE_SOURCE);
	EXPECT_ANSWER(EINVAL);
	EXPECT_EQ(MEMSYNC_A_PID, self->answer.missing);
	EXPECT_EQ(0, nr_regions(self->ms));

	full_region_new(&self->msg, self->family, "t");
	ASSERT_EQ(0, TALK());
	BEGIN(MEMSYNC_CMD_RANGE_ADD);
	put_name(&self->msg, "t");
	EXPECT_ANSWER(EINVAL);
	BEGIN(MEMSYNC_CMD_RANGE_ADD);
	put_name(&self->msg, "t");
	put_u64(&self->msg, MEMSYNC_A_START, (uintptr_t)self->area);
	EXPECT_ANSWER(EINVAL);
	BEGIN(MEMSYNC_CMD_PEER_ADD);
	put_name(&self->msg, "t");
	EXPECT_ANSWER(EINVAL);
	BEGIN(MEMSYNC_CMD_LISTENER_NEW);
	EXPECT_ANSWER(EINVAL);
}

/* No operation on a region does anything without one. */
TEST_F(netlink, no_region_named)
{
	static const uint8_t cmds[] = {
		MEMSYNC_CMD_REGION_DEL, MEMSYNC_CMD_REGION_SET, MEMSYNC_CMD_REGION_START,
		MEMSYNC_CMD_REGION_GET, MEMSYNC_CMD_RANGE_ADD, MEMSYNC_CMD_PEER_ADD,
		MEMSYNC_CMD_PEER_DEL, MEMSYNC_CMD_BARRIER_START, MEMSYNC_CMD_VERIFY_START,
		MEMSYNC_CMD_HOLD, MEMSYNC_CMD_RELEASE, MEMSYNC_CMD_REFUSE,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		BEGIN(cmds[i]);
		EXPECT_ANSWER(EINVAL);
		BEGIN(cmds[i]);
		put_name(&self->msg, "nobody");
		EXPECT_ANSWER(ENOENT);
		BEGIN(cmds[i]);
		put_u32(&self->msg, MEMSYNC_A_ID, 12345678);
		EXPECT_ANSWER(ENOENT);
		BEGIN(cmds[i]);
		put_u32(&self->msg, MEMSYNC_A_ID, 0);
		EXPECT_NE(0, TALK());
		BEGIN(cmds[i]);
		put_u32(&self->msg, MEMSYNC_A_ID, 12345678);
		put_name(&self->msg, "nobody");
		EXPECT_ANSWER(EINVAL);
	}
}

TEST_F(netlink, short)
{
	uint16_t types[] = { MEMSYNC_A_ROLE, MEMSYNC_A_PID, MEMSYNC_A_PID_START, MEMSYNC_A_FLAGS,
			     MEMSYNC_A_INTERVAL_US, MEMSYNC_A_MAX_SIZE };
	unsigned char data[8] = { 1 };
	unsigned int i, length;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		for (length = 0; length < 4; length++) {
			full_region_new(&self->msg, self->family, "t");
			put(&self->msg, types[i], data, length);
			EXPECT_NE(0, TALK());
			EXPECT_NE(0, self->answer.text[0]);
			EXPECT_NE(0, self->answer.attr);
		}
	}
	/* A string without its end. */
	begin(&self->msg, self->family, MEMSYNC_CMD_REGION_NEW, 0);
	put(&self->msg, MEMSYNC_A_NAME, "abcd", 4);
	put_u32(&self->msg, MEMSYNC_A_ROLE, MEMSYNC_ROLE_SOURCE);
	put_u32(&self->msg, MEMSYNC_A_PID, getpid());
	EXPECT_NE(0, TALK());
	EXPECT_EQ(0, nr_regions(self->ms));
}

TEST_F(netlink, long)
{
	unsigned char data[64] = { 1 };

	full_region_new(&self->msg, self->family, "t");
	put(&self->msg, MEMSYNC_A_INTERVAL_US, data, 5);
	EXPECT_NE(0, TALK());
	full_region_new(&self->msg, self->family, "t");
	put(&self->msg, MEMSYNC_A_MAX_SIZE, data, 64);
	EXPECT_NE(0, TALK());
	EXPECT_EQ(0, nr_regions(self->ms));
}

TEST_F(netlink, unknown)
{
	unsigned char data[8] = { };
	static const uint16_t types[] = { 0, MEMSYNC_A_PAD, __MEMSYNC_A_MAX, 200, 0x3fff };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		full_region_new(&self->msg, self->family, "t");
		put(&self->msg, types[i], data, 4);
		EXPECT_NE(0, TALK());
		EXPECT_NE(0, self->answer.text[0]);
	}
	/* Known, but not here. */
	full_region_new(&self->msg, self->family, "t");
	put_u64(&self->msg, MEMSYNC_A_BARRIER_ID, 1);
	EXPECT_ANSWER(EINVAL);
	BEGIN(MEMSYNC_CMD_INFO);
	put_u32(&self->msg, MEMSYNC_A_ID, 1);
	EXPECT_NE(0, TALK());
	EXPECT_EQ(0, nr_regions(self->ms));
	/* Operations that are not. */
	BEGIN(MEMSYNC_CMD_UNSPEC);
	EXPECT_EQ(EOPNOTSUPP, TALK());
	BEGIN(__MEMSYNC_CMD_MAX);
	EXPECT_EQ(EOPNOTSUPP, TALK());
	BEGIN(MEMSYNC_CMD_EVENT);
	EXPECT_EQ(EOPNOTSUPP, TALK());
	BEGIN(255);
	EXPECT_EQ(EOPNOTSUPP, TALK());
}

/* What is given twice counts once, or not at all; no mixture. */
TEST_F(netlink, duplicate)
{
	struct memsync_region *region;
	int err;

	begin_region_new(&self->msg, self->family, "first");
	put_name(&self->msg, "second");
	put_u32(&self->msg, MEMSYNC_A_ROLE, MEMSYNC_ROLE_SINK);
	put_u32(&self->msg, MEMSYNC_A_ROLE, MEMSYNC_ROLE_SOURCE);
	put_u32(&self->msg, MEMSYNC_A_PID, 1);
	put_u32(&self->msg, MEMSYNC_A_PID, getpid());
	err = TALK();
	if (err) {
		EXPECT_NE(0, self->answer.text[0]);
		EXPECT_EQ(0, nr_regions(self->ms));
		return;
	}
	ASSERT_EQ(1, nr_regions(self->ms));
	ASSERT_EQ(0, memsync_region_find(self->ms, "second", 0, &region));
	EXPECT_EQ(getpid(), region->pid);
	EXPECT_EQ(MEMSYNC_ROLE_SOURCE, region->role);
	free(region);
}

TEST_F(netlink, out_of_range)
{
	static const uint32_t roles[] = { 0, 3, 4, 0xffffffff };
	static const uint32_t flags[] = {
		MEMSYNC_REGION_F_COMPARE << 1, 0x80000000, 0xffffffff,
	};
	static const uint32_t a_source_s[] = {
		MEMSYNC_REGION_F_PAUSED, MEMSYNC_REGION_F_SHIPPED, MEMSYNC_REGION_F_FOLLOW,
		MEMSYNC_REGION_F_FOLLOW_FILES, MEMSYNC_REGION_F_COMPARE,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(roles); i++) {
		begin_region_new(&self->msg, self->family, "t");
		put_u32(&self->msg, MEMSYNC_A_ROLE, roles[i]);
		put_u32(&self->msg, MEMSYNC_A_PID, getpid());
		EXPECT_NE(0, TALK());
	}
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		full_region_new(&self->msg, self->family, "t");
		put_u32(&self->msg, MEMSYNC_A_FLAGS, flags[i]);
		EXPECT_NE(0, TALK());
	}
	full_region_new(&self->msg, self->family, "t");
	put_u32(&self->msg, MEMSYNC_A_INTERVAL_US, 0xffffffff);
	EXPECT_NE(0, TALK());
	begin_region_new(&self->msg, self->family, "t");
	put_u32(&self->msg, MEMSYNC_A_ROLE, MEMSYNC_ROLE_SOURCE);
	put_u32(&self->msg, MEMSYNC_A_PID, 0);
	EXPECT_NE(0, TALK());
	/* A sink's flags at a source. */
	full_region_new(&self->msg, self->family, "t");
	put_u32(&self->msg, MEMSYNC_A_FLAGS, MEMSYNC_REGION_F_OPEN);
	EXPECT_ANSWER(EINVAL);
	/* And the other way round. */
	for (i = 0; i < ARRAY_SIZE(a_source_s); i++) {
		begin_region_new(&self->msg, self->family, "t");
		put_u32(&self->msg, MEMSYNC_A_ROLE, MEMSYNC_ROLE_SINK);
		put_u32(&self->msg, MEMSYNC_A_PID, getpid());
		put_u32(&self->msg, MEMSYNC_A_FLAGS, a_source_s[i]);
		EXPECT_ANSWER(EINVAL);
	}
	EXPECT_EQ(0, nr_regions(self->ms));
}

/* An address is IPv4 or IPv6, complete, once. */
TEST_F(netlink, addresses)
{
	unsigned char ip[16] = { 127, 0, 0, 1 };
	struct {
		struct nlattr attr;
		unsigned char data[8];
	} nested[4];
	unsigned int i;
	static const struct { uint16_t type, length; } bad[] = {
		{ MEMSYNC_ADDR_IPV4, 3 }, { MEMSYNC_ADDR_IPV4, 5 }, { MEMSYNC_ADDR_IPV6, 4 },
		{ MEMSYNC_ADDR_PORT, 2 }, { MEMSYNC_ADDR_PORT, 1 }, { 99, 4 }, { 0, 0 },
	};

	memset(nested, 0, sizeof(nested));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		BEGIN(MEMSYNC_CMD_LISTENER_NEW);
		nested[0].attr.nla_type = bad[i].type;
		nested[0].attr.nla_len = NLA_HDRLEN + bad[i].length;
		memcpy(nested[0].data, ip, 8);
		put(&self->msg, MEMSYNC_A_ADDR | NLA_F_NESTED, nested,
		    bad[i].length ? NLA_ALIGN(nested[0].attr.nla_len) : 0);
		EXPECT_NE(0, TALK());
		EXPECT_NE(0, self->answer.text[0]);
	}
	/* One attribute longer than its nest. */
	BEGIN(MEMSYNC_CMD_LISTENER_NEW);
	nested[0].attr.nla_type = MEMSYNC_ADDR_IPV4;
	nested[0].attr.nla_len = 400;
	put(&self->msg, MEMSYNC_A_ADDR | NLA_F_NESTED, nested, 12);
	EXPECT_NE(0, TALK());
	/* Not marked as a nest. */
	BEGIN(MEMSYNC_CMD_LISTENER_NEW);
	nested[0].attr.nla_len = NLA_HDRLEN + 4;
	nested[1].attr.nla_type = MEMSYNC_ADDR_PORT;
	put(&self->msg, MEMSYNC_A_ADDR, nested, 8);
	EXPECT_NE(0, TALK());
}

/* Lengths that lie, at every cut of a good message. */
TEST_F(netlink, truncated)
{
	struct nlattr *attr;
	uint32_t full, cut;

	full_region_new(&self->msg, self->family, "t");
	full = self->msg.nlh.nlmsg_len;
	for (cut = full - 1; cut > NLMSG_LENGTH(GENL_HDRLEN); cut--) {
		full_region_new(&self->msg, self->family, "t");
		self->msg.nlh.nlmsg_len = cut;
		EXPECT_NE(0, TALK());
	}
	full_region_new(&self->msg, self->family, "t");
	attr = put(&self->msg, MEMSYNC_A_INTERVAL_US, "abcd", 4);
	attr->nla_len = 2;
	EXPECT_NE(0, TALK());
	attr->nla_len = 0xffff;
	EXPECT_NE(0, TALK());
	EXPECT_EQ(0, nr_regions(self->ms));
}

/* A message as long as they get. */
TEST_F(netlink, huge)
{
	static unsigned char junk[60000];

	memset(junk, 'a', sizeof(junk) - 1);
	BEGIN(MEMSYNC_CMD_REGION_NEW);
	put(&self->msg, MEMSYNC_A_NAME, junk, sizeof(junk));
	EXPECT_ANSWER(EINVAL);
	EXPECT_EQ(0, nr_regions(self->ms));
}

/* Dumps: of a region that is not there, without a name, with rubbish. */
TEST_F(netlink, dumps)
{
	unsigned char data[4] = { };

	begin(&self->msg, self->family, MEMSYNC_CMD_RANGE_GET, NLM_F_DUMP);
	EXPECT_NE(0, TALK());
	begin(&self->msg, self->family, MEMSYNC_CMD_RANGE_GET, NLM_F_DUMP);
	put_name(&self->msg, "nobody");
	EXPECT_NE(0, TALK());
	begin(&self->msg, self->family, MEMSYNC_CMD_PEER_GET, NLM_F_DUMP);
	put_name(&self->msg, "nobody");
	EXPECT_NE(0, TALK());
	begin(&self->msg, self->family, MEMSYNC_CMD_REGION_GET, NLM_F_DUMP);
	put(&self->msg, 200, data, 4);
	EXPECT_NE(0, TALK());
	begin(&self->msg, self->family, MEMSYNC_CMD_REGION_GET, NLM_F_DUMP);
	EXPECT_EQ(0, TALK());
	begin(&self->msg, self->family, MEMSYNC_CMD_LISTENER_GET, NLM_F_DUMP);
	EXPECT_EQ(0, TALK());
	/* Not a dump, of what is only dumped. */
	BEGIN(MEMSYNC_CMD_RANGE_GET);
	put_name(&self->msg, "nobody");
	EXPECT_NE(0, TALK());
}

/* Steps out of order. */
TEST_F(netlink, order)
{
	full_region_new(&self->msg, self->family, "t");
	ASSERT_EQ(0, TALK());
	BEGIN(MEMSYNC_CMD_REGION_START);
	put_name(&self->msg, "t");
	EXPECT_ANSWER(ENODATA);
	BEGIN(MEMSYNC_CMD_RANGE_ADD);
	put_name(&self->msg, "t");
	put_u64(&self->msg, MEMSYNC_A_START, (uintptr_t)self->area);
	put_u64(&self->msg, MEMSYNC_A_END, (uintptr_t)self->area + MIB);
	ASSERT_EQ(0, TALK());
	BEGIN(MEMSYNC_CMD_BARRIER_START);
	put_name(&self->msg, "t");
	EXPECT_NE(0, TALK());
	EXPECT_NE(0, self->answer.text[0]);
	BEGIN(MEMSYNC_CMD_REGION_START);
	put_name(&self->msg, "t");
	ASSERT_EQ(0, TALK());
	BEGIN(MEMSYNC_CMD_REGION_START);
	put_name(&self->msg, "t");
	EXPECT_ANSWER(EBUSY);
	BEGIN(MEMSYNC_CMD_RANGE_ADD);
	put_name(&self->msg, "t");
	put_u64(&self->msg, MEMSYNC_A_START, (uintptr_t)self->area + MIB);
	put_u64(&self->msg, MEMSYNC_A_END, (uintptr_t)self->area + 2 * MIB);
	EXPECT_ANSWER(EBUSY);
	/* A sink's business. */
	BEGIN(MEMSYNC_CMD_HOLD);
	put_name(&self->msg, "t");
	put_u32(&self->msg, MEMSYNC_A_TIMEOUT_MS, 100);
	EXPECT_ANSWER(ENOENT);
	BEGIN(MEMSYNC_CMD_RELEASE);
	put_name(&self->msg, "t");
	EXPECT_ANSWER(ENOENT);
	BEGIN(MEMSYNC_CMD_RELEASE);
	put_name(&self->msg, "t");
	put_u32(&self->msg, MEMSYNC_A_ROLE, MEMSYNC_ROLE_SOURCE);
	EXPECT_ANSWER(EOPNOTSUPP);
	BEGIN(MEMSYNC_CMD_BARRIER_START);
	put_name(&self->msg, "t");
	EXPECT_ANSWER(ENOTCONN);
	BEGIN(MEMSYNC_CMD_REGION_DEL);
	put_name(&self->msg, "t");
	ASSERT_EQ(0, TALK());
}

/* Many regions at once, up to the limit, and a clear answer there. */
TEST_F(netlink, too_many)
{
	struct memsync_info *info;
	unsigned int i;
	char name[16];

	ASSERT_EQ(0, memsync_info(self->ms, &info));
	for (i = 0; i < info->max_regions; i++) {
		snprintf(name, sizeof(name), "r%u", i);
		full_region_new(&self->msg, self->family, name);
		ASSERT_EQ(0, TALK());
	}
	full_region_new(&self->msg, self->family, "more");
	EXPECT_ANSWER(ENOSPC);
	EXPECT_EQ(info->max_regions, nr_regions(self->ms));
	free(info);
}

/* Random bytes as attributes: no answer but errors, and never a region. */
TEST_F(netlink, random)
{
	unsigned char data[300];
	unsigned int i, length;
	uint64_t seed = 11;

	for (i = 0; i < sized(20000, 5000); i++) {
		BEGIN(random_next(&seed) % (MEMSYNC_CMD_MAX + 3));
		if (self->msg.genl.cmd == MEMSYNC_CMD_LISTENER_NEW)
			continue;
		self->msg.nlh.nlmsg_flags |= random_next(&seed) % 4 ? 0 : NLM_F_DUMP;
		memory_fill(data, sizeof(data) & ~7, random_next(&seed));
		length = random_next(&seed) % sizeof(data);
		if (random_next(&seed) % 2) {
			put(&self->msg, random_next(&seed) % (MEMSYNC_A_MAX + 2), data,
			    length % 20);
			put(&self->msg, random_next(&seed) % (MEMSYNC_A_MAX + 2), data, length % 9);
		} else {
			memcpy(self->msg.payload, data, length);
			self->msg.nlh.nlmsg_len += length;
		}
		TALK();
	}
	EXPECT_EQ(0, nr_regions(self->ms));
}

TEST_HARNESS_MAIN
