// SPDX-License-Identifier: GPL-2.0
/* memsyncctl listen, unlisten */
#include <errno.h>
#include <string.h>

#include "addr.h"
#include "ctl.h"
#include "out.h"

struct listen_args {
	struct memsync_addr addrs[2];
	unsigned int nr;
	bool plaintext;
};

static int parse(struct ctl *ctl, int argc, char **argv, bool plaintext, struct listen_args *args)
{
	static const struct option options[] = {
		{ "plaintext", no_argument, NULL, 'p' },
		{ },
	};
	struct problem p;
	int c;

	while ((c = ctl_getopt(ctl, argc, argv, plaintext ? options : NULL)) != -1) {
		if (c != 'p')
			return ctl->status;
		args->plaintext = true;
	}
	if (optind + 1 < argc)
		return ctl_usage(ctl, "%s: too many arguments: %s", ctl->command->name,
				 argv[optind + 1]);
	if (addr_read_listen(optind < argc ? argv[optind] : "", args->addrs, &args->nr, &p))
		return ctl_usage(ctl, "%s", p.text);
	return EXIT_DONE;
}

static void print_done(const struct ctl *ctl, const struct listen_args *args,
		       const char *key)
{
	struct json_object *obj, *array;
	char text[ADDR_TEXT];
	unsigned int i;

	if (!ctl->json)
		return;
	array = json_object_new_array();
	for (i = 0; i < args->nr; i++)
		json_object_array_add(array,
				      json_object_new_string(addr_text(text, &args->addrs[i])));
	obj = json_object_new_object();
	json_object_object_add(obj, key, array);
	if (!strcmp(key, "listening"))
		out_bool(obj, "plaintext", args->plaintext);
	out_json(obj);
}

/* A host without IPv6 still has its other loopback. */
static bool no_ipv6(int err)
{
	return err == -EADDRNOTAVAIL || err == -EAFNOSUPPORT;
}

int cmd_listen(struct ctl *ctl, int argc, char **argv)
{
	struct listen_args args = { };
	char text[ADDR_TEXT];
	int err, status;

	status = parse(ctl, argc, argv, true, &args);
	if (status || !args.nr)
		return status;
	if (ctl_open(ctl))
		return EXIT_FAILED;
	if (memsync_listen(ctl->ms, &args.addrs[0], args.plaintext))
		return ctl_fail_lib(ctl, "listen %s", addr_text(text, &args.addrs[0]));
	if (args.nr == 2) {
		err = memsync_listen(ctl->ms, &args.addrs[1], args.plaintext);
		if (no_ipv6(err)) {
			args.nr = 1;
		} else if (err) {
			status = ctl_fail_lib(ctl, "listen %s", addr_text(text, &args.addrs[1]));
			memsync_unlisten(ctl->ms, &args.addrs[0]);
			return status;
		}
	}
	print_done(ctl, &args, "listening");
	return EXIT_DONE;
}

int cmd_unlisten(struct ctl *ctl, int argc, char **argv)
{
	struct listen_args args = { };
	char text[ADDR_TEXT];
	int err, status;

	status = parse(ctl, argc, argv, false, &args);
	if (status || !args.nr)
		return status;
	if (ctl_open(ctl))
		return EXIT_FAILED;
	if (memsync_unlisten(ctl->ms, &args.addrs[0]))
		status = ctl_fail_lib(ctl, "unlisten %s", addr_text(text, &args.addrs[0]));
	err = args.nr == 2 ? memsync_unlisten(ctl->ms, &args.addrs[1]) : 0;
	if (!status && err && err != -ENOENT && !no_ipv6(err))
		status = ctl_fail_lib(ctl, "unlisten %s", addr_text(text, &args.addrs[1]));
	if (!status)
		print_done(ctl, &args, "unlistened");
	return status;
}
