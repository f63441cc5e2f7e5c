// SPDX-License-Identifier: LGPL-2.1-or-later
/* Words for enumerators. */
#include "internal.h"

/* The enumerators come from a module that may be newer. */
static const char *word(const char * const *words, size_t nr, size_t value)
{
	return value < nr && words[value] ? words[value] : "unknown";
}

static const char * const roles[] = {
	[MEMSYNC_ROLE_SOURCE] = "source",
	[MEMSYNC_ROLE_SINK] = "sink",
};

static const char * const region_states[] = {
	[MEMSYNC_REGION_NEW] = "new",
	[MEMSYNC_REGION_WAITING] = "waiting",
	[MEMSYNC_REGION_ATTACHED] = "attached",
	[MEMSYNC_REGION_SYNCING] = "syncing",
	[MEMSYNC_REGION_SYNCED] = "synced",
	[MEMSYNC_REGION_DISCONNECTED] = "disconnected",
	[MEMSYNC_REGION_FINALIZING] = "finalizing",
	[MEMSYNC_REGION_GONE] = "gone",
};

static const char * const peer_states[] = {
	[MEMSYNC_PEER_CONNECTING] = "connecting",
	[MEMSYNC_PEER_CONNECTED] = "connected",
	[MEMSYNC_PEER_WAITING] = "waiting",
	[MEMSYNC_PEER_FAILED] = "failed",
};

static const char * const hook_states[] = {
	[MEMSYNC_HOOK_OFF] = "off",
	[MEMSYNC_HOOK_ACTIVE] = "active",
	[MEMSYNC_HOOK_DEAD] = "dead",
};

static const char * const events[] = {
	[MEMSYNC_EVENT_REGION_STATE] = "region-state",
	[MEMSYNC_EVENT_REGION_DELETED] = "region-deleted",
	[MEMSYNC_EVENT_PEER_STATE] = "peer-state",
	[MEMSYNC_EVENT_PEER_DELETED] = "peer-deleted",
	[MEMSYNC_EVENT_GEOMETRY] = "geometry",
	[MEMSYNC_EVENT_BARRIER] = "barrier",
	[MEMSYNC_EVENT_VERIFY] = "verify",
	[MEMSYNC_EVENT_HELD] = "held",
	[MEMSYNC_EVENT_LISTENER] = "listener",
};

static const char * const attrs[] = {
	[MEMSYNC_A_PAD] = "pad",
	[MEMSYNC_A_ID] = "id",
	[MEMSYNC_A_NAME] = "name",
	[MEMSYNC_A_ROLE] = "role",
	[MEMSYNC_A_STATE] = "state",
	[MEMSYNC_A_REASON] = "reason",
	[MEMSYNC_A_ERRNO] = "errno",
	[MEMSYNC_A_PID] = "pid",
	[MEMSYNC_A_PID_START] = "pid-start",
	[MEMSYNC_A_FLAGS] = "flags",
	[MEMSYNC_A_INTERVAL_US] = "interval-us",
	[MEMSYNC_A_MAX_SIZE] = "max-size",
	[MEMSYNC_A_START] = "start",
	[MEMSYNC_A_END] = "end",
	[MEMSYNC_A_OFFSET] = "offset",
	[MEMSYNC_A_LENGTH] = "length",
	[MEMSYNC_A_PAGES] = "pages",
	[MEMSYNC_A_DIRTY] = "dirty",
	[MEMSYNC_A_LAG_PAGES] = "lag-pages",
	[MEMSYNC_A_BARRIER_ID] = "barrier-id",
	[MEMSYNC_A_BARRIER_TIME] = "barrier-time",
	[MEMSYNC_A_MID_PASS] = "mid-pass",
	[MEMSYNC_A_STATS] = "stats",
	[MEMSYNC_A_FROM] = "from",
	[MEMSYNC_A_ADDR] = "addr",
	[MEMSYNC_A_PEER_NAME] = "peer-name",
	[MEMSYNC_A_PEER_STATE] = "peer-state",
	[MEMSYNC_A_PLAINTEXT] = "plaintext",
	[MEMSYNC_A_TIMEOUT_MS] = "timeout-ms",
	[MEMSYNC_A_COMPARED] = "compared",
	[MEMSYNC_A_DIFFERENT] = "different",
	[MEMSYNC_A_CHANGING] = "changing",
	[MEMSYNC_A_MISMATCH] = "mismatch",
	[MEMSYNC_A_EVENT_TYPE] = "event-type",
	[MEMSYNC_A_EVENT_SEQ] = "event-seq",
	[MEMSYNC_A_MODULE_VERSION] = "module-version",
	[MEMSYNC_A_WIRE_MIN] = "wire-min",
	[MEMSYNC_A_WIRE_MAX] = "wire-max",
	[MEMSYNC_A_FEATURES] = "features",
	[MEMSYNC_A_HOOK_STATE] = "hook-state",
	[MEMSYNC_A_MAX_REGIONS] = "max-regions",
	[MEMSYNC_A_MAX_RANGES] = "max-ranges",
	[MEMSYNC_A_MAX_PEERS] = "max-peers",
};

const char *memsync_role_name(enum memsync_role role)
{
	return word(roles, ARRAY_SIZE(roles), role);
}

const char *memsync_region_state_name(enum memsync_region_state state)
{
	return word(region_states, ARRAY_SIZE(region_states), state);
}

const char *memsync_peer_state_name(enum memsync_peer_state state)
{
	return word(peer_states, ARRAY_SIZE(peer_states), state);
}

const char *memsync_hook_state_name(enum memsync_hook_state state)
{
	return word(hook_states, ARRAY_SIZE(hook_states), state);
}

const char *memsync_event_name(enum memsync_event_type type)
{
	return word(events, ARRAY_SIZE(events), type);
}

const char *memsync_attr_name(unsigned int attr)
{
	return word(attrs, ARRAY_SIZE(attrs), attr);
}
