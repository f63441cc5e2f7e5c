/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CTL_WAIT_H
#define _CTL_WAIT_H

#include <memsync.h>

#include "ctl.h"

/*
 * Waits until region @id is synced and says how far it is on a terminal;
 * an exit status. @events was opened before the region was. @timeout_ms
 * negative: for ever.
 */
int wait_synced(struct ctl *ctl, struct memsync_events *events, uint32_t id, int timeout_ms);

#endif /* _CTL_WAIT_H */
