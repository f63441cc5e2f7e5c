// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "delay.h"
#include "pair.h"

#define PARAMETERS	"/sys/module/memsync/parameters/"
#define PARKED		'2'

bool delays_built(void)
{
	return !access(PARAMETERS "delay_end", F_OK);
}

static int put(const char *what, const char *point, unsigned int value)
{
	char path[96], text[16];

	snprintf(path, sizeof(path), PARAMETERS "%s_%s", what, point);
	snprintf(text, sizeof(text), "%u", value);
	return file_put(path, text);
}

int delay_put(const char *point, unsigned int us)
{
	return put("delay", point, us);
}

int park_next(const char *point)
{
	return put("park", point, 1);
}

static bool is_parked(const char *point)
{
	char path[96], state = 0;
	int fd;

	snprintf(path, sizeof(path), PARAMETERS "park_%s", point);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, &state, 1) != 1)
		state = 0;
	close(fd);
	return state == PARKED;
}

const char *park_await(const char *point)
{
	unsigned int polls;

	for (polls = 0; polls < PAIR_TIMEOUT_MS && !is_parked(point); polls++)
		usleep(1000);
	return is_parked(point) ? NULL : pair_fail("nobody came to %s", point);
}

const char *park_end(const char *point)
{
	bool parked = is_parked(point);
	int err = put("park", point, 0);

	if (err)
		return pair_fail("%s: error %d", point, err);
	return parked ? NULL : pair_fail("nobody waits at %s any more", point);
}
