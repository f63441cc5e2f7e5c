/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CTL_H
#define _CTL_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <memsync.h>

#include "problem.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define FORMAT(f, a)	__attribute__((format(printf, f, a)))

enum exit_status {
	EXIT_DONE,
	EXIT_FAILED,
	EXIT_USAGE,
	EXIT_DIFFERENT,
	EXIT_TIMEOUT,
};

struct command;

struct ctl {
	const struct command *command;
	struct memsync *ms;
	bool json;
	int status;	/* set by ctl_getopt() when it returns '?' */
};

struct command {
	const char *name;
	int (*run)(struct ctl *ctl, int argc, char **argv);
	const char *usage;	/* lines of arguments, without the names */
	const char *summary;
	const char *details;	/* NULL: the summary says all */
};

/* Bound to a command by the table in commands.c. */
int cmd_help(struct ctl *ctl, int argc, char **argv);
int cmd_listen(struct ctl *ctl, int argc, char **argv);
int cmd_monitor(struct ctl *ctl, int argc, char **argv);
int cmd_pause(struct ctl *ctl, int argc, char **argv);
int cmd_peer(struct ctl *ctl, int argc, char **argv);
int cmd_receive(struct ctl *ctl, int argc, char **argv);
int cmd_register(struct ctl *ctl, int argc, char **argv);
int cmd_resume(struct ctl *ctl, int argc, char **argv);
int cmd_save(struct ctl *ctl, int argc, char **argv);
int cmd_show(struct ctl *ctl, int argc, char **argv);
int cmd_status(struct ctl *ctl, int argc, char **argv);
int cmd_sync(struct ctl *ctl, int argc, char **argv);
int cmd_unlisten(struct ctl *ctl, int argc, char **argv);
int cmd_unregister(struct ctl *ctl, int argc, char **argv);
int cmd_verify(struct ctl *ctl, int argc, char **argv);

extern const struct command commands[];
extern const size_t nr_commands;
const struct command *command_find(const char *name);
void command_usage(const struct command *command);

/* fail.c: each prints what is wrong and returns the exit status to end with. */
int ctl_fail(struct ctl *ctl, const char *fmt, ...) FORMAT(2, 3);
int ctl_fail_attr(struct ctl *ctl, const char *attr, const char *fmt, ...) FORMAT(3, 4);
int ctl_usage(struct ctl *ctl, const char *fmt, ...) FORMAT(2, 3);
int ctl_timeout(struct ctl *ctl, const char *fmt, ...) FORMAT(2, 3);
/* Failed, or misused, as the problem is. */
int ctl_problem(struct ctl *ctl, const struct problem *p);
/* The library's last error, after "what: ". */
int ctl_fail_lib(struct ctl *ctl, const char *fmt, ...) FORMAT(2, 3);
/* A remark beside the command's output. */
void ctl_note(const char *fmt, ...) FORMAT(1, 2);

/* ctl.c */
int ctl_open(struct ctl *ctl);
/*
 * getopt_long() that knows -j and -h; -1 at the end, '?' when the command is
 * to end with ctl->status.
 */
int ctl_getopt(struct ctl *ctl, int argc, char **argv, const struct option *options);
/* Takes the one NAME argument; NULL with ctl->status set where there is none. */
const char *ctl_name_arg(struct ctl *ctl, int argc, char **argv);
/* 0, or an exit status after which *region is NULL. */
int ctl_find(struct ctl *ctl, const char *name, bool sink, struct memsync_region **region);

#endif /* _CTL_H */
