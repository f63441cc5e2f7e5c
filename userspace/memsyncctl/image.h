/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CTL_IMAGE_H
#define _CTL_IMAGE_H

#include <stdbool.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <memsync.h>

#include "problem.h"

/* A file that appears under its name when it is whole, or not at all. */
struct image {
	const char *path;
	char *temporary;
	int fd;
	int mem;		/* /proc/PID/mem */
	pid_t pid;
	char *buffer;
};

/* All return 0, or -1 with a problem. @pid_start: it must be that process. */
int image_open(struct image *image, const char *path, pid_t pid, uint64_t pid_start,
	       struct problem *p);
/* Copies the ranges to their offsets; stops when *@stop is set. */
int image_copy(struct image *image, const struct memsync_range *ranges, size_t nr,
	       const volatile sig_atomic_t *stop, struct problem *p);
/* Puts it into place. */
int image_finish(struct image *image, struct problem *p);
/* Removes what has not been put into place. */
void image_close(struct image *image);

#endif /* _CTL_IMAGE_H */
