// SPDX-License-Identifier: GPL-2.0
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"

static void obey(int to, int from, child_step *step, pid_t parent, unsigned char *area)
{
	unsigned char what;

	while (read(to, &what, 1) == 1) {
		what = step(parent, area, what);
		if (write(from, &what, 1) != 1)
			break;
	}
}

bool child_start(struct child *c, child_step *step, unsigned char *area)
{
	pid_t parent = getpid();
	int to[2], from[2];

	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	if (pipe(to) || pipe(from))
		return false;
	c->pid = fork();
	if (!c->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(to[1]);
		obey(to[0], from[1], step, parent, area);
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	c->to = to[1];
	c->from = from[0];
	return c->pid > 0;
}

int child_tell(struct child *c, unsigned char what)
{
	if (write(c->to, &what, 1) != 1 || read(c->from, &what, 1) != 1)
		return -1;
	return what;
}

int child_end(struct child *c)
{
	int status = 0;

	close(c->to);
	close(c->from);
	/* Its younger siblings have its pipe too, so that it would not see the end. */
	kill(c->pid, SIGKILL);
	waitpid(c->pid, &status, 0);
	return status;
}
