// SPDX-License-Identifier: GPL-2.0
/* What processes cost that are made and end, and have nothing to do with memsync. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define SPAWNS	50	/* in a round */
#define NOTHING	"--nothing"

/* This program in memory: a file system has its own business. */
static int copy_of_self(void)
{
	int from = open("/proc/self/exe", O_RDONLY), to = memfd_create("spawn", MFD_CLOEXEC);
	struct stat st;

	if (from < 0 || to < 0 || fstat(from, &st) ||
	    sendfile(to, from, NULL, st.st_size) != st.st_size)
		die_errno("a copy of itself");
	close(from);
	return to;
}

static void spawn(int program)
{
	static char *const args[] = { "spawn", NOTHING, NULL };
	pid_t pid = fork();
	int status;

	if (!pid) {
		fexecve(program, args, environ);
		_exit(1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		die_errno("fork");
	if (status)
		die("exec: status %d", status);
}

/* Where its memory lies decides how many page tables fork copies. */
static void lie_as_always(char **argv)
{
	int now_is = personality(0xffffffff);

	if (now_is & ADDR_NO_RANDOMIZE)
		return;
	if (now_is < 0 || personality(now_is | ADDR_NO_RANDOMIZE) < 0)
		die_errno("personality");
	execve("/proc/self/exe", argv, environ);
	die_errno("exec");
}

static uint64_t one_round(int program)
{
	uint64_t began = now();
	int i;

	for (i = 0; i < SPAWNS; i++)
		spawn(program);
	return now() - began;
}

int main(int argc, char **argv)
{
	struct samples samples = {};
	size_t rounds;
	int program;

	if (argc != 2) {
		fputs("usage: spawn ROUNDS\n", stderr);
		return 2;
	}
	if (!strcmp(argv[1], NOTHING))
		return 0;
	lie_as_always(argv);
	program = copy_of_self();
	one_round(program);
	for (rounds = number(argv[1]); rounds; rounds--) {
		rest(20);
		samples_add(&samples, one_round(program));
	}
	printf("{\"load\": \"fork and exec\", ");
	samples_print(&samples, "cost", SPAWNS);
	printf("}\n");
	return 0;
}
