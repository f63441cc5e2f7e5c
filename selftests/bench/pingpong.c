// SPDX-License-Identifier: GPL-2.0
/* A message there and back over TCP. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define PORT	7421

static struct sockaddr_in address(const char *text)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(PORT) };

	if (inet_pton(AF_INET, text, &addr.sin_addr) != 1)
		die("%s is not an IPv4 address", text);
	return addr;
}

static int tcp(void)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)))
		die_errno("socket");
	return fd;
}

static bool read_all(int fd, char *data, size_t size)
{
	ssize_t n = recv(fd, data, size, MSG_WAITALL);

	if (n && n != (ssize_t)size)
		die_errno("recv");
	return n;
}

static void write_all(int fd, const char *data, size_t size)
{
	if (write(fd, data, size) != (ssize_t)size)
		die_errno("write");
}

static void serve(const char *local)
{
	struct sockaddr_in addr = address(local);
	static char data[PAGE];
	int fd = tcp(), conn;

	if (bind(fd, (void *)&addr, sizeof(addr)) || listen(fd, 1))
		die_errno("listen");
	puts("ready");
	fflush(stdout);
	conn = accept(fd, NULL, NULL);
	if (conn < 0)
		die_errno("accept");
	while (read_all(conn, data, sizeof(data)))
		write_all(conn, data, sizeof(data));
}

static void ping(const char *peer, size_t rounds)
{
	struct sockaddr_in addr = address(peer);
	struct samples samples = {};
	static char data[PAGE];
	uint64_t began;
	int fd = tcp();

	if (connect(fd, (void *)&addr, sizeof(addr)))
		die_errno("connect");
	while (rounds--) {
		rest(15 + random_u64() % 10);
		began = now();
		write_all(fd, data, sizeof(data));
		if (!read_all(fd, data, sizeof(data)))
			die("the peer closed the connection");
		samples_add(&samples, now() - began);
	}
	printf("{");
	samples_print(&samples, "round_trip", 1);
	printf("}\n");
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--serve")) {
		serve(argv[2]);
	} else if (argc == 3) {
		ping(argv[1], number(argv[2]));
	} else {
		fputs("usage: pingpong --serve ADDRESS | pingpong ADDRESS ROUNDS\n", stderr);
		return 2;
	}
	return 0;
}
