// SPDX-License-Identifier: GPL-2.0
/* The table of commands, and help made from it. */
#include <stdio.h>
#include <string.h>

#include "ctl.h"

const struct command commands[] = {
	{
		"register", cmd_register,
		"--pid PID --addr RANGE[,RANGE...] [--name NAME]\n"
		"  [--peer HOST[:PORT][/NAME]]... [--follow] [--compare] [--plaintext]\n"
		"  [--interval TIME] [--wait [--timeout S]]\n"
		"--pid PID --addr RANGE[,RANGE...] --name NAME --sink\n"
		"  [--from ADDR[/LEN]]... [--plaintext] [--wait [--timeout S]]",
		"keep a process's memory in step with a peer",
		"RANGE    START-END, START+LENGTH (0x hex or decimal, K M G T; /proc/PID/maps' bare hex\n"
		"         where it has a letter), [heap], [stack], a mapping's path, anon, all\n"
		"--name   1 to 63 of A-Z a-z 0-9 . _ @ -; the process's name if not given\n"
		"--peer   where to ship to; port 7420 if not given; /NAME is the sink's name there\n"
		"--follow what the process maps later, too; with anon or all\n"
		"--compare  also memory whose changes show only by reading all of it each time\n"
		"--sink   the process's memory is written, by a source of this name\n"
		"--from   who may be the source; needed off loopback\n"
		"--plaintext  off loopback, allow what is not encrypted\n"
		"--interval   between passes, such as 10ms\n"
		"--wait   until the first pass is done",
	}, {
		"receive", cmd_receive,
		"--name NAME [--file PATH [--resume]] [--max-size SIZE]\n"
		"  [--from ADDR[/LEN]]... [--plaintext]",
		"hold a replica without a process of its own, until interrupted",
		"--file      keep it in PATH, a new file\n"
		"--resume    go on with an existing file of the same size\n"
		"--max-size  refuse a source with more\n"
		"--from      who may be the source; needed off loopback\n"
		"--plaintext off loopback, allow what is not encrypted",
	}, {
		"unregister", cmd_unregister, "NAME [--sink]",
		"end a region; a sink keeps the memory as it is", NULL,
	}, {
		"peer", cmd_peer, "add|del NAME HOST[:PORT][/NAME]",
		"ship a source to one more or one less peer", NULL,
	}, {
		"pause", cmd_pause, "NAME [--sink]",
		"stop shipping; tracking goes on", NULL,
	}, {
		"resume", cmd_resume, "NAME [--sink] [--interval TIME]",
		"ship again", "--interval   between passes from now on, such as 10ms",
	}, {
		"listen", cmd_listen, "[HOST][:PORT] [--plaintext]",
		"take connections of sources; without HOST on loopback only",
		"--plaintext  off loopback, allow what is not encrypted",
	}, {
		"unlisten", cmd_unlisten, "[HOST][:PORT]",
		"stop taking connections there", NULL,
	}, {
		"show", cmd_show, "[NAME [--sink]]",
		"regions and how they are; the default command", NULL,
	}, {
		"sync", cmd_sync, "NAME [--timeout S]",
		"wait until all earlier writes are applied at every peer",
		"--timeout  seconds, 30 if not given; then exit status 4",
	}, {
		"verify", cmd_verify, "NAME [--timeout S]",
		"compare with the peer; exit status 3 where they differ", NULL,
	}, {
		"save", cmd_save, "NAME --sink PATH [--timeout S] [--lease S]",
		"write a replica as of its last barrier to a file",
		"--timeout  to wait for the pass under way, seconds, 30 if not given\n"
		"--lease    how long the replica may be held while it is copied, seconds",
	}, {
		"monitor", cmd_monitor, "",
		"events, one a line, as they happen", NULL,
	}, {
		"status", cmd_status, "",
		"module, versions, features, limits, hook, listeners", NULL,
	}, {
		"help", cmd_help, "[COMMAND]",
		"this, or more about a command", NULL,
	},
};

const size_t nr_commands = ARRAY_SIZE(commands);

const struct command *command_find(const char *name)
{
	size_t i;

	for (i = 0; i < nr_commands; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

/* The name goes before each line that does not continue one. */
static void print_synopsis(const struct command *command)
{
	const char *line = command->usage;
	const char *lead = "usage:";

	do {
		int len = strcspn(line, "\n");

		if (*line == ' ')
			printf("         %.*s\n", len, line);
		else
			printf("%-6s memsyncctl [-j] %s%s%.*s\n", lead, command->name,
			       len ? " " : "", len, line);
		lead = "";
		line += len;
	} while (*line++);
}

void command_usage(const struct command *command)
{
	print_synopsis(command);
	printf("\n%s\n", command->summary);
	if (command->details)
		printf("\n%s\n", command->details);
}

static void usage(void)
{
	size_t i;

	puts("usage: memsyncctl [-j] COMMAND [ARGUMENT...]\n");
	for (i = 0; i < nr_commands; i++)
		printf("  %-11s %s\n", commands[i].name, commands[i].summary);
	puts("\n-j, --json      print JSON\n"
	     "-h, --help      this, or after a command more about it\n"
	     "-V, --version   this tool's version\n\n"
	     "exit status: 0 done, 1 failed, 2 usage, 3 different (verify), 4 timed out");
}

int cmd_help(struct ctl *ctl, int argc, char **argv)
{
	const struct command *about;

	if (ctl_getopt(ctl, argc, argv, NULL) != -1)
		return ctl->status;
	if (optind == argc) {
		usage();
		return EXIT_DONE;
	}
	about = command_find(argv[optind]);
	if (!about)
		return ctl_usage(ctl, "there is no command %s", argv[optind]);
	if (optind + 1 < argc)
		return ctl_usage(ctl, "help: too many arguments: %s", argv[optind + 1]);
	command_usage(about);
	return EXIT_DONE;
}
