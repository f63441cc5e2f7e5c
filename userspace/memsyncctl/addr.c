// SPDX-License-Identifier: GPL-2.0
/* Addresses, as users write and read them. */
#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "name.h"
#include "units.h"

static int read_port(const char *text, uint16_t *port, struct problem *p)
{
	uint64_t value;

	if (unit_read_u64(text, "port", &value, p))
		return -1;
	if (!value || value > 65535)
		return problem(p, "port %s is not between 1 and 65535", text);
	*port = value;
	return 0;
}

static int copy_host(struct host_port *to, const char *host, size_t len, struct problem *p)
{
	if (len >= sizeof(to->host))
		return problem(p, "the host name '%.40s…' is too long", host);
	memcpy(to->host, host, len);
	to->host[len] = '\0';
	return 0;
}

static int split_bracketed(const char *text, struct host_port *to, struct problem *p)
{
	const char *end = strchr(text, ']');

	if (!end || end == text + 1)
		return problem(p, "'%s': an IPv6 address is written [ADDR]:PORT", text);
	if (copy_host(to, text + 1, end - text - 1, p))
		return -1;
	if (!end[1])
		return 0;
	if (end[1] != ':')
		return problem(p, "'%s': only :PORT may follow ]", text);
	return read_port(end + 2, &to->port, p);
}

int addr_split(const char *text, struct host_port *to, struct problem *p)
{
	const char *colon = strchr(text, ':');

	to->port = MEMSYNC_DEFAULT_PORT;
	if (*text == '[')
		return split_bracketed(text, to, p);
	/* More than one colon: a bare IPv6 address, which has no port. */
	if (!colon || strchr(colon + 1, ':'))
		return copy_host(to, text, strlen(text), p);
	if (copy_host(to, text, colon - text, p))
		return -1;
	return read_port(colon + 1, &to->port, p);
}

static int resolve(const struct host_port *hp, int flags, struct memsync_addr *addr,
		   struct problem *p)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags };
	struct addrinfo *found, *ai;
	int err;

	err = getaddrinfo(hp->host, NULL, &hints, &found);
	if (err)
		return problem(p, "%s: %s", hp->host, gai_strerror(err));
	for (ai = found; ai; ai = ai->ai_next)
		if (ai->ai_family == AF_INET || ai->ai_family == AF_INET6)
			break;
	memset(addr, 0, sizeof(*addr));
	if (ai)
		memcpy(&addr->in6, ai->ai_addr, ai->ai_addrlen);
	freeaddrinfo(found);
	if (!ai)
		return problem(p, "%s has no IPv4 or IPv6 address", hp->host);
	addr->in.sin_port = htons(hp->port);	/* at the same place in both */
	addr->prefix = addr->sa.sa_family == AF_INET ? 32 : 128;
	if (addr->sa.sa_family == AF_INET6 && !addr->in6.sin6_scope_id &&
	    IN6_IS_ADDR_LINKLOCAL(&addr->in6.sin6_addr))
		return problem(p, "%s is link-local: say on which interface, as in %s%%eth0",
			       hp->host, hp->host);
	return 0;
}

int addr_read_peer(const char *text, struct peer_arg *peer, struct problem *p)
{
	const char *slash = strchr(text, '/');
	struct host_port hp;
	char *host;
	int err;

	memset(peer, 0, sizeof(*peer));
	if (slash) {
		if (name_check(slash + 1, p))
			return -1;
		strcpy(peer->name, slash + 1);
	}
	host = strndup(text, slash ? (size_t)(slash - text) : strlen(text));
	if (!host)
		return problem(p, "out of memory");
	err = addr_split(host, &hp, p);
	free(host);
	if (err)
		return err;
	if (!hp.host[0])
		return problem(p, "'%s': a peer is HOST[:PORT][/NAME]", text);
	return resolve(&hp, 0, &peer->addr, p);
}

