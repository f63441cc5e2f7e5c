// SPDX-License-Identifier: GPL-2.0
/* Waiting where a test wants it; builds for tests only. */
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/nmi.h>
#include "delay.h"

#define STEP		1000U	/* us */
#define PARKED_MOST	12000	/* ms; a peer that is silent for longer is lost */

enum { PARK_NOBODY, PARK_NEXT, PARK_PARKED, PARK_GAVE_UP };

static unsigned int delays[MEMSYNC_DELAYS];	/* us */
static unsigned int parks[MEMSYNC_DELAYS];

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

module_param_named(park_entry, parks[MEMSYNC_DELAY_ENTRY], uint, 0600);
module_param_named(park_exit, parks[MEMSYNC_DELAY_EXIT], uint, 0600);
module_param_named(park_before, parks[MEMSYNC_DELAY_BEFORE], uint, 0600);
module_param_named(park_start, parks[MEMSYNC_DELAY_START], uint, 0600);
module_param_named(park_started, parks[MEMSYNC_DELAY_STARTED], uint, 0600);
module_param_named(park_changed, parks[MEMSYNC_DELAY_CHANGED], uint, 0600);
module_param_named(park_end, parks[MEMSYNC_DELAY_END], uint, 0600);
module_param_named(park_taken, parks[MEMSYNC_DELAY_TAKEN], uint, 0600);
module_param_named(park_part, parks[MEMSYNC_DELAY_PART], uint, 0600);
module_param_named(park_protected, parks[MEMSYNC_DELAY_PROTECTED], uint, 0600);
module_param_named(park_found, parks[MEMSYNC_DELAY_FOUND], uint, 0600);
module_param_named(park_grow, parks[MEMSYNC_DELAY_GROW], uint, 0600);
module_param_named(park_paused, parks[MEMSYNC_DELAY_PAUSED], uint, 0600);

static void spin(void)
{
	touch_softlockup_watchdog();
	udelay(STEP);
}

static void doze(void)
{
	fsleep(STEP);
}

static void park(enum memsync_delay point, void (*wait)(void))
{
	unsigned int *park = &parks[point];
	ktime_t end;

	if (READ_ONCE(*park) != PARK_NEXT || cmpxchg(park, PARK_NEXT, PARK_PARKED) != PARK_NEXT)
		return;
	end = ktime_add_ms(ktime_get(), PARKED_MOST);
	while (READ_ONCE(*park) == PARK_PARKED) {
		wait();
		if (ktime_after(ktime_get(), end))
			cmpxchg(park, PARK_PARKED, PARK_GAVE_UP);
	}
}

/* Any context: it does not sleep. */
void memsync_delay(enum memsync_delay point)
{
	unsigned int us = READ_ONCE(delays[point]);

	for (; us > STEP; us -= STEP)
		udelay(STEP);
	if (us)
		udelay(us);
	park(point, spin);
}

/* The CPU is free for others meanwhile: what they wait for may be about to run on it. */
void memsync_delay_asleep(enum memsync_delay point)
{
	unsigned int us = READ_ONCE(delays[point]);

	if (us)
		fsleep(us);
	park(point, doze);
}
