// SPDX-License-Identifier: GPL-2.0
/*
 * memsync: a pass: harvest, copy, ship.
 *
 * A page can be rewritten at any time, so it is copied once, and the copy is
 * summed and handed to TCP, which keeps it until it is acknowledged. Nothing
 * waits for copies to come back: one that TCP still holds is left to it, and
 * a fresh one takes its turn. How many there are is bounded, as are the buffers.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include "peer.h"
#include "trace.h"

#define CHUNK_ORDER	4	/* pages that are together make fewer fragments */
#define CHUNKS		(MEMSYNC_TCP_IN_FLIGHT >> (PAGE_SHIFT + CHUNK_ORDER))
#define CHUNKS_MAX	(3 * CHUNKS)	/* a peer on this host reads them where they are */

/* A frame that is not sent yet holds no references, so none of its pages' turn may come. */
static_assert(CHUNKS >= MEMSYNC_WIRE_FRAME_PAGES);

/*
 * Pages, between where a page lies in the replica and where its copy does in its
 * chunk. A TLB that looks at the low bits alone, as QEMU's does, would hold only
 * one of the two while the sink copies from one to the other.
 */
#define SKEW		(1 << (CHUNK_ORDER - 1))

/**
 * struct memsync_pool - memory for copies, reused in turn
 * @chunks: @nr of them are in turn; NULL: not allocated yet
 * @nr: %CHUNKS, or more while others read so many
 * @at: chunk in use
 * @used: pages of it that are taken
 */
struct memsync_pool {
	struct page *chunks[CHUNKS_MAX];
	unsigned int nr;
	unsigned int at;
	unsigned int used;
};

static unsigned int chunk_pages(const struct page *chunk)
{
	return chunk ? compound_nr((struct page *)chunk) : 0;
}

static struct page *alloc_chunk(void)
{
	struct page *chunk;

	chunk = alloc_pages(GFP_KERNEL | __GFP_COMP | __GFP_NORETRY | __GFP_NOWARN, CHUNK_ORDER);
	return chunk ?: alloc_page(GFP_KERNEL);
}

/* Makes room for one more after the one in use. */
static void grow(struct memsync_pool *pool)
{
	unsigned int next = pool->at + 1;

	memmove(&pool->chunks[next + 1], &pool->chunks[next],
		(pool->nr - next) * sizeof(*pool->chunks));
	pool->chunks[next] = NULL;
	pool->nr++;
}

/* Makes the next chunk one that nobody else reads. */
static int next_chunk(struct memsync_pool *pool)
{
	struct page *oldest = pool->chunks[(pool->at + 1) % pool->nr];
	bool busy = oldest && page_count(oldest) != 1;

	if (busy && pool->nr < CHUNKS_MAX && chunk_pages(oldest) > 1) {
		grow(pool);
	} else if (busy || chunk_pages(oldest) == 1) {
		put_page(oldest);
		pool->chunks[(pool->at + 1) % pool->nr] = NULL;
	}
	pool->at = (pool->at + 1) % pool->nr;
	pool->used = 0;
	if (!pool->chunks[pool->at])
		pool->chunks[pool->at] = alloc_chunk();
	return pool->chunks[pool->at] ? 0 : -ENOMEM;
}

/* The passes that follow are mostly smaller. */
static void shrink(struct memsync_pool *pool)
{
	if (pool->at >= CHUNKS) {
		swap(pool->chunks[0], pool->chunks[pool->at]);
		pool->at = 0;
	}
	while (pool->nr > CHUNKS) {
		struct page *chunk = pool->chunks[--pool->nr];

		if (chunk)
			put_page(chunk);
		pool->chunks[pool->nr] = NULL;
	}
}

