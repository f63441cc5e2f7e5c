// SPDX-License-Identifier: GPL-2.0
/* The library's reading of messages, made here as the module makes them. */
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <netlink/genl/genl.h>

#include "../libmemsync/events.h"
#include "../libmemsync/internal.h"
#include "tap.h"

static void test_names(void)
{
	unsigned int i;
	bool all = true;

	for (i = 1; i <= MEMSYNC_A_MAX; i++)
		if (!strcmp(memsync_attr_name(i), "unknown"))
			all = false;
	CHECK(all, "every attribute has a name");
	CHECK_SAME(memsync_attr_name(MEMSYNC_A_PID_START), "pid-start", "as in the specification");
	CHECK_SAME(memsync_attr_name(MEMSYNC_A_MAX + 1), "unknown", "one from the future has none");
	CHECK_SAME(memsync_region_state_name(MEMSYNC_REGION_NEW), "new", "a state");
	CHECK_SAME(memsync_region_state_name(99), "unknown", "a state from the future");
	CHECK_SAME(memsync_event_name(MEMSYNC_EVENT_LISTENER), "listener", "an event");
}

static void test_lost(void)
{
	CHECK(ms_events_lost(0, 17) == 0, "the first event is no sign of loss");
	CHECK(ms_events_lost(17, 18) == 0, "nor is the next");
	CHECK(ms_events_lost(17, 21) == 3, "a gap is");
	CHECK(ms_events_lost(17, 3) == 0, "a restart is none");
}

static struct nl_msg *message(void)
{
	struct nl_msg *msg = nlmsg_alloc();

	genlmsg_put(msg, 0, 0, 30, 0, 0, MEMSYNC_CMD_REGION_GET, 1);
	return msg;
}

static void test_region(void)
{
	struct memsync_addr v4 = { .in = { .sin_family = AF_INET, .sin_port = htons(1) },
				   .prefix = 8 };
	struct memsync_addr v6 = { .in6 = { .sin6_family = AF_INET6 }, .prefix = 128 };
	struct nlattr *tb[MEMSYNC_A_MAX + 1], *nest;
	struct nl_msg *msg = message();
	struct memsync_region region;

	v4.in.sin_addr.s_addr = htonl(0x0a000000);
	nla_put_u32(msg, MEMSYNC_A_ID, 5);
	nla_put_string(msg, MEMSYNC_A_NAME, "redis");
	nla_put_u32(msg, MEMSYNC_A_ROLE, MEMSYNC_ROLE_SINK);
	nla_put_u32(msg, MEMSYNC_A_STATE, MEMSYNC_REGION_SYNCED);
	nla_put_u64(msg, MEMSYNC_A_BARRIER_ID, 1ULL << 40);
	nla_put_u8(msg, MEMSYNC_A_MID_PASS, 1);
	nest = nla_nest_start(msg, MEMSYNC_A_STATS);
	nla_put_u64(msg, MEMSYNC_STATS_APPLIED_PAGES, 77);
	nla_put_u64(msg, MEMSYNC_STATS_MAX + 1, 1);
	nla_nest_end(msg, nest);
	ms_put_addr(msg, MEMSYNC_A_FROM, &v4, true);
	ms_put_addr(msg, MEMSYNC_A_FROM, &v6, true);
	nla_put_u32(msg, MEMSYNC_A_MAX + 1, 1);
	CHECK(!ms_parse(nlmsg_hdr(msg), tb) && !ms_parse_region(nlmsg_hdr(msg), tb, &region),
	      "a region, with attributes from the future");
	CHECK(region.id == 5 && region.role == MEMSYNC_ROLE_SINK && region.mid_pass &&
	      region.barrier_id == 1ULL << 40, "its numbers");
	CHECK_SAME(region.name, "redis", "its name");
	CHECK(region.stats.applied_pages == 77 && !region.stats.passes, "its counters");
	CHECK(region.nr_from == 2 && region.from[0].prefix == 8 &&
	      region.from[1].sa.sa_family == AF_INET6, "its sources");
	nlmsg_free(msg);

	msg = message();
	nla_put_u8(msg, MEMSYNC_A_ID, 5);
	CHECK(ms_parse(nlmsg_hdr(msg), tb) == -EPROTO, "an attribute that is too short");
	nlmsg_free(msg);
}

