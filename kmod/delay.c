// SPDX-License-Identifier: GPL-2.0
/* Waiting where a test wants it; builds for tests only. */
#include <linux/delay.h>
#include <linux/module.h>
#include "delay.h"

#define STEP	1000U

static unsigned int delays[MEMSYNC_DELAYS];	/* us */

module_param_named(delay_entry, delays[MEMSYNC_DELAY_ENTRY], uint, 0600);
module_param_named(delay_exit, delays[MEMSYNC_DELAY_EXIT], uint, 0600);
module_param_named(delay_before, delays[MEMSYNC_DELAY_BEFORE], uint, 0600);
module_param_named(delay_start, delays[MEMSYNC_DELAY_START], uint, 0600);
module_param_named(delay_started, delays[MEMSYNC_DELAY_STARTED], uint, 0600);
module_param_named(delay_changed, delays[MEMSYNC_DELAY_CHANGED], uint, 0600);
module_param_named(delay_end, delays[MEMSYNC_DELAY_END], uint, 0600);
module_param_named(delay_taken, delays[MEMSYNC_DELAY_TAKEN], uint, 0600);
module_param_named(delay_part, delays[MEMSYNC_DELAY_PART], uint, 0600);
module_param_named(delay_protected, delays[MEMSYNC_DELAY_PROTECTED], uint, 0600);
module_param_named(delay_found, delays[MEMSYNC_DELAY_FOUND], uint, 0600);
module_param_named(delay_grow, delays[MEMSYNC_DELAY_GROW], uint, 0600);
module_param_named(delay_paused, delays[MEMSYNC_DELAY_PAUSED], uint, 0600);

/* Any context: it does not sleep. */
void memsync_delay(enum memsync_delay point)
{
	unsigned int us = READ_ONCE(delays[point]);

	for (; us > STEP; us -= STEP)
		udelay(STEP);
	if (us)
		udelay(us);
}

/* The CPU is free for others meanwhile. */
void memsync_delay_asleep(enum memsync_delay point)
{
	unsigned int us = READ_ONCE(delays[point]);

	if (us)
		msleep(DIV_ROUND_UP(us, 1000));
}