int memsync_pass_alloc(struct memsync_peer *peer)
{
	memsync_digests_init(&peer->digests);
	peer->pool = kzalloc(sizeof(*peer->pool), GFP_KERNEL);
	peer->harvest = kvmalloc(sizeof(*peer->harvest), GFP_KERNEL);
	peer->frame = kzalloc(sizeof(*peer->frame), GFP_KERNEL);
	peer->control = kvmalloc(MEMSYNC_WIRE_CONTROL_MAX, GFP_KERNEL);
	if (!peer->pool || !peer->harvest || !peer->frame || !peer->control) {
		memsync_pass_free(peer);
		return -ENOMEM;
	}
	peer->pool->nr = CHUNKS;
	peer->pool->chunks[0] = alloc_chunk();
	peer->pool->used = SKEW;
	return 0;
}

void memsync_pass_free(struct memsync_peer *peer)
{
	unsigned int i;

	memsync_digests_clear(&peer->digests);
	for (i = 0; peer->pool && i < CHUNKS_MAX; i++)
		if (peer->pool->chunks[i])
			put_page(peer->pool->chunks[i]);
	kfree(peer->pool);
	kvfree(peer->harvest);
	kfree(peer->frame);
	kvfree(peer->control);
	peer->pool = NULL;
	peer->harvest = NULL;
	peer->frame = NULL;
	peer->control = NULL;
}

/* ---- building a frame ---- */

static struct memsync_wire_desc *last_desc(struct memsync_frame *frame)
{
	struct memsync_wire_pages *w = memsync_frame_pages(frame);
	u32 nr = le32_to_cpu(w->nr_descs);

	return nr ? &w->descs[nr - 1] : NULL;
}

static u64 desc_end(const struct memsync_wire_desc *d)
{
	return le64_to_cpu(d->offset) + (u64)le32_to_cpu(d->nr) * PAGE_SIZE;
}

static int flush(struct memsync_peer *peer)
{
	struct memsync_wire_pages *w = memsync_frame_pages(peer->frame);
	struct memsync_region *region = peer->region;
	u64 pages = 0, zeros;
	u32 i, length;
	int err;

	if (memsync_thread_stopping(&peer->thread))
		return -ESHUTDOWN;
	if (!w->nr_descs)
		return 0;
	for (i = 0; i < le32_to_cpu(w->nr_descs); i++)
		pages += le32_to_cpu(w->descs[i].nr);
	zeros = pages - le32_to_cpu(w->nr_pages);

	/* before it can be acknowledged */
	WRITE_ONCE(peer->shipped_pages, peer->shipped_pages + pages);
	err = memsync_tcp_send_pages(&peer->tcp, peer->frame);
	if (err)
		return err;

	length = sizeof(struct memsync_wire_header) +
		 le32_to_cpu(memsync_frame_header(peer->frame)->length);
	atomic64_add(pages, &region->stats.shipped_pages);
	atomic64_add(zeros, &region->stats.zero_pages);
	if (peer->resync)
		atomic64_add(pages, &region->stats.resync_pages);
	trace_memsync_ship(region->id, pages, length);

	w->nr_descs = 0;
	w->nr_pages = 0;
	peer->frame->nr_bvecs = 0;
	return memsync_peer_receive(peer);
}

/* Room for a run at @offset: descriptors ascend within a frame. */
static int make_room(struct memsync_peer *peer, u64 offset)
{
	struct memsync_wire_desc *d = last_desc(peer->frame);
	struct memsync_wire_pages *w = memsync_frame_pages(peer->frame);

	if (le32_to_cpu(w->nr_descs) == MEMSYNC_WIRE_FRAME_DESCS ||
	    le32_to_cpu(w->nr_pages) == peer->frame_pages || (d && offset < desc_end(d)))
		return flush(peer);
	return 0;
}

static void put_desc(struct memsync_frame *frame, u64 offset, u32 nr, u32 flags)
{
	struct memsync_wire_pages *w = memsync_frame_pages(frame);
	struct memsync_wire_desc *d = last_desc(frame);

	if (d && desc_end(d) == offset && le32_to_cpu(d->flags) == flags &&
	    le32_to_cpu(d->nr) + nr <= MEMSYNC_WIRE_ZERO_RUN) {
		le32_add_cpu(&d->nr, nr);
		return;
	}
	d = &w->descs[le32_to_cpu(w->nr_descs)];
	d->offset = cpu_to_le64(offset);
	d->nr = cpu_to_le32(nr);
	d->flags = cpu_to_le32(flags);
	le32_add_cpu(&w->nr_descs, 1);
}

