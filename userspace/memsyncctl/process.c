// SPDX-License-Identifier: GPL-2.0
/* The process whose memory is meant. */
#include <stdio.h>

#include <memsync.h>

#include "name.h"
#include "process.h"

int process_look(pid_t pid, struct process *process, struct problem *p)
{
	char path[40], comm[64] = "";
	FILE *file;

	process->pid = pid;
	if (memsync_pid_start(pid, &process->start))
		return problem_attr(p, "pid", "there is no process %d", pid);
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (file) {
		if (!fgets(comm, sizeof(comm), file))
			comm[0] = '\0';
		fclose(file);
	}
	name_from_comm(process->name, comm);
	return 0;
}

int process_ranges(const struct process *process, const struct range_args *args,
		   struct ranges *ranges, struct problem *p)
{
	struct maps maps;
	int err;

	if (maps_read(process->pid, range_args_any_sort(args), &maps, p))
		return -1;
	if (!maps.nr) {
		maps_free(&maps);
		return problem_attr(p, "pid", "process %d (%s) is a kernel thread, or has ended",
				    process->pid, process->name);
	}
	err = ranges_expand(args, &maps, ranges, p);
	maps_free(&maps);
	return err;
}
