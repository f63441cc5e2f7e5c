// SPDX-License-Identifier: LGPL-2.1-or-later
/* Receiving: a sink in the caller's memory, mapped when its size is known. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

struct memsync_sink {
	struct memsync *ms;
	struct memsync_events *events;
	uint32_t id;
	bool ended;
	uint64_t *offered;
};

static int register_open(struct memsync *ms, const struct memsync_sink_opts *o, uint32_t *id)
{
	struct ms_region_new new = {
		.name = o->name,
		.role = MEMSYNC_ROLE_SINK,
		.pid = getpid(),
		.flags = o->flags | MEMSYNC_REGION_F_OPEN,
		.max_size = o->max_size,
		.from = o->from,
		.nr_from = o->nr_from,
	};

	if (memsync_pid_start(new.pid, &new.pid_start))
		return ms_fail(ms, -ESRCH, "cannot read the start time of this process");
	return ms_region_new(ms, &new, id);
}

int memsync_sink_open(struct memsync *ms, const struct memsync_sink_opts *o,
		      struct memsync_sink **out)
{
	struct memsync_sink *sink;
	int err;

	*out = NULL;
	if (o->size < sizeof(*o) || !o->name)
		return ms_fail(ms, -EINVAL, "memsync_sink_open: bad options");
	sink = calloc(1, sizeof(*sink));
	if (!sink)
		return ms_fail(ms, -ENOMEM, "out of memory");
	sink->ms = ms;
	/* First, so that the first source's offer cannot be missed. */
	err = memsync_events_open(ms, &sink->events);
	if (!err)
		err = register_open(ms, o, &sink->id);
	if (err) {
		memsync_events_close(sink->events);
		free(sink);
		return err;
	}
	*out = sink;
	return 0;
}

uint32_t memsync_sink_id(const struct memsync_sink *sink)
{
	return sink->id;
}

struct memsync_events *memsync_sink_events(struct memsync_sink *sink)
{
	return sink->events;
}

int memsync_sink_offered(struct memsync_sink *sink, const uint64_t **lengths, size_t *nr)
{
	size_t i, nr_ranges, nr_offered = 0;
	struct ms_range *ranges;
	int err;

	err = ms_ranges(sink->ms, sink->id, &ranges, &nr_ranges);
	if (err)
		return err;
	free(sink->offered);
	sink->offered = calloc(nr_ranges + 1, sizeof(*sink->offered));
	for (i = 0; sink->offered && i < nr_ranges; i++)
		if (ranges[i].length)
			sink->offered[nr_offered++] = ranges[i].length;
	free(ranges);
	if (!sink->offered)
		return ms_fail(sink->ms, -ENOMEM, "out of memory");
	*nr = nr_offered;
	*lengths = sink->offered;
	return 0;
}

int memsync_sink_accept(struct memsync_sink *sink, const struct memsync_range *ranges,
			size_t nr_ranges)
{
	return ms_region_populate(sink->ms, sink->id, ranges, nr_ranges);
}

/* It is shown on the source's terminals, so the module takes no control characters. */
static void copy_reason(char text[MEMSYNC_REASON_MAX + 1], const char *reason)
{
	size_t i;

	for (i = 0; i < MEMSYNC_REASON_MAX && reason[i]; i++)
		text[i] = reason[i] < ' ' || reason[i] > '~' ? '?' : reason[i];
	text[i] = '\0';
}

int memsync_sink_refuse(struct memsync_sink *sink, const char *reason)
{
	struct nl_msg *msg = ms_region_msg(sink->ms, MEMSYNC_CMD_REFUSE, 0, sink->id);
	char text[MEMSYNC_REASON_MAX + 1];

	copy_reason(text, reason);
	if (msg && nla_put_string(msg, MEMSYNC_A_REASON, text))
		return ms_full(sink->ms, msg);
	return ms_do(sink->ms, msg);
}

int memsync_sink_end(struct memsync_sink *sink)
{
	sink->ended = true;
	return memsync_unregister(sink->ms, sink->id);
}

void memsync_sink_close(struct memsync_sink *sink)
{
	if (!sink)
		return;
	if (!sink->ended)
		ms_region_undo(sink->ms, sink->id);
	memsync_events_close(sink->events);
	free(sink->offered);
	free(sink);
}
