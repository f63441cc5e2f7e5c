/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Points at which a build for tests can be told to wait, so that what must not come
 * in between does. In /sys/module/memsync/parameters:
 *
 * delay_NAME: all who come there wait so many microseconds.
 * park_NAME: 1, the next who comes is parked, and it becomes 2; 0 lets him go, and 1, too,
 * where he is the next to come. After 12 s he goes by himself, and it becomes 3.
 */
#ifndef _MEMSYNC_DELAY_H
#define _MEMSYNC_DELAY_H

enum memsync_delay {
	MEMSYNC_DELAY_ENTRY,		/* fault: hinted at, not handled yet */
	MEMSYNC_DELAY_EXIT,		/* fault: handled, not hinted at again */
	MEMSYNC_DELAY_BEFORE,		/* notifier: not begun yet */
	MEMSYNC_DELAY_START,		/* notifier: begun, nothing promoted yet */
	MEMSYNC_DELAY_STARTED,		/* notifier: promoted, the change is yet to come */
	MEMSYNC_DELAY_CHANGED,		/* notifier: about to end, nothing promoted yet */
	MEMSYNC_DELAY_END,		/* notifier: promoted, what is gone not marked yet */
	MEMSYNC_DELAY_TAKEN,		/* harvest: hints taken, nothing looked at yet */
	MEMSYNC_DELAY_PART,		/* harvest: one part of a block looked at, not the next */
	MEMSYNC_DELAY_PROTECTED,	/* harvest: protected, not flushed yet */
	MEMSYNC_DELAY_FOUND,		/* harvest: done, content not read yet */
	MEMSYNC_DELAY_GROW,		/* track: replaced, marks not taken over yet */
	MEMSYNC_DELAY_PAUSED,		/* peer: seen to be paused, barriers not given up yet */

	MEMSYNC_DELAYS
};

#ifdef MEMSYNC_CAN_WAIT
void memsync_delay(enum memsync_delay point);
void memsync_delay_asleep(enum memsync_delay point);
#else
static inline void memsync_delay(enum memsync_delay point)
{
}

static inline void memsync_delay_asleep(enum memsync_delay point)
{
}
#endif

#endif /* _MEMSYNC_DELAY_H */
