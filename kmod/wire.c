// SPDX-License-Identifier: GPL-2.0
/*
 * memsync: encoding and checking of frames.
 *
 * Everything here looks at bytes a peer chose. Nothing is used before it was
 * compared with a bound, sums are made so that they cannot overflow, and every
 * refusal says what was wrong.
 */
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/overflow.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <asm/byteorder.h>
#include "wire.h"

/* What crosses the network has no holes, and does not change by accident. */
static_assert(sizeof(struct memsync_wire_header) == 32);
static_assert(offsetof(struct memsync_wire_header, sum) == 24);
static_assert(sizeof(struct memsync_wire_hello) == 112);
static_assert(sizeof(struct memsync_wire_geometry) == 8);
static_assert(sizeof(struct memsync_wire_grow) == 16);
static_assert(sizeof(struct memsync_wire_hello_ack) == 16);
static_assert(sizeof(struct memsync_wire_desc) == 16);
static_assert(sizeof(struct memsync_wire_pages) == 8);
static_assert(sizeof(struct memsync_wire_barrier) == 16);
static_assert(sizeof(struct memsync_wire_digest_run) == 24);
static_assert(sizeof(struct memsync_wire_digest) == 8);
static_assert(sizeof(struct memsync_wire_stretch) == 16);
static_assert(sizeof(struct memsync_wire_digest_reply) == 24);
static_assert(sizeof(struct memsync_wire_ack) == 32);
static_assert(sizeof(struct memsync_wire_error) == 264);

/* Payload lengths by type; contents of pages come on top. */
static const struct {
	u32 min;
	u32 max;
} lengths[__MEMSYNC_WIRE_TYPES] = {
	[MEMSYNC_WIRE_HELLO] = {
		sizeof(struct memsync_wire_hello), sizeof(struct memsync_wire_hello),
	},
	[MEMSYNC_WIRE_GEOMETRY] = {
		sizeof(struct memsync_wire_geometry),
		sizeof(struct memsync_wire_geometry) +
			MEMSYNC_WIRE_GEOMETRY_LENGTHS * sizeof(__le64),
	},
	[MEMSYNC_WIRE_HELLO_ACK] = {
		sizeof(struct memsync_wire_hello_ack), sizeof(struct memsync_wire_hello_ack),
	},
	[MEMSYNC_WIRE_PAGES] = {
		MEMSYNC_WIRE_PAGES_HEAD(1), MEMSYNC_WIRE_PAGES_HEAD(MEMSYNC_WIRE_FRAME_DESCS),
	},
	[MEMSYNC_WIRE_BARRIER] = {
		sizeof(struct memsync_wire_barrier), sizeof(struct memsync_wire_barrier),
	},
	[MEMSYNC_WIRE_DIGEST] = {
		sizeof(struct memsync_wire_digest), MEMSYNC_WIRE_CONTROL_MAX,
	},
	[MEMSYNC_WIRE_DIGEST_REPLY] = {
		sizeof(struct memsync_wire_digest_reply),
		sizeof(struct memsync_wire_digest_reply) +
			MEMSYNC_WIRE_MISMATCHES * sizeof(struct memsync_wire_stretch),
	},
	[MEMSYNC_WIRE_ACK] = {
		sizeof(struct memsync_wire_ack), sizeof(struct memsync_wire_ack),
	},
	[MEMSYNC_WIRE_PING] = { 0, 0 },
	[MEMSYNC_WIRE_GROW] = {
		sizeof(struct memsync_wire_grow), sizeof(struct memsync_wire_grow),
	},
	[MEMSYNC_WIRE_ERROR] = {
		sizeof(struct memsync_wire_error), sizeof(struct memsync_wire_error),
	},
};

static bool refuse(struct memsync_wire_fault *fault, enum memsync_wire_code code,
		   const char *reason)
{
	fault->code = code;
	fault->reason = reason;
	return false;
}

static bool malformed(struct memsync_wire_fault *fault, const char *reason)
{
	return refuse(fault, MEMSYNC_WIRE_PROTOCOL, reason);
}

void memsync_wire_header_fill(struct memsync_wire_header *h, enum memsync_wire_type type,
			      u16 flags, u32 length, u64 seq)
{
	*h = (struct memsync_wire_header) {
		.magic = cpu_to_le32(MEMSYNC_WIRE_MAGIC),
		.version = MEMSYNC_WIRE_MAX,
		.type = type,
		.flags = cpu_to_le16(flags),
		.length = cpu_to_le32(length),
		.seq = cpu_to_le64(seq),
	};
}

