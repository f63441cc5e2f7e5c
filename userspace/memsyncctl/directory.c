// SPDX-License-Identifier: GPL-2.0
/* The directory that a file lies in. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "directory.h"

int directory_sync(const char *path)
{
	char *copy = strdup(path);
	int fd, ret;

	if (!copy)
		return -1;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd < 0)
		return -1;
	ret = fsync(fd);
	close(fd);
	/* Some file systems have nothing to do and say so. */
	return ret && errno != EINVAL ? -1 : 0;
}
