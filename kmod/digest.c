// SPDX-License-Identifier: GPL-2.0
/* memsync: digests of what a peer has, to ship no page that it has already. */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/string.h>
#include "digest.h"
#include "dirty.h"

static_assert(MEMSYNC_BLOCK_PAGES * sizeof(u64) == PAGE_SIZE);

static unsigned int in_block(u64 offset)
{
	return (offset >> PAGE_SHIFT) % MEMSYNC_BLOCK_PAGES;
}

void memsync_digests_init(struct memsync_digests *d)
{
	xa_init(&d->blocks);
	d->nr = 0;
}

bool memsync_digests_has(const struct memsync_digests *d, u64 offset, u64 sum)
{
	const u64 *sums = xa_load((struct xarray *)&d->blocks, offset >> MEMSYNC_BLOCK_SHIFT);

	return sums && sum && sums[in_block(offset)] == sum;
}

static u64 *new_block(struct memsync_digests *d, unsigned long block)
{
	u64 *sums = (u64 *)get_zeroed_page(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);

	if (!sums)
		return NULL;
	if (xa_err(xa_store(&d->blocks, block, sums, GFP_KERNEL | __GFP_NOWARN))) {
		free_page((unsigned long)sums);
		return NULL;
	}
	WRITE_ONCE(d->nr, d->nr + 1);
	return sums;
}

void memsync_digests_set(struct memsync_digests *d, u64 offset, u64 sum)
{
	unsigned long block = offset >> MEMSYNC_BLOCK_SHIFT;
	u64 *sums = xa_load(&d->blocks, block) ?: new_block(d, block);

	if (sums)
		sums[in_block(offset)] = sum;
}

void memsync_digests_forget(struct memsync_digests *d, u64 offset, unsigned long nr)
{
	unsigned long block, first = offset >> MEMSYNC_BLOCK_SHIFT;
	u64 *sums;

	if (likely(xa_empty(&d->blocks)) || !nr)
		return;
	offset += (u64)nr << PAGE_SHIFT;	/* the end */
	xa_for_each_range(&d->blocks, block, sums, first, (offset - 1) >> MEMSYNC_BLOCK_SHIFT) {
		u64 start = (u64)block << MEMSYNC_BLOCK_SHIFT;
		u64 from = max(start, offset - ((u64)nr << PAGE_SHIFT));
		u64 to = min(start + MEMSYNC_BLOCK_SIZE, offset);

		memset(sums + in_block(from), 0, ((to - from) >> PAGE_SHIFT) * sizeof(*sums));
	}
}

void memsync_digests_clear(struct memsync_digests *d)
{
	unsigned long block;
	u64 *sums;

	xa_for_each(&d->blocks, block, sums)
		free_page((unsigned long)sums);
	xa_destroy(&d->blocks);
	WRITE_ONCE(d->nr, 0);
}
