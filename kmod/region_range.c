// SPDX-License-Identifier: GPL-2.0
/* The ranges of a region: added, put in order, taken into use or forgotten, found. */
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include "region.h"

static bool may_take_ranges(const struct memsync_region *region)
{
	return region->state == MEMSYNC_REGION_NEW || region->state == MEMSYNC_REGION_WAITING ||
	       region->offered;
}

int memsync_region_check_open(const struct memsync_region *region, struct netlink_ext_ack *extack)
{
	int err = memsync_region_check_live(region, extack);

	if (err)
		return err;
	if (!may_take_ranges(region)) {
		NL_SET_ERR_MSG(extack, "region is started: its ranges are fixed");
		return -EBUSY;
	}
	if (region->state == MEMSYNC_REGION_WAITING && !region->offered) {
		NL_SET_ERR_MSG(extack, "no source has offered this sink a geometry yet");
		return -EAGAIN;
	}
	return 0;
}

static int check_bounds(unsigned long start, unsigned long end, struct netlink_ext_ack *extack)
{
	if (start == end) {
		NL_SET_ERR_MSG_FMT(extack, "range is empty: 0x%lx-0x%lx", start, end);
		return -EINVAL;
	}
	if (start > end) {
		NL_SET_ERR_MSG_FMT(extack, "range ends before it starts: 0x%lx-0x%lx", start, end);
		return -EINVAL;
	}
	if (end > TASK_SIZE_MAX) {
		NL_SET_ERR_MSG_FMT(extack, "not user memory: 0x%lx-0x%lx", start, end);
		return -EINVAL;
	}
	if (!PAGE_ALIGNED(start) || !PAGE_ALIGNED(end)) {
		NL_SET_ERR_MSG_FMT(extack, "not page-aligned; aligned it is 0x%lx-0x%lx",
				   PAGE_ALIGN_DOWN(start), PAGE_ALIGN(end));
		return -EINVAL;
	}
	return 0;
}

static int grow_ranges(struct memsync_region *region)
{
	unsigned int max = max(region->max_ranges * 2, 16U);
	struct memsync_range *ranges;

	if (region->nr_ranges < region->max_ranges)
		return 0;
	ranges = kvmalloc_array(max, sizeof(*ranges), GFP_KERNEL_ACCOUNT);
	if (!ranges)
		return -ENOMEM;
	memcpy(ranges, region->ranges, array_size(region->nr_ranges, sizeof(*ranges)));
	kvfree(region->ranges);
	region->ranges = ranges;
	region->max_ranges = max;
	return 0;
}

static void insert_range(struct memsync_region *region, unsigned int index, unsigned long start,
			 unsigned long end)
{
	struct memsync_range *r = region->ranges + index;

	memmove(r + 1, r, array_size(region->nr_ranges - index, sizeof(*r)));
	r->start = start;
	r->end = end;
	r->offset = region->size;
	region->size += end - start;
	region->nr_ranges++;
}

int memsync_region_append(struct memsync_region *region, unsigned long start, unsigned long end,
			  struct netlink_ext_ack *extack)
{
	unsigned int index = memsync_range_above(region->ranges, region->nr_ranges, start);
	const struct memsync_range *above = region->ranges + index;
	int err;

	if (index < region->nr_ranges && above->start < end) {
		NL_SET_ERR_MSG_FMT(extack, "overlaps range 0x%lx-0x%lx", above->start, above->end);
		return -EEXIST;
	}
	if (region->nr_ranges == MEMSYNC_MAX_RANGES) {
		NL_SET_ERR_MSG(extack, "a region has at most "
			       __stringify(MEMSYNC_MAX_RANGES) " ranges");
		return -E2BIG;
	}
	if (end - start > MEMSYNC_MAX_SIZE - region->size) {
		NL_SET_ERR_MSG(extack, "a region has at most 16 TiB");
		return -E2BIG;
	}
	err = grow_ranges(region);
	if (!err)
		insert_range(region, index, start, end);
	return err;
}

