/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * memsync: generic netlink interface
 *
 * Described by include/netlink/memsync.yaml; a test keeps the two in step.
 */
#ifndef _UAPI_LINUX_MEMSYNC_H
#define _UAPI_LINUX_MEMSYNC_H

#define MEMSYNC_GENL_NAME	"memsync"
#define MEMSYNC_GENL_VERSION	1
#define MEMSYNC_MCGRP_EVENTS	"events"

#define MEMSYNC_DEFAULT_PORT	7420
/* Longest name, reason and module version, without the closing NUL. */
#define MEMSYNC_NAME_MAX	63
#define MEMSYNC_REASON_MAX	255

enum memsync_role {
	MEMSYNC_ROLE_SOURCE = 1,
	MEMSYNC_ROLE_SINK,
};

/**
 * enum memsync_region_state - life of a region
 * @MEMSYNC_REGION_NEW: being put together; ranges may be added
 * @MEMSYNC_REGION_WAITING: a sink that takes its geometry from its first
 *	source, which has not come or has not been answered yet
 * @MEMSYNC_REGION_ATTACHED: started; no peer yet
 * @MEMSYNC_REGION_SYNCING: the first pass is under way
 * @MEMSYNC_REGION_SYNCED: the first pass is done
 * @MEMSYNC_REGION_DISCONNECTED: the peer is lost; a source keeps trying
 * @MEMSYNC_REGION_FINALIZING: the last pass is under way
 * @MEMSYNC_REGION_GONE: ended, for the reason given; listed until unregistered
 */
enum memsync_region_state {
	MEMSYNC_REGION_NEW = 1,
	MEMSYNC_REGION_WAITING,
	MEMSYNC_REGION_ATTACHED,
	MEMSYNC_REGION_SYNCING,
	MEMSYNC_REGION_SYNCED,
	MEMSYNC_REGION_DISCONNECTED,
	MEMSYNC_REGION_FINALIZING,
	MEMSYNC_REGION_GONE,
};

enum memsync_peer_state {
	MEMSYNC_PEER_CONNECTING = 1,
	MEMSYNC_PEER_CONNECTED,
	MEMSYNC_PEER_WAITING,		/* for the next try */
	MEMSYNC_PEER_FAILED,		/* the peer refused for good */
};

enum memsync_hook_state {
	MEMSYNC_HOOK_OFF = 1,		/* no region needs it */
	MEMSYNC_HOOK_ACTIVE,
	MEMSYNC_HOOK_DEAD,		/* ftrace shut itself down */
};

enum memsync_region_flags {
	MEMSYNC_REGION_F_PLAINTEXT = 1 << 0,	/* may cross a network in clear */
	MEMSYNC_REGION_F_OPEN = 1 << 1,		/* sink: geometry from its first source */
	MEMSYNC_REGION_F_PAUSED = 1 << 2,	/* tracking goes on, shipping rests */
	MEMSYNC_REGION_F_SHIPPED = 1 << 3,	/* source: all is dirty until it has a peer */
	MEMSYNC_REGION_F_FOLLOW = 1 << 4,	/* source: takes up memory that comes later */
	MEMSYNC_REGION_F_FOLLOW_FILES = 1 << 5,	/* and private mappings of files, with FOLLOW */
	MEMSYNC_REGION_F_COMPARE = 1 << 6,	/* source: may have memory to be compared */
};

enum memsync_event_type {
	MEMSYNC_EVENT_REGION_STATE = 1,	/* region-get's attributes but DIRTY, STATS, FROM */
	MEMSYNC_EVENT_REGION_DELETED,
	MEMSYNC_EVENT_PEER_STATE,	/* peer-get's attributes */
	MEMSYNC_EVENT_PEER_DELETED,
	MEMSYNC_EVENT_GEOMETRY,		/* an open sink's source offers LENGTH…, PAGES in all */
	MEMSYNC_EVENT_BARRIER,		/* BARRIER_ID reached, or ERRNO and REASON */
	MEMSYNC_EVENT_VERIFY,		/* verify done, or ERRNO and REASON */
	MEMSYNC_EVENT_HELD,		/* a sink rests at BARRIER_ID, or ERRNO and REASON */
	MEMSYNC_EVENT_LISTENER,		/* listener added or removed */
};