static void test_addr(void)
{
	struct memsync_addr addr = { .in6 = { .sin6_family = AF_INET6, .sin6_port = htons(7420),
					      .sin6_scope_id = 3 } }, got;
	struct nlattr *tb[MEMSYNC_A_MAX + 1];
	struct nl_msg *msg = message();

	addr.in6.sin6_addr.s6_addr[0] = 0xfe;
	addr.in6.sin6_addr.s6_addr[1] = 0x80;
	ms_put_addr(msg, MEMSYNC_A_ADDR, &addr, false);
	ms_parse(nlmsg_hdr(msg), tb);
	CHECK(!ms_parse_addr(tb[MEMSYNC_A_ADDR], &got) &&
	      !memcmp(&got.in6, &addr.in6, sizeof(got.in6)), "an address there and back");
	CHECK(nla_is_nested(tb[MEMSYNC_A_ADDR]), "is nested");
	nlmsg_free(msg);
}

/* An error as the kernel sends it: a message, and the offset of @offends. */
static void extack(struct memsync *ms, int err, const char *text, struct nlattr *offends,
		   struct nl_msg *request)
{
	struct nl_msg *msg = nlmsg_alloc();
	struct nlattr *first;

	nlmsg_put(msg, 0, 0, NLMSG_ERROR, 0, 0);
	first = nlmsg_tail(nlmsg_hdr(msg));
	if (text)
		nla_put_string(msg, NLMSGERR_ATTR_MSG, text);
	if (offends)
		nla_put_u32(msg, NLMSGERR_ATTR_OFFS,
			    (char *)offends - (char *)nlmsg_hdr(request));
	ms_extack(ms, err, first, nlmsg_datalen(nlmsg_hdr(msg)), nlmsg_hdr(request));
	nlmsg_free(msg);
}

static void test_extack(void)
{
	struct memsync_addr addr = { .in = { .sin_family = AF_INET } };
	struct memsync ms = { };
	struct nlattr *tb[MEMSYNC_A_MAX + 1], *nest;
	struct nl_msg *request = message();

	nla_put_u32(request, MEMSYNC_A_ID, 1);
	nla_put_u64(request, MEMSYNC_A_START, 4097);
	ms_put_addr(request, MEMSYNC_A_ADDR, &addr, false);
	ms_parse(nlmsg_hdr(request), tb);
	extack(&ms, -EINVAL, "start is not aligned", tb[MEMSYNC_A_START], request);
	CHECK_SAME(memsync_error(&ms), "start is not aligned", "the kernel's words");
	CHECK_SAME(memsync_error_attr(&ms), "start", "and what they are about");
	nest = nla_data(tb[MEMSYNC_A_ADDR]);
	extack(&ms, -EINVAL, "bad port", nest, request);
	CHECK_SAME(memsync_error_attr(&ms), "addr", "a nested attribute counts as its parent");
	extack(&ms, -EINVAL, NULL, tb[MEMSYNC_A_START], request);
	CHECK_SAME(memsync_error(&ms), "start: Invalid argument", "no words but an attribute");
	extack(&ms, -EPERM, NULL, NULL, request);
	CHECK_HAS(memsync_error(&ms), "Operation not permitted: needs CAP_NET_ADMIN", "no right");
	CHECK(!memsync_error_attr(&ms), "which is about no attribute");
	extack(&ms, -EBUSY, NULL, NULL, request);
	CHECK_SAME(memsync_error(&ms), "Device or resource busy", "no words at all");
	nlmsg_free(request);
}

static void test_process(void)
{
	uint64_t start, again;
	pid_t child;

	CHECK(!memsync_pid_start(getpid(), &start) && start, "this process began at some time");
	CHECK(!memsync_pid_start(getpid(), &again) && again == start, "which stays");
	child = fork();
	if (!child)
		_exit(0);
	waitpid(child, NULL, 0);
	CHECK(memsync_pid_start(child, &start) == -ESRCH, "one that ended began at none");
}

int main(void)
{
	test_names();
	test_lost();
	test_region();
	test_addr();
	test_extack();
	test_process();
	return tap_done();
}