enum memsync_range_use memsync_region_use(const struct memsync_region *region)
{
	if (region->role == MEMSYNC_ROLE_SINK)
		return MEMSYNC_RANGE_WRITTEN;
	return region->flags & MEMSYNC_REGION_F_COMPARE ? MEMSYNC_RANGE_COMPARED :
							  MEMSYNC_RANGE_TRACKED;
}

int memsync_region_add_range(struct memsync_region *region, unsigned long start,
			     unsigned long end, struct netlink_ext_ack *extack)
{
	struct memsync_range range = { .start = start, .end = end };
	int err = check_bounds(start, end, extack);

	if (err)
		return err;
	mutex_lock(&region->lock);
	err = memsync_region_check_open(region, extack);
	if (!err)
		err = memsync_ranges_check(region->mm, &range, 1, memsync_region_use(region),
					   extack);
	if (!err)
		err = memsync_region_append(region, start, end, extack);
	mutex_unlock(&region->lock);
	return err;
}

static int by_offset(const void *a, const void *b, const void *ranges)
{
	const struct memsync_range *r = ranges;
	u64 left = r[*(const unsigned int *)a].offset;
	u64 right = r[*(const unsigned int *)b].offset;

	return left < right ? -1 : left > right;
}

unsigned int *memsync_region_order(const struct memsync_region *region)
{
	unsigned int *order, i;

	order = kvmalloc_array(region->nr_ranges, sizeof(*order), GFP_KERNEL_ACCOUNT);
	if (!order)
		return NULL;
	for (i = 0; i < region->nr_ranges; i++)
		order[i] = i;
	sort_r(order, region->nr_ranges, sizeof(*order), by_offset, NULL, region->ranges);
	return order;
}

void memsync_region_accept(struct memsync_region *region, unsigned int *order)
{
	kvfree(region->order);
	region->order = order;
	region->nr_accepted = region->nr_ranges;
	region->size_accepted = region->size;
	kvfree(region->offered);
	region->offered = NULL;
	region->nr_offered = 0;
}

/* Those that were added and never accepted go; nothing has moved that was. */
static void forget_ranges(struct memsync_region *region)
{
	struct memsync_range *to = region->ranges;
	unsigned int i;

	for (i = 0; i < region->nr_ranges; i++)
		if (region->ranges[i].offset < region->size_accepted)
			*to++ = region->ranges[i];
	region->nr_ranges = region->nr_accepted;
	region->size = region->size_accepted;
}

int memsync_region_reorder(struct memsync_region *region)
{
	unsigned int *order = memsync_region_order(region);

	lockdep_assert_held(&region->lock);
	if (!order) {
		forget_ranges(region);
		return -ENOMEM;
	}
	memsync_region_accept(region, order);
	return 0;
}

const struct memsync_range *memsync_region_find(const struct memsync_region *region, u64 offset)
{
	unsigned int low = 0, high = region->nr_accepted;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;
		const struct memsync_range *r = &region->ranges[region->order[mid]];

		if (offset < r->offset)
			high = mid;
		else if (offset - r->offset >= r->end - r->start)
			low = mid + 1;
		else
			return r;
	}
	return NULL;
}

/* ---- an open sink's geometry ---- */

void memsync_region_offer(struct memsync_region *region, u64 *lengths, unsigned int nr)
{
	lockdep_assert_held(&region->lock);
	kvfree(region->offered);
	region->offered = lengths;
	region->nr_offered = lengths ? nr : 0;
	forget_ranges(region);
}

int memsync_region_check_offer(const struct memsync_region *region, const unsigned int *order,
			       struct netlink_ext_ack *extack)
{
	unsigned int i;

	if (!region->offered)
		return 0;
	if (region->nr_ranges != region->nr_offered) {
		NL_SET_ERR_MSG_FMT(extack, "has %u ranges where its source has %u",
				   region->nr_ranges, region->nr_offered);
		return -EINVAL;
	}
	for (i = 0; i < region->nr_ranges; i++) {
		const struct memsync_range *r = &region->ranges[order[i]];

		if (r->end - r->start == region->offered[i])
			continue;
		NL_SET_ERR_MSG_FMT(extack, "range %u has %lu bytes, its source's has %llu", i,
				   r->end - r->start, region->offered[i]);
		return -EINVAL;
	}
	return 0;
}
