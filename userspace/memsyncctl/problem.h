/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CTL_PROBLEM_H
#define _CTL_PROBLEM_H

/* Why what a user asked for cannot be; for functions that print nothing. */
struct problem {
	/*
	 * The netlink attribute with which the kernel would have refused it:
	 * the command then fails. Empty: it fails for a reason of its own.
	 * NULL: it was not understood, a usage error.
	 */
	const char *attr;
	char text[640];
};

/* Both return -1, for the caller to return. */
int problem(struct problem *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int problem_attr(struct problem *p, const char *attr, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif /* _CTL_PROBLEM_H */
