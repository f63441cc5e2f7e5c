// SPDX-License-Identifier: GPL-2.0
/* How a command says that it failed. */
#include <stdarg.h>
#include <stdio.h>

#include "ctl.h"
#include "out.h"
#include "problem.h"

static void report(const struct ctl *ctl, const char *attr, const char *text)
{
	struct json_object *obj;
	char safe[4 * 1024];

	if (!ctl->json) {
		fprintf(stderr, "memsyncctl: %s\n", out_escape(safe, sizeof(safe), text));
		return;
	}
	obj = json_object_new_object();
	out_string(obj, "error", text);
	out_string(obj, "attr", attr);
	out_json_line(obj);
}

int ctl_fail(struct ctl *ctl, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	report(ctl, NULL, text);
	return EXIT_FAILED;
}

int ctl_fail_attr(struct ctl *ctl, const char *attr, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	report(ctl, attr, text);
	return EXIT_FAILED;
}

int ctl_usage(struct ctl *ctl, const char *fmt, ...)
{
	const char *name = ctl->command ? ctl->command->name : NULL;
	char text[1024];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (!ctl->json && len < (int)sizeof(text))
		snprintf(text + len, sizeof(text) - len, " (see memsyncctl help%s%s)",
			 name ? " " : "", name ? name : "");
	report(ctl, NULL, text);
	return EXIT_USAGE;
}

int ctl_timeout(struct ctl *ctl, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	report(ctl, NULL, text);
	return EXIT_TIMEOUT;
}

int ctl_fail_lib(struct ctl *ctl, const char *fmt, ...)
{
	char what[512], text[1100];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	snprintf(text, sizeof(text), "%s: %s", what, memsync_error(ctl->ms));
	report(ctl, memsync_error_attr(ctl->ms), text);
	return EXIT_FAILED;
}

void ctl_note(const char *fmt, ...)
{
	char text[1024], safe[4 * 1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fprintf(stderr, "memsyncctl: %s\n", out_escape(safe, sizeof(safe), text));
}

int problem(struct problem *p, const char *fmt, ...)
{
	va_list args;

	p->attr = NULL;
	va_start(args, fmt);
	vsnprintf(p->text, sizeof(p->text), fmt, args);
	va_end(args);
	return -1;
}

int problem_attr(struct problem *p, const char *attr, const char *fmt, ...)
{
	va_list args;

	p->attr = attr;
	va_start(args, fmt);
	vsnprintf(p->text, sizeof(p->text), fmt, args);
	va_end(args);
	return -1;
}

int ctl_problem(struct ctl *ctl, const struct problem *p)
{
	return p->attr ? ctl_fail_attr(ctl, p->attr, "%s", p->text) : ctl_usage(ctl, "%s", p->text);
}
