// SPDX-License-Identifier: GPL-2.0
/* Addresses. Numeric ones only, so that no resolver is asked. */
#include <arpa/inet.h>

#include "../memsyncctl/addr.h"
#include "tap.h"

static struct problem p;

static void peer_is(const char *text, const char *addr, const char *name)
{
	struct peer_arg peer;
	char got[ADDR_TEXT];

	if (!CHECK(!addr_read_peer(text, &peer, &p), text)) {
		printf("# %s\n", p.text);
		return;
	}
	CHECK_SAME(addr_text(got, &peer.addr), addr, "its address");
	CHECK_SAME(peer.name, name, "its name");
}

static void peer_fails(const char *text, const char *why)
{
	struct peer_arg peer;

	if (!CHECK(addr_read_peer(text, &peer, &p) && strstr(p.text, why), text))
		printf("# %s\n", p.text);
}

static void from_is(const char *text, const char *wanted)
{
	struct memsync_addr addr;
	char got[ADDR_TEXT];

	if (CHECK(!addr_read_from(text, &addr, &p), text))
		CHECK_SAME(addr_prefix_text(got, &addr), wanted, "its prefix");
}

static void from_fails(const char *text)
{
	struct memsync_addr addr;

	CHECK(addr_read_from(text, &addr, &p) == -1, text);
}

static void test_peer(void)
{
	peer_is("10.42.0.2", "10.42.0.2:7420", "");
	peer_is("10.42.0.2:99", "10.42.0.2:99", "");
	peer_is("10.42.0.2:99/redis-2", "10.42.0.2:99", "redis-2");
	peer_is("10.42.0.2/redis", "10.42.0.2:7420", "redis");
	peer_is("[2001:db8::1]:65535", "[2001:db8::1]:65535", "");
	peer_is("[2001:db8::1]", "[2001:db8::1]:7420", "");
	peer_is("::1", "[::1]:7420", "");
	peer_is("::1/x", "[::1]:7420", "x");
	peer_is("[fe80::1%lo]:1", "[fe80::1%lo]:1", "");
	peer_is("[::ffff:1.2.3.4]:5", "1.2.3.4:5", "");
	peer_fails("", "HOST");
	peer_fails(":7420", "HOST");
	peer_fails("10.42.0.2:", "port");
	peer_fails("10.42.0.2:0", "between 1 and 65535");
	peer_fails("10.42.0.2:65536", "between 1 and 65535");
	peer_fails("10.42.0.2:x", "port");
	peer_fails("10.42.0.2/", "empty");
	peer_fails("10.42.0.2/a/b", "may hold only");
	peer_fails("[::1", "[ADDR]:PORT");
	peer_fails("[]:1", "[ADDR]:PORT");
	peer_fails("[::1]1", "may follow ]");
	peer_fails("[fe80::1]:1", "link-local");
	peer_fails("[fe80::1%nosuchdev]:1", "fe80::1%nosuchdev");
}

static void test_from(void)
{
	from_is("10.42.0.1", "10.42.0.1/32");
	from_is("10.42.0.1/24", "10.42.0.0/24");
	from_is("0.0.0.0/0", "0.0.0.0/0");
	from_is("2001:db8::1", "2001:db8::1/128");
	from_is("2001:db8::1/33", "2001:db8::/33");
	from_is("[2001:db8::1]/64", "2001:db8::/64");
	from_fails("");
	from_fails("10.42.0.1/33");
	from_fails("::/129");
	from_fails("10.42.0.1/");
	from_fails("10.42.0.1/-1");
	from_fails("localhost");
	from_fails("10.42.0.1:7420");
}

static void test_listen(void)
{
	struct memsync_addr addrs[2];
	char text[ADDR_TEXT];
	unsigned int nr;

	CHECK(!addr_read_listen("", addrs, &nr, &p) && nr == 2, "a bare listen is two");
	CHECK_SAME(addr_text(text, &addrs[0]), "127.0.0.1:7420", "loopback");
	CHECK_SAME(addr_text(text, &addrs[1]), "[::1]:7420", "of both families");
	CHECK(!addr_read_listen(":99", addrs, &nr, &p) && nr == 2, "also with a port");
	CHECK_SAME(addr_text(text, &addrs[1]), "[::1]:99", "which both have");
	CHECK(!addr_read_listen("0.0.0.0", addrs, &nr, &p) && nr == 1, "an address is one");
	CHECK_SAME(addr_text(text, &addrs[0]), "0.0.0.0:7420", "with the usual port");
	CHECK(!addr_read_listen("[::]:1", addrs, &nr, &p) && nr == 1, "IPv6 likewise");
	CHECK_SAME(addr_text(text, &addrs[0]), "[::]:1", "with a port");
	CHECK(addr_read_listen(":", addrs, &nr, &p), "a port cannot be empty");
}

int main(void)
{
	test_peer();
	test_from();
	test_listen();
	return tap_done();
}
