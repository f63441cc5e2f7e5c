// SPDX-License-Identifier: GPL-2.0
/* What every command needs: options, a handle, the region it is about. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "name.h"

#define MAX_OPTIONS	32

int ctl_open(struct ctl *ctl)
{
	int err = memsync_open(&ctl->ms);

	if (!err)
		return EXIT_DONE;
	if (err == -ENOENT || err == -EPROTONOSUPPORT)
		return ctl_fail(ctl, "the memsync module is not loaded: modprobe memsync");
	return ctl_fail(ctl, "cannot reach the memsync module: %s", strerror(-err));
}

static size_t with_common(struct option *all, const struct option *options)
{
	static const struct option common[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ },
	};
	size_t nr = 0;

	while (options && options[nr].name && nr < MAX_OPTIONS) {
		all[nr] = options[nr];
		nr++;
	}
	memcpy(all + nr, common, sizeof(common));
	return nr;
}

static int help(struct ctl *ctl)
{
	command_usage(ctl->command);
	ctl->status = EXIT_DONE;
	return '?';
}

int ctl_getopt(struct ctl *ctl, int argc, char **argv, const struct option *options)
{
	struct option all[MAX_OPTIONS + 3];
	int c;

	with_common(all, options);
	opterr = 0;
	do {	/* main() has seen -j */
		c = getopt_long(argc, argv, ":jh", all, NULL);
	} while (c == 'j');
	if (c == 'h')
		return help(ctl);
	if (c == ':')
		ctl->status = ctl_usage(ctl, "%s needs an argument", argv[optind - 1]);
	else if (c == '?' && optopt > ' ' && optopt < 127)
		ctl->status = ctl_usage(ctl, "%s: unknown option -%c", ctl->command->name, optopt);
	else if (c == '?')
		ctl->status = ctl_usage(ctl, "%s: unknown or ambiguous option %s",
					ctl->command->name, argv[optind - 1]);
	return c == ':' ? '?' : c;
}

const char *ctl_name_arg(struct ctl *ctl, int argc, char **argv)
{
	struct problem p;

	if (optind == argc) {
		ctl->status = ctl_usage(ctl, "%s needs the NAME of a region", ctl->command->name);
		return NULL;
	}
	if (optind + 1 < argc) {
		ctl->status = ctl_usage(ctl, "%s: too many arguments: %s", ctl->command->name,
					argv[optind + 1]);
		return NULL;
	}
	if (name_check(argv[optind], &p)) {
		ctl->status = ctl_usage(ctl, "%s", p.text);
		return NULL;
	}
	return argv[optind];
}

int ctl_find(struct ctl *ctl, const char *name, bool sink, struct memsync_region **region)
{
	int err;

	*region = NULL;
	if (ctl_open(ctl))
		return EXIT_FAILED;
	err = memsync_region_find(ctl->ms, name, sink ? MEMSYNC_ROLE_SINK : 0, region);
	if (err)
		return ctl_fail_attr(ctl, memsync_error_attr(ctl->ms), "%s",
				     memsync_error(ctl->ms));
	return EXIT_DONE;
}
