/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CTL_NAME_H
#define _CTL_NAME_H

#include <linux/memsync.h>

#include "problem.h"

/* 0, or -1 with a problem: 1 to 63 of [A-Za-z0-9._@-] make a name. */
int name_check(const char *name, struct problem *p);
/* A name from a process's, which may hold anything. */
void name_from_comm(char name[MEMSYNC_NAME_MAX + 1], const char *comm);

#endif /* _CTL_NAME_H */