static u32 longest(unsigned int type, u32 page_size)
{
	u32 max = lengths[type].max;

	if (type == MEMSYNC_WIRE_PAGES)
		max += MEMSYNC_WIRE_FRAME_PAGES * page_size;
	return max;
}

bool memsync_wire_check_magic(__le32 magic, struct memsync_wire_fault *fault)
{
	if (le32_to_cpu(magic) != MEMSYNC_WIRE_MAGIC)
		return malformed(fault, "not a memsync frame");
	return true;
}

bool memsync_wire_check_header(const struct memsync_wire_header *h, u32 types, u64 seq,
			       u32 page_size, struct memsync_wire_fault *fault)
{
	u32 length = le32_to_cpu(h->length);

	if (!memsync_wire_check_magic(h->magic, fault))
		return false;
	if (h->version < MEMSYNC_WIRE_MIN || h->version > MEMSYNC_WIRE_MAX)
		return refuse(fault, MEMSYNC_WIRE_VERSION, "wire version not supported");
	if (h->type == 0 || h->type >= __MEMSYNC_WIRE_TYPES)
		return malformed(fault, "unknown frame type");
	if (!(types & (1U << h->type)))
		return malformed(fault, "frame type not expected now");
	if (le16_to_cpu(h->flags) &
	    ~(h->type == MEMSYNC_WIRE_DIGEST ? MEMSYNC_WIRE_F_LAST : 0))
		return malformed(fault, "unknown frame flags");
	if (h->reserved)
		return malformed(fault, "reserved header field not zero");
	if (length < lengths[h->type].min || length > longest(h->type, page_size))
		return malformed(fault, "frame length does not suit its type");
	if (le64_to_cpu(h->seq) != seq)
		return malformed(fault, "frame lost, repeated or out of order");
	return true;
}

static bool name_valid(const char *name)
{
	size_t len = strnlen(name, MEMSYNC_WIRE_NAME_MAX + 1);
	size_t i;

	if (len == 0 || len > MEMSYNC_WIRE_NAME_MAX)
		return false;
	for (i = 0; i < len; i++) {
		char c = name[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		      (c >= '0' && c <= '9') || (c && strchr("._@-", c))))
			return false;
	}
	for (; i <= MEMSYNC_WIRE_NAME_MAX; i++)
		if (name[i])
			return false;
	return true;
}

void memsync_wire_put_hello(struct memsync_wire_hello *w, const struct memsync_hello *hello)
{
	memset(w, 0, sizeof(*w));
	w->version_min = cpu_to_le16(hello->version_min);
	w->version_max = cpu_to_le16(hello->version_max);
	w->page_size = cpu_to_le32(hello->page_size);
	w->features = cpu_to_le64(hello->features);
	memcpy(w->session, hello->session, sizeof(w->session));
	w->size = cpu_to_le64(hello->size);
	w->nr_ranges = cpu_to_le32(hello->nr_ranges);
	memcpy(w->name, hello->name, strnlen(hello->name, MEMSYNC_WIRE_NAME_MAX));
}

bool memsync_wire_check_hello(const struct memsync_wire_hello *w, u32 page_size,
			      struct memsync_hello *hello, struct memsync_wire_fault *fault)
{
	if (!name_valid(w->name))
		return malformed(fault, "invalid name");
	hello->version_min = le16_to_cpu(w->version_min);
	hello->version_max = le16_to_cpu(w->version_max);
	hello->page_size = le32_to_cpu(w->page_size);
	hello->features = le64_to_cpu(w->features);
	memcpy(hello->session, w->session, sizeof(hello->session));
	hello->size = le64_to_cpu(w->size);
	hello->nr_ranges = le32_to_cpu(w->nr_ranges);
	memcpy(hello->name, w->name, sizeof(hello->name));

	if (hello->version_min > hello->version_max || w->reserved)
		return malformed(fault, "malformed hello");
	if (hello->version_min > MEMSYNC_WIRE_MAX || hello->version_max < MEMSYNC_WIRE_MIN)
		return refuse(fault, MEMSYNC_WIRE_VERSION, "wire version not supported");
	if (hello->page_size != page_size)
		return refuse(fault, MEMSYNC_WIRE_OTHER_GEOMETRY, "page sizes differ");
	if (hello->nr_ranges == 0 || hello->nr_ranges > MEMSYNC_WIRE_MAX_RANGES)
		return malformed(fault, "number of ranges out of bounds");
	if (hello->size == 0 || hello->size > S64_MAX || hello->size % page_size)
		return malformed(fault, "size out of bounds");
	return true;
}

