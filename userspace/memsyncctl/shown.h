/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CTL_SHOWN_H
#define _CTL_SHOWN_H

#include <stddef.h>

#include "ctl.h"
#include "out.h"
#include "range.h"

/* A region with all that is told about it. */
struct shown {
	struct memsync_region region;
	struct memsync_range *ranges;
	size_t nr_ranges;
	struct memsync_peer *peers;
	size_t nr_peers;
};

/* shown.c: 0 or the library's negative errno. */
int shown_load(struct memsync *ms, const struct memsync_region *region, struct shown *shown);
void shown_free(struct shown *shown);

/* shown-json.c */
struct json_object *shown_json(const struct shown *shown);
struct json_object *peer_json(const struct memsync_peer *peer);
/* {id, time} or null. */
struct json_object *barrier_json(uint64_t id, uint64_t time);
struct json_object *left_out_json(const struct ranges *ranges);

/* shown-text.c */
void shown_text(const struct shown *shown);
void shown_table(const struct shown *shown, size_t nr);
uint64_t page_bytes(uint64_t pages);
/* "redis: region 1, 65536 pages (256.0 MiB) in 3 ranges"; returns @text. */
#define SHOWN_SUMMARY	200
const char *shown_summary(char text[SHOWN_SUMMARY], const struct shown *shown);

#endif /* _CTL_SHOWN_H */