static const void *zeros(void)
{
	return page_address(ZERO_PAGE(0));
}

/* @content is on its way to the peer. */
static void note_shipped(struct memsync_peer *peer, const struct memsync_piece *p,
			 const void *content)
{
	if (unlikely(p->coarse))
		memsync_digests_set(&peer->digests, p->offset, memsync_digest(content));
	else
		memsync_digests_forget(&peer->digests, p->offset, p->nr);
}

/* Has the peer got this, as far as is known? It may change meanwhile: see add_page(). */
static bool is_shipped(const struct memsync_peer *peer, const struct memsync_piece *p,
		       const void *content)
{
	return unlikely(p->coarse) &&
	       memsync_digests_has(&peer->digests, p->offset, memsync_digest(content));
}

static int add_zeros(struct memsync_peer *peer, const struct memsync_piece *p)
{
	u64 offset = p->offset;
	u32 nr = p->nr;

	if (is_shipped(peer, p, zeros()))
		return 0;
	note_shipped(peer, p, zeros());
	while (nr) {
		u32 n = min(nr, MEMSYNC_WIRE_ZERO_RUN);
		int err = make_room(peer, offset);

		if (err)
			return err;
		put_desc(peer->frame, offset, n, MEMSYNC_WIRE_DESC_ZERO);
		offset += (u64)n * PAGE_SIZE;
		nr -= n;
	}
	return 0;
}

/* Where the next copy goes: page @used of the chunk in use. */
static void put_bvec(struct memsync_frame *frame, struct memsync_pool *pool)
{
	struct page *chunk = pool->chunks[pool->at];
	unsigned int at = pool->used++ * PAGE_SIZE;
	struct bio_vec *bv;

	if (frame->nr_bvecs) {
		bv = &frame->bvecs[frame->nr_bvecs - 1];
		if (bv->bv_page == chunk && bv->bv_offset + bv->bv_len == at) {
			bv->bv_len += PAGE_SIZE;
			return;
		}
	}
	bvec_set_page(&frame->bvecs[frame->nr_bvecs++], chunk, PAGE_SIZE, at);
}

static int add_copy(struct memsync_peer *peer, const struct memsync_piece *p, void *content)
{
	struct memsync_pool *pool = peer->pool;
	void *copy;

	if (pool->used >= chunk_pages(pool->chunks[pool->at]) && next_chunk(pool))
		return -ENOMEM;
	copy = page_address(pool->chunks[pool->at]) + pool->used * PAGE_SIZE;
	copy_page(copy, content);
	note_shipped(peer, p, copy);
	put_bvec(peer->frame, pool);
	put_desc(peer->frame, p->offset, 1, 0);
	le32_add_cpu(&memsync_frame_pages(peer->frame)->nr_pages, 1);
	return 0;
}

static int add_content(struct memsync_peer *peer, const struct memsync_piece *p, void *content)
{
	if (memchr_inv(content, 0, PAGE_SIZE))
		return add_copy(peer, p, content);
	put_desc(peer->frame, p->offset, 1, MEMSYNC_WIRE_DESC_ZERO);
	note_shipped(peer, p, zeros());
	return 0;
}

/*
 * The page may change under our eyes. Then it is dirty again, and what is sent
 * now is replaced by a later pass before this one's barrier means anything.
 */
static int add_page(struct memsync_peer *peer, const struct memsync_piece *p)
{
	void *content = kmap_local_page(p->page);
	int err = 0;

	if (!is_shipped(peer, p, content))
		err = make_room(peer, p->offset) ?: add_content(peer, p, content);
	kunmap_local(content);
	return err;
}

/* ---- the pass ---- */

