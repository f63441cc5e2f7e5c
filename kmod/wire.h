/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The protocol between two memsyncs. Little-endian, versioned, every frame
 * summed. Pure: no sockets, no VMAs; compiled in user space too, for a fuzzer.
 *
 *	source                     sink
 *	  | HELLO ------------------> | name, permission, versions
 *	  | GEOMETRY... ------------> | the lengths of the ranges
 *	  | <------ HELLO_ACK / ERROR |
 *	  | PAGES... ---------------> | a pass
 *	  | BARRIER ----------------> | its end: the replica is consistent
 *	  | <-------------------- ACK | what has been applied
 *	  | GROW, GEOMETRY... ------> | more ranges, before anything of them
 *	  | DIGEST... --------------> | compare
 *	  | <----------- DIGEST_REPLY |
 *	  | <--------- PING --------> | nothing to say for a second
 *	  | <--------- ERROR -------> | why the connection is closed
 */
#ifndef _MEMSYNC_WIRE_H
#define _MEMSYNC_WIRE_H

#include <linux/types.h>

#define MEMSYNC_WIRE_MAGIC		0x6e79736d	/* "msyn" */
#define MEMSYNC_WIRE_MIN		1
#define MEMSYNC_WIRE_MAX		1
#define MEMSYNC_WIRE_FEATURE_GROW	BIT_ULL(0)	/* ranges may become more */
#define MEMSYNC_WIRE_FEATURES		MEMSYNC_WIRE_FEATURE_GROW

#define MEMSYNC_WIRE_NAME_MAX		63		/* without the NUL */
#define MEMSYNC_WIRE_SESSION_LEN	16
#define MEMSYNC_WIRE_REASON_LEN		256		/* with the NUL */
#define MEMSYNC_WIRE_MAX_RANGES		65536
#define MEMSYNC_WIRE_GEOMETRY_LENGTHS	2048		/* of one frame */
#define MEMSYNC_WIRE_FRAME_PAGES	64		/* contents in one frame */
#define MEMSYNC_WIRE_FRAME_DESCS	256
#define MEMSYNC_WIRE_ZERO_RUN		0x40000U	/* pages of one zero descriptor */
#define MEMSYNC_WIRE_DIGESTS		2048		/* of one frame */
#define MEMSYNC_WIRE_DIGEST_RUN		0x40000U	/* pages of one digest */
#define MEMSYNC_WIRE_MISMATCHES		64
#define MEMSYNC_WIRE_BLOCK		4096		/* of a payload, summed at a time */

enum memsync_wire_type {
	MEMSYNC_WIRE_HELLO = 1,
	MEMSYNC_WIRE_GEOMETRY,
	MEMSYNC_WIRE_HELLO_ACK,
	MEMSYNC_WIRE_PAGES,
	MEMSYNC_WIRE_BARRIER,
	MEMSYNC_WIRE_DIGEST,
	MEMSYNC_WIRE_DIGEST_REPLY,
	MEMSYNC_WIRE_ACK,
	MEMSYNC_WIRE_PING,
	MEMSYNC_WIRE_ERROR,
	MEMSYNC_WIRE_GROW,

	__MEMSYNC_WIRE_TYPES
};

/* Header flags. */
#define MEMSYNC_WIRE_F_LAST	0x0001	/* DIGEST: now reply */

/**
 * struct memsync_wire_header - what every frame starts with
 * @magic: MEMSYNC_WIRE_MAGIC
 * @version: of the protocol; the header is the same in all
 * @type: enum memsync_wire_type
 * @flags: MEMSYNC_WIRE_F_*
 * @length: of the payload that follows, bytes
 * @reserved: zero
 * @seq: counts this direction's frames from 0
 * @sum: xxh64, seed 0, of the header with this field zero; then of each block of the
 *	payload, the sum so far being the seed. All blocks are of MEMSYNC_WIRE_BLOCK
 *	bytes but the first, which is what the others leave, so that contents of pages
 *	are blocks of their own.
 */
struct memsync_wire_header {
	__le32 magic;
	u8 version;
	u8 type;
	__le16 flags;
	__le32 length;
	__le32 reserved;
	__le64 seq;
	__le64 sum;
};

