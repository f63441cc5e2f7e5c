// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "failing.h"
#include "pair.h"

#define DEBUGFS	"/sys/kernel/debug"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof(*(a)))

/* More than can fail at random */
#define TIMES	1000000

bool failing_possible(void)
{
	return !access("/proc/self/fail-nth", F_OK);
}

static const char *put_attr(const char *kind, const char *attr, unsigned int value)
{
	static char path[128];
	char text[16];

	snprintf(path, sizeof(path), DEBUGFS "/%s/%s", kind, attr);
	snprintf(text, sizeof(text), "%u", value);
	return file_put(path, text) ? path : NULL;
}

static const char *put_both(const char *attr, unsigned int value)
{
	const char *why = put_attr("failslab", attr, value);

	return why ? why : put_attr("fail_page_alloc", attr, value);
}

const char *failing_init(unsigned int min_order)
{
	static const struct {
		const char *attr;
		unsigned int value;
	} attrs[] = {
		{ "probability", 0 },
		{ "task-filter", 1 },
		{ "ignore-gfp-wait", 0 },
		{ "times", TIMES },
		{ "verbose", 0 },
	};
	const char *why;
	size_t i;

	if (access(DEBUGFS "/failslab", F_OK))
		mount("none", DEBUGFS, "debugfs", 0, NULL);
	why = put_attr("fail_page_alloc", "min-order", min_order);
	for (i = 0; i < ARRAY_SIZE(attrs) && !why; i++)
		why = put_both(attrs[i].attr, attrs[i].value);
	return why;
}

const char *failing_start(unsigned int percent, unsigned int every)
{
	const char *why = put_both("interval", every);

	return why ? why : put_both("probability", percent);
}

const char *failing_stop(void)
{
	return put_both("probability", 0);
}

long failing_count(void)
{
	char text[16] = "";
	int fd = open(DEBUGFS "/failslab/times", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return -1;
	close(fd);
	return TIMES - atol(text);
}

/* Kept open: what is allocated for an opening could fail, too. */
static int own_file(int *fd, const char *path)
{
	if (*fd < 0)
		*fd = open(path, O_RDWR | O_CLOEXEC);
	return *fd;
}

int failing_mark(bool mark)
{
	static int fd = -1;

	return pwrite(own_file(&fd, "/proc/thread-self/make-it-fail"), mark ? "1" : "0", 1, 0) < 0 ?
	       -1 : 0;
}

static bool is_of_module(const char *pid)
{
	char path[300], comm[16] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (!fgets(comm, sizeof(comm), f))
		comm[0] = 0;
	fclose(f);
	return !strncmp(comm, "memsync/", 8);
}

/* To look at a process takes the debug kernel some milliseconds. */
static unsigned int mark_from(pid_t first)
{
	unsigned int nr = 0;
	DIR *proc = opendir("/proc");
	struct dirent *d;
	char path[300];

	while (proc && (d = readdir(proc))) {
		if (atoi(d->d_name) < first || !is_of_module(d->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/make-it-fail", d->d_name);
		nr += !file_put(path, "1");
	}
	if (proc)
		closedir(proc);
	return nr;
}

/* They are younger than this process, unless pids have begun anew. */
unsigned int failing_mark_module(void)
{
	unsigned int nr = mark_from(getpid());

	return nr ? nr : mark_from(1);
}

static int nth_file(void)
{
	static int fd = -1;

	return own_file(&fd, "/proc/thread-self/fail-nth");
}

int failing_nth(unsigned int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	return pwrite(nth_file(), text, strlen(text), 0) < 0 ? -1 : 0;
}

unsigned int failing_nth_left(void)
{
	char text[16] = "";

	return pread(nth_file(), text, sizeof(text) - 1, 0) > 0 ? strtoul(text, NULL, 0) : 0;
}