static int ship_pieces(struct memsync_peer *peer, struct memsync_harvest *h)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < h->nr && !err; i++) {
		struct memsync_piece *p = &h->pieces[i];

		if (!p->page) {
			err = add_zeros(peer, p);
			continue;
		}
		err = add_page(peer, p);
		put_page(p->page);
		p->page = NULL;
	}
	memsync_harvest_put(h);
	cond_resched();
	return err;
}

static int harvest(struct memsync_peer *peer)
{
	struct memsync_stats *stats = &peer->region->stats;
	struct memsync_harvest *h = peer->harvest;
	u64 start = ktime_get_ns(), ns;
	u64 pages = 0;
	unsigned int i;
	int ret;

	ret = memsync_harvest(peer->track, h);
	ns = ktime_get_ns() - start;
	if (ret < 0)
		return ret;
	for (i = 0; i < h->nr; i++)
		pages += h->pieces[i].nr;
	peer->harvest_ns += ns;
	atomic64_add(ns, &stats->harvest_ns);
	atomic64_add(pages, &stats->harvested_pages);
	trace_memsync_harvest(peer->region->id, pages, ns);
	return ret;
}

static int ship_dirty(struct memsync_peer *peer, bool compare)
{
	int more, err = 0;

	memsync_harvest_begin(peer->harvest, compare);
	do {
		more = harvest(peer);
		if (more < 0 && more != -EAGAIN)
			return more;
		if (more != -EAGAIN)
			err = ship_pieces(peer, peer->harvest);
		/* there may be little to ship and much to walk */
		err = err ?: memsync_peer_look_up(peer);
		if (err)
			return err;
	} while (more);
	return flush(peer);
}

/*
 * Memory whose changes cannot be seen is read for who asks for a barrier or a comparison,
 * else for about a tenth of the time, but every minute: to find it takes half of that
 * time, its digests take the other.
 */
#define COMPARE_PAUSE		(2 * 9)
#define COMPARE_PAUSE_MAX	(60 * NSEC_PER_SEC)

/* @before: the pass before this one, whose barrier has begun */
static bool must_compare(const struct memsync_peer *peer, u64 before)
{
	return READ_ONCE(peer->wanted) > before ||
	       READ_ONCE(peer->verify) == MEMSYNC_VERIFY_ASKED ||
	       ktime_compare(ktime_get(), peer->compare_next) >= 0;
}

static void compared(struct memsync_peer *peer)
{
	u64 pause = min_t(u64, peer->harvest_ns * COMPARE_PAUSE, COMPARE_PAUSE_MAX);

	peer->compare_next = ktime_add_ns(ktime_get(), pause);
}

static int send_barrier(struct memsync_peer *peer, u64 id, u64 time)
{
	struct memsync_wire_barrier w = {
		.id = cpu_to_le64(id),
		.time = cpu_to_le64(time),
	};

	peer->sent_id = id;
	return memsync_tcp_send(&peer->tcp, MEMSYNC_WIRE_BARRIER, 0, &w, sizeof(w), false);
}

static void frame_reset(struct memsync_frame *frame)
{
	memsync_frame_pages(frame)->nr_descs = 0;
	memsync_frame_pages(frame)->nr_pages = 0;
	frame->nr_bvecs = 0;
}

int memsync_pass(struct memsync_peer *peer)
{
	u64 time = ktime_get_real_ns();
	u64 before = peer->pass_id;
	u64 id = memsync_barrier_begin(peer);
	bool compare = must_compare(peer, before);
	int err;

	peer->pass_start = ktime_get();
	peer->harvest_ns = 0;
	memsync_track_disarm(peer->track);
	/* whatever the track reports from here on needs another pass */
	WRITE_ONCE(peer->dirtied, false);
	frame_reset(peer->frame);

	err = memsync_geometry_follow(peer) ?: ship_dirty(peer, compare) ?:
	      send_barrier(peer, id, time);
	shrink(peer->pool);
	if (err)
		return err;
	if (compare)
		compared(peer);
	peer->resync = false;
	atomic64_inc(&peer->region->stats.passes);
	if (!memsync_track_arm(peer->track))
		WRITE_ONCE(peer->dirtied, true);
	return 0;
}