bool memsync_wire_check_geometry(const struct memsync_wire_geometry *w, u32 length, u32 total,
				 u64 size, u32 page_size, u32 *next, u64 *sum,
				 struct memsync_wire_fault *fault)
{
	u32 nr = le32_to_cpu(w->nr);
	u32 i;

	if (nr == 0 || nr > MEMSYNC_WIRE_GEOMETRY_LENGTHS ||
	    length != sizeof(*w) + nr * sizeof(__le64))
		return malformed(fault, "geometry frame of a wrong length");
	if (le32_to_cpu(w->first) != *next || nr > total - *next)
		return malformed(fault, "geometry with gaps or too many ranges");

	for (i = 0; i < nr; i++) {
		u64 len = le64_to_cpu(w->lengths[i]);

		if (len == 0 || len % page_size || check_add_overflow(*sum, len, sum) ||
		    *sum > size)
			return malformed(fault, "geometry with a range of impossible length");
	}
	*next += nr;
	if (*next == total && *sum != size)
		return malformed(fault, "geometry does not add up to its size");
	return true;
}

bool memsync_wire_check_grow(const struct memsync_wire_grow *w, u32 nr_ranges, u64 size,
			     u32 page_size, struct memsync_wire_fault *fault)
{
	u64 new_size = le64_to_cpu(w->size);
	u32 new_nr = le32_to_cpu(w->nr_ranges);

	if (w->reserved)
		return malformed(fault, "malformed growth");
	if (new_nr <= nr_ranges || new_nr > MEMSYNC_WIRE_MAX_RANGES)
		return malformed(fault, "number of ranges out of bounds");
	if (new_size <= size || new_size > S64_MAX || new_size % page_size)
		return malformed(fault, "size out of bounds");
	return true;
}

bool memsync_wire_check_hello_ack(const struct memsync_wire_hello_ack *w, u64 features,
				  struct memsync_wire_fault *fault)
{
	u16 version = le16_to_cpu(w->version);
	u32 pages = le32_to_cpu(w->frame_pages);

	if (version < MEMSYNC_WIRE_MIN || version > MEMSYNC_WIRE_MAX)
		return refuse(fault, MEMSYNC_WIRE_VERSION, "the sink chose an unknown version");
	if (w->reserved || (le64_to_cpu(w->features) & ~features))
		return malformed(fault, "the sink chose features that were not offered");
	if (pages == 0 || pages > MEMSYNC_WIRE_FRAME_PAGES)
		return malformed(fault, "the sink's frame size is out of bounds");
	return true;
}

u32 memsync_wire_pages_head(const struct memsync_wire_pages *w, u32 length, u32 page_size,
			    struct memsync_wire_fault *fault)
{
	u32 descs = le32_to_cpu(w->nr_descs);
	u32 pages = le32_to_cpu(w->nr_pages);

	if (descs == 0 || descs > MEMSYNC_WIRE_FRAME_DESCS || pages > MEMSYNC_WIRE_FRAME_PAGES ||
	    length != MEMSYNC_WIRE_PAGES_HEAD(descs) + pages * page_size) {
		malformed(fault, "frame length does not fit its pages");
		return 0;
	}
	return MEMSYNC_WIRE_PAGES_HEAD(descs);
}

/* Pages [*offset, *offset + nr) lie in the replica, at or after @next; moves @next on. */
static bool run_valid(u64 offset, u64 nr, u64 size, u32 page_size, u64 *next)
{
	u64 end;

	if (nr == 0 || offset % page_size || offset < *next)
		return false;
	/* nr has 32 bits, so the product fits */
	if (check_add_overflow(offset, nr * page_size, &end) || end > size)
		return false;
	*next = end;
	return true;
}

bool memsync_wire_check_descs(const struct memsync_wire_pages *w, u64 size, u32 page_size,
			      struct memsync_wire_fault *fault)
{
	u32 descs = le32_to_cpu(w->nr_descs);
	u64 pages = 0;
	u64 next = 0;
	u32 i;

	for (i = 0; i < descs; i++) {
		const struct memsync_wire_desc *d = &w->descs[i];
		u32 flags = le32_to_cpu(d->flags);
		u32 nr = le32_to_cpu(d->nr);

		if (flags & ~MEMSYNC_WIRE_DESC_ZERO)
			return malformed(fault, "unknown page flags");
		if (!run_valid(le64_to_cpu(d->offset), nr, size, page_size, &next))
			return malformed(fault, "pages out of range or out of order");
		if (!flags)
			pages += nr;
		else if (nr > MEMSYNC_WIRE_ZERO_RUN)
			return malformed(fault, "too many pages at once");
	}
	if (pages != le32_to_cpu(w->nr_pages))
		return malformed(fault, "page descriptors do not fit the contents");
	return true;
}