struct memsync_wire_hello {
	__le16 version_min;
	__le16 version_max;
	__le32 page_size;
	__le64 features;
	u8 session[MEMSYNC_WIRE_SESSION_LEN];	/* the same at every reconnect */
	__le64 size;				/* of all ranges, bytes */
	__le32 nr_ranges;
	__le32 reserved;
	char name[MEMSYNC_WIRE_NAME_MAX + 1];	/* the sink's, NUL-padded */
};

struct memsync_wire_geometry {
	__le32 first;				/* range that lengths[0] is of */
	__le32 nr;
	__le64 lengths[];			/* bytes */
};

/* The lengths of the new ranges follow at once, in GEOMETRY frames. */
struct memsync_wire_grow {
	__le64 size;				/* of all ranges from now on, bytes */
	__le32 nr_ranges;			/* the same */
	__le32 reserved;
};

struct memsync_wire_hello_ack {
	__le16 version;				/* to be used from now on */
	__le16 reserved;
	__le32 frame_pages;			/* contents in one frame at most */
	__le64 features;			/* to be used from now on */
};

/* Descriptors ascend and do not overlap; the contents follow them in their order. */
struct memsync_wire_desc {
	__le64 offset;				/* bytes into the replica */
	__le32 nr;				/* pages */
	__le32 flags;
};

#define MEMSYNC_WIRE_DESC_ZERO	0x00000001	/* reads as zeros; no content follows */

struct memsync_wire_pages {
	__le32 nr_descs;
	__le32 nr_pages;			/* contents that follow */
	struct memsync_wire_desc descs[];
};

struct memsync_wire_barrier {
	__le64 id;				/* grows */
	__le64 time;				/* nanoseconds since the epoch */
};

/* @nr pages from @offset, each of which has the xxh64 @sum. */
struct memsync_wire_digest_run {
	__le64 offset;
	__le64 sum;
	__le32 nr;
	__le32 reserved;
};

struct memsync_wire_digest {
	__le32 nr;
	__le32 reserved;
	struct memsync_wire_digest_run runs[];
};

struct memsync_wire_stretch {
	__le64 offset;
	__le64 length;
};

struct memsync_wire_digest_reply {
	__le64 compared;			/* pages */
	__le64 different;
	__le32 nr;				/* the first differences */
	__le32 reserved;
	struct memsync_wire_stretch stretches[];
};

struct memsync_wire_ack {
	__le64 seq;				/* last frame applied */
	__le64 pages;				/* applied on this connection */
	__le64 barrier;				/* last one reached, 0: none yet */
	__le64 time;				/* its time */
};

/* Why a connection is closed. */
enum memsync_wire_code {
	MEMSYNC_WIRE_ENDED = 1,		/* the region was unregistered or its process ended */
	MEMSYNC_WIRE_VERSION,
	MEMSYNC_WIRE_PROTOCOL,		/* malformed, out of range or out of order */
	MEMSYNC_WIRE_CHECKSUM,
	MEMSYNC_WIRE_NO_SINK,		/* there is no sink of this name */
	MEMSYNC_WIRE_OTHER_GEOMETRY,
	MEMSYNC_WIRE_NOT_PERMITTED,
	MEMSYNC_WIRE_BUSY,		/* another source is connected */
	MEMSYNC_WIRE_REFUSED,		/* the sink's owner said no */
	MEMSYNC_WIRE_FAULT,		/* the target's memory cannot be written */
	MEMSYNC_WIRE_TIMEOUT,
	MEMSYNC_WIRE_INTERNAL,
};

struct memsync_wire_error {
	__le32 code;
	__le32 reserved;
	char reason[MEMSYNC_WIRE_REASON_LEN];
};

#define MEMSYNC_WIRE_PAGES_HEAD(descs) \
	(sizeof(struct memsync_wire_pages) + (descs) * sizeof(struct memsync_wire_desc))
/* The longest payload of a frame without page contents. */
#define MEMSYNC_WIRE_CONTROL_MAX \
	(sizeof(struct memsync_wire_digest) + \
	 MEMSYNC_WIRE_DIGESTS * sizeof(struct memsync_wire_digest_run))

/* ---- what the checks hand out, in the CPU's byte order ---- */