static void clear_host_bits(struct memsync_addr *addr)
{
	bool v4 = addr->sa.sa_family == AF_INET;
	uint8_t *bytes = v4 ? (uint8_t *)&addr->in.sin_addr : addr->in6.sin6_addr.s6_addr;
	unsigned int i, bits = v4 ? 32 : 128;

	for (i = addr->prefix; i < bits; i++)
		bytes[i / 8] &= ~(0x80 >> i % 8);
}

static int read_prefix(const char *text, struct memsync_addr *addr, struct problem *p)
{
	uint64_t bits;

	if (unit_read_u64(text, "prefix length", &bits, p))
		return -1;
	if (bits > addr->prefix)
		return problem(p, "prefix length %s is longer than the address: %u bits", text,
			       addr->prefix);
	addr->prefix = bits;
	return 0;
}

int addr_read_from(const char *text, struct memsync_addr *addr, struct problem *p)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	struct host_port hp = { };

	if (*text == '[' && len > 2 && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (copy_host(&hp, text, len, p))
		return -1;
	if (!hp.host[0] || resolve(&hp, AI_NUMERICHOST, addr, p))
		return problem(p, "--from '%s' is no ADDR[/LEN]", text);
	if (slash && read_prefix(slash + 1, addr, p))
		return -1;
	clear_host_bits(addr);
	return 0;
}

static void set_loopback(struct memsync_addr addrs[2], uint16_t port)
{
	memset(addrs, 0, 2 * sizeof(*addrs));
	addrs[0].in.sin_family = AF_INET;
	addrs[0].in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	addrs[0].in.sin_port = htons(port);
	addrs[0].prefix = 32;
	addrs[1].in6.sin6_family = AF_INET6;
	addrs[1].in6.sin6_addr = in6addr_loopback;
	addrs[1].in6.sin6_port = htons(port);
	addrs[1].prefix = 128;
}

int addr_read_listen(const char *text, struct memsync_addr addrs[2], unsigned int *nr,
		     struct problem *p)
{
	struct host_port hp;

	if (addr_split(text, &hp, p))
		return -1;
	*nr = 1;
	if (hp.host[0])
		return resolve(&hp, AI_PASSIVE, &addrs[0], p);
	*nr = 2;
	set_loopback(addrs, hp.port);
	return 0;
}

static const char *host_text(char text[ADDR_TEXT], const struct memsync_addr *addr)
{
	const struct in6_addr *in6 = &addr->in6.sin6_addr;
	char scope[IF_NAMESIZE];

	if (addr->sa.sa_family == AF_INET)
		return inet_ntop(AF_INET, &addr->in.sin_addr, text, ADDR_TEXT);
	if (addr->sa.sa_family != AF_INET6)
		return strcpy(text, "?");
	if (IN6_IS_ADDR_V4MAPPED(in6))
		return inet_ntop(AF_INET, &in6->s6_addr[12], text, ADDR_TEXT);
	inet_ntop(AF_INET6, in6, text, ADDR_TEXT);
	if (!addr->in6.sin6_scope_id)
		return text;
	if (!if_indextoname(addr->in6.sin6_scope_id, scope))
		snprintf(scope, sizeof(scope), "%u", addr->in6.sin6_scope_id);
	strcat(text, "%");
	return strncat(text, scope, ADDR_TEXT - strlen(text) - 1);
}

const char *addr_text(char text[ADDR_TEXT], const struct memsync_addr *addr)
{
	char host[ADDR_TEXT];

	host_text(host, addr);
	snprintf(text, ADDR_TEXT, strchr(host, ':') ? "[%.70s]:%u" : "%.70s:%u", host,
		 ntohs(addr->in.sin_port));
	return text;
}

const char *addr_prefix_text(char text[ADDR_TEXT], const struct memsync_addr *addr)
{
	unsigned int bits = addr->prefix;
	char host[ADDR_TEXT];

	/* host_text() writes ::ffff:a.b.c.d as an IPv4 address. */
	if (addr->sa.sa_family == AF_INET6 && bits >= 96 &&
	    IN6_IS_ADDR_V4MAPPED(&addr->in6.sin6_addr))
		bits -= 96;
	snprintf(text, ADDR_TEXT, "%.70s/%u", host_text(host, addr), bits);
	return text;
}
