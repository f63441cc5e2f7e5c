// SPDX-License-Identifier: GPL-2.0
/* memsyncctl: keep a process's memory in step with a peer. */
#include <stdio.h>
#include <string.h>

#include "ctl.h"

/* Known before anything can go wrong, wherever it stands. */
static bool wants_json(char **argv)
{
	while (*argv && strcmp(*argv, "--")) {
		if (!strcmp(*argv, "-j") || !strcmp(*argv, "--json"))
			return true;
		argv++;
	}
	return false;
}

/* Options before the command. NULL: all is said and done. */
static const char *leading_options(struct ctl *ctl, int *argc, char ***argv)
{
	while (*argc > 1 && (*argv)[1][0] == '-') {
		const char *option = (*argv)[1];

		if (!strcmp(option, "-h") || !strcmp(option, "--help"))
			return "help";
		if (!strcmp(option, "-V") || !strcmp(option, "--version")) {
			puts("memsyncctl " MEMSYNC_VERSION);
			return NULL;
		}
		if (strcmp(option, "-j") && strcmp(option, "--json")) {
			ctl->status = ctl_usage(ctl, "unknown option %s", option);
			return NULL;
		}
		(*argc)--;
		(*argv)++;
	}
	return *argc > 1 ? (*argv)[1] : "show";
}

int main(int argc, char **argv)
{
	struct ctl ctl = { };
	const char *name;
	int status;

	ctl.json = wants_json(argv);
	name = leading_options(&ctl, &argc, &argv);
	if (!name)
		return ctl.status;
	ctl.command = command_find(name);
	if (!ctl.command)
		return ctl_usage(&ctl, "there is no command %s", name);
	/* A command sees its name as argv[0], where there is one. */
	if (argc > 1 && argv[1][0] != '-') {
		argc--;
		argv++;
	} else {
		argc = 1;
	}
	status = ctl.command->run(&ctl, argc, argv);
	memsync_close(ctl.ms);
	if (fflush(stdout) || ferror(stdout)) {
		perror("memsyncctl: writing the output");
		return EXIT_FAILED;
	}
	return status;
}
