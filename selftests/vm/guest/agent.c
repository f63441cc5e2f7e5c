// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's first process: runs what the host asks for over a virtio port, and takes
 * what the clients in this guest (on.c) want run elsewhere to the host.
 *
 * One thread and one poll(). Nothing here waits for a reader: what cannot be written
 * yet is kept, and the commands' pipes are left alone while much is kept.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "frame.h"

#define PORT_NAME	"memsync"
#define KEEP_MAX	(256 * 1024)
/* How long a command's output may stay open after its end, before that is reported */
#define LINGER_MS	500
#define POLL_MAX	512

struct buf {
	char *data;
	size_t len, size;
};

/* Where frames come and go: the port, and each client */
struct peer {
	struct peer *next;
	int fd;
	uint32_t id;		/* of a client's command */
	int busy;		/* a client's command runs */
	struct buf in, out;
};

struct cmd {
	struct cmd *next;
	uint32_t id;
	pid_t pid;
	int fd[2];		/* its stdout, stderr; -1 once at their end */
	int status;		/* -1 while it runs */
	int told;		/* the host knows the status */
	long long ended;	/* ms */
};

static struct peer port;
static struct peer *clients;
static struct cmd *cmds;
static int listener;
static uint32_t last_id;

static void die(const char *what)
{
	fprintf(stderr, "agent: %s: %s\n", what, strerror(errno));
	sync();
	reboot(RB_POWER_OFF);
	_exit(1);
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void buf_add(struct buf *b, const void *data, size_t len)
{
	if (b->len + len > b->size) {
		b->size = (b->len + len) * 2;
		b->data = realloc(b->data, b->size);
		if (!b->data)
			die("memory");
	}
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

static void buf_drop(struct buf *b, size_t len)
{
	memmove(b->data, b->data + len, b->len - len);
	b->len -= len;
}

static void send_frame(struct peer *p, uint32_t type, uint32_t id, const void *data,
		       size_t len)
{
	struct frame f = { .type = type, .id = id, .len = len };

	buf_add(&p->out, &f, sizeof(f));
	buf_add(&p->out, data, len);
}

/* 0 when the other side is gone */
static int flush_peer(struct peer *p)
{
	ssize_t n;

	while (p->out.len) {
		n = write(p->fd, p->out.data, p->out.len);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		buf_drop(&p->out, n);
	}
	return 1;
}

/* Commands ------------------------------------------------------------------------ */

static void run_child(char *data, size_t len, int out, int err)
{
	char *end = data + len, *dir = data, *p = data + strlen(data) + 1;
	char **env = calloc(len + 1, sizeof(*env)), **argv = calloc(len + 1, sizeof(*argv));
	int n, null = open("/dev/null", O_RDWR);
	sigset_t none;

	for (n = 0; p < end && *p; p += strlen(p) + 1)
		env[n++] = p;
	for (n = 0, p++; p < end; p += strlen(p) + 1)
		argv[n++] = p;

	setsid();
	dup2(null, 0);
	dup2(out, 1);
	dup2(err, 2);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	environ = env;
	if (chdir(dir)) {
		dprintf(2, "agent: %s: %s\n", dir, strerror(errno));
		_exit(126);
	}
	if (n)
		execvp(argv[0], argv);
	dprintf(2, "agent: %s: %s\n", n ? argv[0] : "no command", strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static void run(uint32_t id, char *data, size_t len)
{
	struct cmd *c = calloc(1, sizeof(*c));
	int out[2], err[2];

	if (!c || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		die("pipe");
	c->id = id;
	c->status = -1;
	c->pid = fork();
	if (c->pid < 0)
		die("fork");
	if (!c->pid)
		run_child(data, len, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	c->fd[0] = out[0];
	c->fd[1] = err[0];
	fcntl(c->fd[0], F_SETFL, O_NONBLOCK);
	fcntl(c->fd[1], F_SETFL, O_NONBLOCK);
	c->next = cmds;
	cmds = c;
}

static void kill_cmd(uint32_t id, int sig)
{
	struct cmd *c;

	for (c = cmds; c; c = c->next)
		if (c->id == id && !c->told)
			kill(-c->pid, sig);
}

static void reap(void)
{
	struct cmd *c;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (c = cmds; c; c = c->next) {
			if (c->pid != pid || c->status >= 0)
				continue;
			c->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
							  WEXITSTATUS(status);
			c->ended = now_ms();
		}
	}
}

/* Pass on what the command wrote; what it writes after its end is reported is lost */
static void read_cmd(struct cmd *c, int i)
{
	char data[65536];
	ssize_t n = read(c->fd[i], data, sizeof(data));

	if (n > 0 && !c->told) {
		send_frame(&port, i ? FRAME_STDERR : FRAME_STDOUT, c->id, data, n);
	} else if (!n || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		close(c->fd[i]);
		c->fd[i] = -1;
	}
}

/*
 * A command has ended when its process has and its output is at its end. A process it
 * left behind may hold that open: then the end is reported all the same, and the pipe
 * is read on, so that nobody gets a SIGPIPE.
 */
static void end_cmds(void)
{
	struct cmd **pc = &cmds, *c;
	char text[16];

	while ((c = *pc)) {
		int open = c->fd[0] >= 0 || c->fd[1] >= 0;

		if (c->status >= 0 && !c->told &&
		    (!open || now_ms() - c->ended >= LINGER_MS)) {
			snprintf(text, sizeof(text), "%d", c->status);
			send_frame(&port, FRAME_EXIT, c->id, text, strlen(text));
			c->told = 1;
		}
		if (c->told && !open) {
			*pc = c->next;
			free(c);
		} else {
			pc = &c->next;
		}
	}
}

/* Frames -------------------------------------------------------------------------- */

static void to_client(uint32_t type, uint32_t id, const char *data, size_t len)
{
	struct peer *p;

	for (p = clients; p; p = p->next) {
		if (p->id != id || !p->busy)
			continue;
		send_frame(p, type, 0, data, len);
		if (type == FRAME_EXIT)
			p->busy = 0;
	}
}

static void from_host(struct frame *f, char *data)
{
	switch (f->type) {
	case FRAME_RUN:
		run(f->id, data, f->len);
		break;
	case FRAME_KILL:
		kill_cmd(f->id, atoi(data));
		break;
	case FRAME_ON_STDOUT:
		to_client(FRAME_STDOUT, f->id, data, f->len);
		break;
	case FRAME_ON_STDERR:
		to_client(FRAME_STDERR, f->id, data, f->len);
		break;
	case FRAME_ON_EXIT:
		to_client(FRAME_EXIT, f->id, data, f->len);
		break;
	}
}

static void from_client(struct peer *p, struct frame *f, char *data)
{
	if (f->type == FRAME_ON && !p->busy) {
		p->id = ++last_id;
		p->busy = 1;
		send_frame(&port, FRAME_ON, p->id, data, f->len);
	} else if (f->type == FRAME_KILL && p->busy) {
		send_frame(&port, FRAME_ON_KILL, p->id, data, f->len);
	}
}

/* 0 when the other side is gone */
static int read_peer(struct peer *p)
{
	static char data[65536], payload[FRAME_MAX + 1];
	struct frame f;
	ssize_t n = read(p->fd, data, sizeof(data));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (!n)
		return 0;
	buf_add(&p->in, data, n);
	while (p->in.len >= sizeof(f)) {
		memcpy(&f, p->in.data, sizeof(f));
		if (f.len > FRAME_MAX)
			return 0;
		if (p->in.len < sizeof(f) + f.len)
			break;
		memcpy(payload, p->in.data + sizeof(f), f.len);
		payload[f.len] = 0;
		buf_drop(&p->in, sizeof(f) + f.len);
		if (p == &port)
			from_host(&f, payload);
		else
			from_client(p, &f, payload);
	}
	return 1;
}

static void new_client(void)
{
	struct peer *p;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	p = calloc(1, sizeof(*p));
	if (!p)
		die("memory");
	p->fd = fd;
	p->next = clients;
	clients = p;
}

static void drop_client(struct peer *gone)
{
	struct peer **pp = &clients;

	while (*pp != gone)
		pp = &(*pp)->next;
	*pp = gone->next;
	if (gone->busy)
		send_frame(&port, FRAME_ON_KILL, gone->id, "9", 1);
	close(gone->fd);
	free(gone->in.data);
	free(gone->out.data);
	free(gone);
}

/* Start --------------------------------------------------------------------------- */

static int open_port(void)
{
	char path[300], name[64];
	struct dirent *d;
	ssize_t n;
	DIR *dir = opendir("/sys/class/virtio-ports");
	int fd;

	while (dir && (d = readdir(dir))) {
		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", d->d_name);
		fd = open(path, O_RDONLY);
		if (fd < 0)
			continue;
		n = read(fd, name, sizeof(name) - 1);
		close(fd);
		if (n <= 0)
			continue;
		name[n] = 0;
		name[strcspn(name, "\n")] = 0;
		if (strcmp(name, PORT_NAME))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", d->d_name);
		closedir(dir);
		return open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	}
	if (dir)
		closedir(dir);
	return -1;
}

static int open_listener(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = AGENT_SOCKET };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, 64))
		die(AGENT_SOCKET);
	chmod(AGENT_SOCKET, 0600);
	return fd;
}

static void on_sigchld(int sig)
{
	(void)sig;
}

static void serve(const sigset_t *waiting)
{
	struct pollfd pfd[POLL_MAX];
	struct cmd *pcmd[POLL_MAX], *c;
	struct peer *pcl[POLL_MAX], *p;
	struct timespec tick = { .tv_nsec = 100000000 }, *timeout = NULL;
	int n = 0, ncmd, i;

	pfd[n++] = (struct pollfd){ port.fd, POLLIN | (port.out.len ? POLLOUT : 0), 0 };
	pfd[n++] = (struct pollfd){ listener, POLLIN, 0 };
	for (c = cmds; c && n + 2 < POLL_MAX; c = c->next) {
		if (c->status >= 0 && !c->told)
			timeout = &tick;
		for (i = 0; i < 2; i++) {
			if (c->fd[i] < 0 || port.out.len > KEEP_MAX)
				continue;
			pcmd[n] = c;
			pfd[n++] = (struct pollfd){ c->fd[i], POLLIN, 0 };
		}
	}
	ncmd = n;
	for (p = clients; p && n < POLL_MAX; p = p->next) {
		pcl[n] = p;
		pfd[n++] = (struct pollfd){ p->fd, POLLIN | (p->out.len ? POLLOUT : 0), 0 };
	}

	if (ppoll(pfd, n, timeout, waiting) < 0)
		for (i = 0; i < n; i++)
			pfd[i].revents = 0;
	reap();
	for (i = 2; i < ncmd; i++)
		if (pfd[i].revents)
			read_cmd(pcmd[i], pfd[i].fd == pcmd[i]->fd[1]);
	for (i = ncmd; i < n; i++)
		if (pfd[i].revents && (!read_peer(pcl[i]) || !flush_peer(pcl[i])))
			drop_client(pcl[i]);
	if (pfd[1].revents)
		new_client();
	if (pfd[0].revents && !read_peer(&port))
		die("the host is gone");
	end_cmds();
	if (!flush_peer(&port))
		die("the host is gone");
}

int main(void)
{
	struct timespec pause = { .tv_nsec = 10000000 };
	struct sigaction sa = { .sa_handler = on_sigchld };
	struct pollfd pfd;
	sigset_t block, waiting;

	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, &waiting);
	sigaction(SIGCHLD, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	mlockall(MCL_CURRENT | MCL_FUTURE);

	/* Both ends of the port come up on their own */
	while ((port.fd = open_port()) < 0)
		nanosleep(&pause, NULL);
	for (;;) {
		pfd = (struct pollfd){ port.fd, POLLOUT, 0 };
		if (poll(&pfd, 1, 10) > 0 && !(pfd.revents & POLLHUP))
			break;
		nanosleep(&pause, NULL);
	}
	listener = open_listener();
	send_frame(&port, FRAME_READY, 0, NULL, 0);
	for (;;)
		serve(&waiting);
}
