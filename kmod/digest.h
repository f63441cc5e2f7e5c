/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a peer has of pages that are found together with others that were not written:
 * those of huge pages, and memory that is compared. One whose content is the same need
 * not be shipped.
 */
#ifndef _MEMSYNC_DIGEST_H
#define _MEMSYNC_DIGEST_H

#include <linux/mm.h>
#include <linux/xarray.h>
#include <linux/xxhash.h>

/**
 * struct memsync_digests - digests of what was shipped on one connection
 * @blocks: a page of digests for each 2 MiB of the replica of which any is known; 0: not known
 * @nr: how many pages that are; others read it
 */
struct memsync_digests {
	struct xarray blocks;
	unsigned long nr;
};

static inline u64 memsync_digest(const void *content)
{
	return xxh64(content, PAGE_SIZE, 0);
}

/* Context of all: the thread of the connection; @offset: bytes into the replica. */
void memsync_digests_init(struct memsync_digests *d);
/* Is what was shipped last known to have this digest? */
bool memsync_digests_has(const struct memsync_digests *d, u64 offset, u64 sum);
/* Sleeps. Where there is no memory, the digest is not known afterwards. */
void memsync_digests_set(struct memsync_digests *d, u64 offset, u64 sum);
void memsync_digests_forget(struct memsync_digests *d, u64 offset, unsigned long nr);
void memsync_digests_clear(struct memsync_digests *d);

static inline size_t memsync_digests_bytes(const struct memsync_digests *d)
{
	return READ_ONCE(d->nr) * PAGE_SIZE;
}

#endif /* _MEMSYNC_DIGEST_H */