bool memsync_wire_check_barrier(const struct memsync_wire_barrier *w, u64 last,
				struct memsync_wire_fault *fault)
{
	if (le64_to_cpu(w->id) <= last)
		return malformed(fault, "barrier out of order");
	return true;
}

bool memsync_wire_check_digest(const struct memsync_wire_digest *w, u32 length, u64 size,
			       u32 page_size, u64 *next, struct memsync_wire_fault *fault)
{
	u32 nr = le32_to_cpu(w->nr);
	u32 i;

	if (nr > MEMSYNC_WIRE_DIGESTS || length != sizeof(*w) + nr * sizeof(w->runs[0]) ||
	    w->reserved)
		return malformed(fault, "digest frame of a wrong length");
	for (i = 0; i < nr; i++) {
		const struct memsync_wire_digest_run *r = &w->runs[i];
		u32 pages = le32_to_cpu(r->nr);

		if (r->reserved || pages > MEMSYNC_WIRE_DIGEST_RUN ||
		    !run_valid(le64_to_cpu(r->offset), pages, size, page_size, next))
			return malformed(fault, "digests out of range or out of order");
	}
	return true;
}

bool memsync_wire_check_digest_reply(const struct memsync_wire_digest_reply *w, u32 length,
				     u64 size, u32 page_size, struct memsync_wire_fault *fault)
{
	u32 nr = le32_to_cpu(w->nr);
	u64 next = 0;
	u32 i;

	if (nr > MEMSYNC_WIRE_MISMATCHES || w->reserved ||
	    length != sizeof(*w) + nr * sizeof(w->stretches[0]))
		return malformed(fault, "digest reply of a wrong length");
	if (le64_to_cpu(w->different) > le64_to_cpu(w->compared) ||
	    le64_to_cpu(w->compared) > size / page_size)
		return malformed(fault, "digest reply that does not add up");
	for (i = 0; i < nr; i++) {
		u64 offset = le64_to_cpu(w->stretches[i].offset);
		u64 len = le64_to_cpu(w->stretches[i].length);

		if (len == 0 || len % page_size || offset % page_size || offset < next ||
		    check_add_overflow(offset, len, &next) || next > size)
			return malformed(fault, "digest reply out of range");
	}
	return true;
}

bool memsync_wire_check_ack(const struct memsync_wire_ack *w, u64 seq, u64 pages, u64 barrier,
			    struct memsync_wire_fault *fault)
{
	if (le64_to_cpu(w->seq) >= seq || le64_to_cpu(w->pages) > pages ||
	    le64_to_cpu(w->barrier) > barrier)
		return malformed(fault, "acknowledges what was not sent");
	return true;
}

void memsync_wire_put_error(struct memsync_wire_error *w, enum memsync_wire_code code,
			    const char *reason)
{
	memset(w, 0, sizeof(*w));
	w->code = cpu_to_le32(code);
	memcpy(w->reason, reason, strnlen(reason, sizeof(w->reason) - 1));
}

enum memsync_wire_code memsync_wire_get_error(const struct memsync_wire_error *w, char *reason,
					      size_t size)
{
	u32 code = le32_to_cpu(w->code);
	size_t i;

	for (i = 0; i < sizeof(w->reason) && i + 1 < size && w->reason[i]; i++) {
		char c = w->reason[i];

		reason[i] = c >= ' ' && c <= '~' ? c : '?';
	}
	if (i == 0 && size > 1)
		reason[i++] = '?';
	if (size)
		reason[i] = '\0';
	return code >= MEMSYNC_WIRE_ENDED && code <= MEMSYNC_WIRE_INTERNAL ? code :
									      MEMSYNC_WIRE_INTERNAL;
}

bool memsync_wire_code_lasting(enum memsync_wire_code code)
{
	switch (code) {
	case MEMSYNC_WIRE_VERSION:
	case MEMSYNC_WIRE_NO_SINK:
	case MEMSYNC_WIRE_OTHER_GEOMETRY:
	case MEMSYNC_WIRE_NOT_PERMITTED:
	case MEMSYNC_WIRE_BUSY:
	case MEMSYNC_WIRE_REFUSED:
		return true;
	default:
		return false;
	}
}
