/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef _LIBMEMSYNC_EVENTS_H
#define _LIBMEMSYNC_EVENTS_H

#include <stdint.h>

/* How many events lie between @last, 0 for none seen yet, and @seq. */
static inline uint64_t ms_events_lost(uint64_t last, uint64_t seq)
{
	return last && seq > last + 1 ? seq - last - 1 : 0;
}

/* Milliseconds of the monotonic clock. */
int64_t ms_now_ms(void);

#endif /* _LIBMEMSYNC_EVENTS_H */