struct memsync_hello {
	u16 version_min;
	u16 version_max;
	u32 page_size;
	u64 features;
	u8 session[MEMSYNC_WIRE_SESSION_LEN];
	u64 size;
	u32 nr_ranges;
	char name[MEMSYNC_WIRE_NAME_MAX + 1];
};

/* A failed check: what to tell the peer, and the log. */
struct memsync_wire_fault {
	enum memsync_wire_code code;
	const char *reason;
};

#define MEMSYNC_WIRE_TYPE(type)	(1U << MEMSYNC_WIRE_##type)

void memsync_wire_header_fill(struct memsync_wire_header *h, enum memsync_wire_type type,
			      u16 flags, u32 length, u64 seq);

/**
 * memsync_wire_check_header - may a frame start like this?
 * @h: as received
 * @types: MEMSYNC_WIRE_TYPE() of those that may come now
 * @seq: that must come now
 * @page_size: the smaller of both sides', bytes
 * @fault: filled in when not
 *
 * Once it has said yes, the length is known to be bounded and to suit the type.
 */
bool memsync_wire_check_header(const struct memsync_wire_header *h, u32 types, u64 seq,
			       u32 page_size, struct memsync_wire_fault *fault);

/* The same for a header's first bytes, while the rest is still to come. */
bool memsync_wire_check_magic(__le32 magic, struct memsync_wire_fault *fault);

void memsync_wire_put_hello(struct memsync_wire_hello *w, const struct memsync_hello *hello);
/* @hello is filled in as far as it was understood; names and versions are the caller's to judge. */
bool memsync_wire_check_hello(const struct memsync_wire_hello *w, u32 page_size,
			      struct memsync_hello *hello, struct memsync_wire_fault *fault);

/*
 * @total and @size: as announced by HELLO; @next: range expected, moved on;
 * @sum: bytes so far, added to.
 */
bool memsync_wire_check_geometry(const struct memsync_wire_geometry *w, u32 length, u32 total,
				 u64 size, u32 page_size, u32 *next, u64 *sum,
				 struct memsync_wire_fault *fault);

/* There must be more than @nr_ranges and @size. */
bool memsync_wire_check_grow(const struct memsync_wire_grow *w, u32 nr_ranges, u64 size,
			     u32 page_size, struct memsync_wire_fault *fault);

bool memsync_wire_check_hello_ack(const struct memsync_wire_hello_ack *w, u64 features,
				  struct memsync_wire_fault *fault);

/*
 * The length of the head of a PAGES payload (counts and descriptors), or 0.
 * Only the counts need to be there.
 */
u32 memsync_wire_pages_head(const struct memsync_wire_pages *w, u32 length, u32 page_size,
			    struct memsync_wire_fault *fault);
/* @size: of the replica, bytes. The head is there, its length as above. */
bool memsync_wire_check_descs(const struct memsync_wire_pages *w, u64 size, u32 page_size,
			      struct memsync_wire_fault *fault);

bool memsync_wire_check_barrier(const struct memsync_wire_barrier *w, u64 last,
				struct memsync_wire_fault *fault);
/* @next: no run may start below, moved on. */
bool memsync_wire_check_digest(const struct memsync_wire_digest *w, u32 length, u64 size,
			       u32 page_size, u64 *next, struct memsync_wire_fault *fault);
bool memsync_wire_check_digest_reply(const struct memsync_wire_digest_reply *w, u32 length,
				     u64 size, u32 page_size, struct memsync_wire_fault *fault);
/* What is acknowledged must have been sent: @seq frames, @pages, @barrier. */
bool memsync_wire_check_ack(const struct memsync_wire_ack *w, u64 seq, u64 pages, u64 barrier,
			    struct memsync_wire_fault *fault);

void memsync_wire_put_error(struct memsync_wire_error *w, enum memsync_wire_code code,
			    const char *reason);
/* Copies a peer's reason to where people read it: printable, ended, never empty. */
enum memsync_wire_code memsync_wire_get_error(const struct memsync_wire_error *w, char *reason,
					      size_t size);

/* Is it worth trying again soon? */
bool memsync_wire_code_lasting(enum memsync_wire_code code);

#endif /* _MEMSYNC_WIRE_H */
