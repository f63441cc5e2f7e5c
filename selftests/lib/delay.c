// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "delay.h"
#include "pair.h"

#define PARAMETERS	"/sys/module/memsync/parameters/"
#define PARKED		'2'
#define GAVE_UP		'3'
#define AWAIT_S		60

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

/* One of the digits of kmod/delay.h, or 0 */
static char park_state(const char *point)
{
	char path[96], state = 0;
	int fd;

	snprintf(path, sizeof(path), PARAMETERS "park_%s", point);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (read(fd, &state, 1) != 1)
		state = 0;
	close(fd);
	return state;
}

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

const char *park_await(const char *point)
{
	time_t end = seconds() + AWAIT_S;
	char state;

	do {
		usleep(1000);
		state = park_state(point);
	} while (state != PARKED && state != GAVE_UP && seconds() < end);
	if (state == PARKED)
		return NULL;
	return pair_fail(state == GAVE_UP ? "who came to %s has gone" : "nobody came to %s", point);
}

const char *park_end(const char *point)
{
	char state = park_state(point);

	if (put("park", point, 0))
		return "there is no such point";
	return state == PARKED ? NULL : "nobody waits there any more";
}
