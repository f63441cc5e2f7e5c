// SPDX-License-Identifier: GPL-2.0
/*
 * on HOST COMMAND…: runs COMMAND on another guest of the rig, in the directory that
 * the rig was started from, and ends as it ended. A signal is passed on; when this
 * process is gone, so is COMMAND.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "frame.h"

static volatile sig_atomic_t caught;

static void on_signal(int sig)
{
	caught = sig;
}

static void die(const char *what)
{
	fprintf(stderr, "on: %s: %s\n", what, strerror(errno));
	exit(125);
}

static void write_all(int fd, const char *data, size_t len)
{
	ssize_t n;

	for (; len; data += n, len -= n) {
		n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			die("write");
	}
}

static void send_frame(int fd, uint32_t type, const char *data, size_t len)
{
	struct frame f = { .type = type, .len = len };

	write_all(fd, (char *)&f, sizeof(f));
	write_all(fd, data, len);
}

static void pass_signal(int fd)
{
	char text[16];

	if (!caught)
		return;
	snprintf(text, sizeof(text), "%d", (int)caught);
	caught = 0;
	send_frame(fd, FRAME_KILL, text, strlen(text));
}

/* Signals are blocked but here, so that none is missed between a look and a wait */
static void read_all(int fd, char *data, size_t len, const sigset_t *open)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	ssize_t n;

	for (; len; data += n, len -= n) {
		n = 0;
		if (ppoll(&pfd, 1, NULL, open) > 0)
			n = read(fd, data, len);
		else
			pass_signal(fd);
		if (n < 0 || (!n && pfd.revents)) {
			errno = ECONNRESET;
			die("the rig");
		}
		pfd.revents = 0;
	}
}

static void catch_signals(sigset_t *open)
{
	static const int sigs[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < sizeof(sigs) / sizeof(*sigs); i++) {
		sigaddset(&set, sigs[i]);
		sigaction(sigs[i], &sa, NULL);
	}
	sigprocmask(SIG_BLOCK, &set, open);
	for (i = 0; i < sizeof(sigs) / sizeof(*sigs); i++)
		sigdelset(open, sigs[i]);
}

static int serve(int fd, const sigset_t *open)
{
	static char data[FRAME_MAX + 1];
	struct frame f;

	for (;;) {
		read_all(fd, (char *)&f, sizeof(f), open);
		if (f.len > FRAME_MAX)
			exit(125);
		read_all(fd, data, f.len, open);
		data[f.len] = 0;
		if (f.type == FRAME_STDOUT)
			write_all(1, data, f.len);
		else if (f.type == FRAME_STDERR)
			write_all(2, data, f.len);
		else if (f.type == FRAME_EXIT)
			return atoi(data);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = AGENT_SOCKET };
	int i, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	sigset_t open;
	size_t len = 0;
	char *args;

	if (argc < 3) {
		fprintf(stderr, "usage: on HOST COMMAND…\n");
		return 2;
	}
	for (i = 1; i < argc; i++)
		len += strlen(argv[i]) + 1;
	args = malloc(len);
	if (len > FRAME_MAX || !args) {
		errno = E2BIG;
		die(argv[2]);
	}
	for (i = 1, len = 0; i < argc; i++) {
		strcpy(args + len, argv[i]);
		len += strlen(argv[i]) + 1;
	}
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
		die(AGENT_SOCKET);
	catch_signals(&open);
	send_frame(fd, FRAME_ON, args, len);
	return serve(fd, &open);
}