/* What a memsync_attr of type MEMSYNC_A_STATS holds; all u64. */
enum memsync_stats_attr {
	MEMSYNC_STATS_UNSPEC,
	MEMSYNC_STATS_PAD,
	MEMSYNC_STATS_WRITE_FAULTS,
	MEMSYNC_STATS_PASSES,
	MEMSYNC_STATS_HARVEST_NS,
	MEMSYNC_STATS_HARVESTED_PAGES,
	MEMSYNC_STATS_SHIPPED_PAGES,
	MEMSYNC_STATS_SHIPPED_BYTES,
	MEMSYNC_STATS_ZERO_PAGES,
	MEMSYNC_STATS_APPLIED_PAGES,
	MEMSYNC_STATS_RECONNECTS,
	MEMSYNC_STATS_RESYNC_PAGES,
	MEMSYNC_STATS_TRACKING_BYTES,
	MEMSYNC_STATS_LAST_BARRIER_NS,	/* how long the last barrier took */

	__MEMSYNC_STATS_MAX,
	MEMSYNC_STATS_MAX = __MEMSYNC_STATS_MAX - 1
};

/* An address inside MEMSYNC_A_ADDR or MEMSYNC_A_FROM. */
enum memsync_addr_attr {
	MEMSYNC_ADDR_UNSPEC,
	MEMSYNC_ADDR_IPV4,	/* binary, 4 bytes */
	MEMSYNC_ADDR_IPV6,	/* binary, 16 bytes */
	MEMSYNC_ADDR_PORT,	/* u16, host order */
	MEMSYNC_ADDR_SCOPE,	/* u32, interface index of a link-local address */
	MEMSYNC_ADDR_PREFIX,	/* u8, bits, in MEMSYNC_A_FROM */

	__MEMSYNC_ADDR_MAX,
	MEMSYNC_ADDR_MAX = __MEMSYNC_ADDR_MAX - 1
};

/* A stretch inside MEMSYNC_A_MISMATCH; both u64, bytes. */
enum memsync_mismatch_attr {
	MEMSYNC_MISMATCH_UNSPEC,
	MEMSYNC_MISMATCH_PAD,
	MEMSYNC_MISMATCH_OFFSET,	/* in the replica */
	MEMSYNC_MISMATCH_LENGTH,
	MEMSYNC_MISMATCH_START,		/* address at the source */

	__MEMSYNC_MISMATCH_MAX,
	MEMSYNC_MISMATCH_MAX = __MEMSYNC_MISMATCH_MAX - 1
};

enum memsync_attr {
	MEMSYNC_A_UNSPEC,
	MEMSYNC_A_PAD,
	MEMSYNC_A_ID,			/* u32, region */
	MEMSYNC_A_NAME,			/* string, 1 to 63 of [A-Za-z0-9._@-] */
	MEMSYNC_A_ROLE,			/* u32, enum memsync_role */
	MEMSYNC_A_STATE,		/* u32, enum memsync_region_state */
	MEMSYNC_A_REASON,		/* string */
	MEMSYNC_A_ERRNO,		/* s32, negative */
	MEMSYNC_A_PID,			/* u32, in the caller's pid namespace */
	MEMSYNC_A_PID_START,		/* u64, start time as in /proc/PID/stat */
	MEMSYNC_A_FLAGS,		/* u32, enum memsync_region_flags */
	MEMSYNC_A_INTERVAL_US,		/* u32, microseconds between passes */
	MEMSYNC_A_MAX_SIZE,		/* u64, bytes an open sink takes at most */
	MEMSYNC_A_START,		/* u64, address */
	MEMSYNC_A_END,			/* u64, address */
	MEMSYNC_A_OFFSET,		/* u64, bytes into the replica */
	MEMSYNC_A_LENGTH,		/* u64, bytes; multi in the geometry event */
	MEMSYNC_A_PAGES,		/* u64 */
	MEMSYNC_A_DIRTY,		/* u64, pages */
	MEMSYNC_A_LAG_PAGES,		/* u64, dirty or shipped and not yet applied */
	MEMSYNC_A_BARRIER_ID,		/* u64 */
	MEMSYNC_A_BARRIER_TIME,		/* u64, nanoseconds since the epoch */
	MEMSYNC_A_MID_PASS,		/* u8, bool */
	MEMSYNC_A_STATS,		/* nest, enum memsync_stats_attr */
	MEMSYNC_A_FROM,			/* nest, multi: who may be a sink's source */
	MEMSYNC_A_ADDR,			/* nest, enum memsync_addr_attr */
	MEMSYNC_A_PEER_NAME,		/* string, the sink's name at the peer */
	MEMSYNC_A_PEER_STATE,		/* u32, enum memsync_peer_state */
	MEMSYNC_A_PLAINTEXT,		/* u8, bool: of a listener or connection */
	MEMSYNC_A_TIMEOUT_MS,		/* u32 */
	MEMSYNC_A_COMPARED,		/* u64, pages */
	MEMSYNC_A_DIFFERENT,		/* u64, pages */
	MEMSYNC_A_CHANGING,		/* u64, pages that changed while compared */
	MEMSYNC_A_MISMATCH,		/* nest, multi: the first differences */
	MEMSYNC_A_EVENT_TYPE,		/* u32, enum memsync_event_type */
	MEMSYNC_A_EVENT_SEQ,		/* u64, counts the events of one network namespace */
	MEMSYNC_A_MODULE_VERSION,	/* string */
	MEMSYNC_A_WIRE_MIN,		/* u32 */
	MEMSYNC_A_WIRE_MAX,		/* u32 */
	MEMSYNC_A_FEATURES,		/* u64 */
	MEMSYNC_A_HOOK_STATE,		/* u32, enum memsync_hook_state */
	MEMSYNC_A_MAX_REGIONS,		/* u32, of one network namespace */
	MEMSYNC_A_MAX_RANGES,		/* u32, of one region */
	MEMSYNC_A_MAX_PEERS,		/* u32, of one region */

	__MEMSYNC_A_MAX,
	MEMSYNC_A_MAX = __MEMSYNC_A_MAX - 1
};

/*
 * A region is named by MEMSYNC_A_ID, or by MEMSYNC_A_NAME and optionally
 * MEMSYNC_A_ROLE (without it the source where both exist).
 */
enum memsync_cmd {
	MEMSYNC_CMD_UNSPEC,
	MEMSYNC_CMD_INFO,		/* do */
	MEMSYNC_CMD_REGION_NEW,		/* do: NAME ROLE PID, and settings; answers ID */
	MEMSYNC_CMD_REGION_DEL,		/* do */
	MEMSYNC_CMD_REGION_SET,		/* do: FLAGS (paused) INTERVAL_US */
	MEMSYNC_CMD_REGION_START,	/* do */
	MEMSYNC_CMD_REGION_GET,		/* do, dump */
	MEMSYNC_CMD_RANGE_ADD,		/* do: START END; may answer a geometry event */
	MEMSYNC_CMD_RANGE_GET,		/* dump: START END OFFSET; of an offer OFFSET LENGTH */
	MEMSYNC_CMD_PEER_ADD,		/* do: ADDR [PEER_NAME] */
	MEMSYNC_CMD_PEER_DEL,		/* do: ADDR [PEER_NAME] */
	MEMSYNC_CMD_PEER_GET,		/* dump of one region */
	MEMSYNC_CMD_LISTENER_NEW,	/* do: ADDR PLAINTEXT */
	MEMSYNC_CMD_LISTENER_DEL,	/* do: ADDR */
	MEMSYNC_CMD_LISTENER_GET,	/* dump */
	MEMSYNC_CMD_BARRIER_START,	/* do: answers BARRIER_ID; done by event */
	MEMSYNC_CMD_VERIFY_START,	/* do: done by event */
	MEMSYNC_CMD_HOLD,		/* do: a sink rests for TIMEOUT_MS; done by event */
	MEMSYNC_CMD_RELEASE,		/* do: error if the hold ran out before */
	MEMSYNC_CMD_REFUSE,		/* do: REASON; declines an offered geometry */
	MEMSYNC_CMD_EVENT,		/* multicast */

	__MEMSYNC_CMD_MAX,
	MEMSYNC_CMD_MAX = __MEMSYNC_CMD_MAX - 1
};

#endif /* _UAPI_LINUX_MEMSYNC_H */
