// SPDX-License-Identifier: GPL-2.0
/*
 * memsync: comparing a source with its replicas.
 *
 * Digests follow a pass in the stream, so the sink compares them with what the
 * source's memory was when they were taken. A page that was written since the
 * pass is not sent: it would differ for a good reason. It counts as changing.
 */
#include <linux/highmem.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include "peer.h"

#define PAUSE_PAGES	1024	/* between looks at the connection */

/**
 * struct memsync_verify_run - one comparison with all peers; under region->lock
 * @result: as far as it is known
 * @reason: what @result.reason points to
 * @pending: peers that have not answered
 */
struct memsync_verify_run {
	struct memsync_verify result;
	char reason[MEMSYNC_REASON_MAX + 1];
	unsigned int pending;
};

int memsync_verify_start(struct memsync_region *region, struct netlink_ext_ack *extack)
{
	struct memsync_verify_run *run;
	struct memsync_peer *peer;

	lockdep_assert_held(&region->lock);
	if (list_empty(&region->peers)) {
		NL_SET_ERR_MSG(extack, "the region has no peer");
		return -ENOTCONN;
	}
	if (memsync_region_paused(region)) {
		NL_SET_ERR_MSG(extack, "the region is paused");
		return -EBUSY;
	}
	if (region->verify) {
		NL_SET_ERR_MSG(extack, "a comparison is under way");
		return -EBUSY;
	}
	list_for_each_entry(peer, &region->peers, node) {
		if (READ_ONCE(peer->state) == MEMSYNC_PEER_CONNECTED)
			continue;
		NL_SET_ERR_MSG(extack, "the peer is not connected");
		return -ENOTCONN;
	}

	run = kzalloc(sizeof(*run), GFP_KERNEL);
	if (!run)
		return -ENOMEM;
	run->pending = region->nr_peers;
	region->verify = run;
	list_for_each_entry(peer, &region->peers, node)
		WRITE_ONCE(peer->verify, MEMSYNC_VERIFY_ASKED);
	memsync_session_kick(region);
	return 0;
}

/* This peer has answered or never will. Returns the run if it was the last. */
static struct memsync_verify_run *peer_done(struct memsync_peer *peer)
{
	struct memsync_region *region = peer->region;
	struct memsync_verify_run *run = region->verify;

	lockdep_assert_held(&region->lock);
	WRITE_ONCE(peer->verify, MEMSYNC_VERIFY_NONE);
	if (--run->pending)
		return NULL;
	region->verify = NULL;
	return run;
}

static void report(struct memsync_region *region, struct memsync_verify_run *run)
{
	if (!run)
		return;
	run->result.reason = run->reason[0] ? run->reason : NULL;
	memsync_events->verify(region, &run->result);
	kfree(run);
}

static struct memsync_verify_run *give_up(struct memsync_peer *peer, int err,
					  const char *reason)
{
	struct memsync_verify_run *run = peer->region->verify;

	run->result.err = err;
	strscpy(run->reason, reason, sizeof(run->reason));
	return peer_done(peer);
}

void memsync_verify_fail(struct memsync_peer *peer, int err, const char *reason)
{
	struct memsync_region *region = peer->region;
	struct memsync_verify_run *run = NULL;

	mutex_lock(&region->lock);
	if (peer->verify != MEMSYNC_VERIFY_NONE)
		run = give_up(peer, err, reason);
	mutex_unlock(&region->lock);
	report(region, run);
}

void memsync_verify_pause(struct memsync_peer *peer)
{
	struct memsync_region *region = peer->region;
	struct memsync_verify_run *run = NULL;

	mutex_lock(&region->lock);
	if (memsync_region_paused(region) && peer->verify == MEMSYNC_VERIFY_ASKED)
		run = give_up(peer, -ECANCELED, "paused");
	mutex_unlock(&region->lock);
	report(region, run);
}

void memsync_verify_replied(struct memsync_peer *peer,
			    const struct memsync_wire_digest_reply *reply)
{
	struct memsync_region *region = peer->region;
	struct memsync_verify_run *run;
	struct memsync_verify *r;
	u32 i;

	mutex_lock(&region->lock);
	r = &region->verify->result;
	r->compared += le64_to_cpu(reply->compared);
	r->different += le64_to_cpu(reply->different);
	for (i = 0; i < le32_to_cpu(reply->nr) && r->nr_mismatches < MEMSYNC_MAX_MISMATCHES; i++) {
		r->mismatches[r->nr_mismatches++] = (struct memsync_mismatch) {
			.offset = le64_to_cpu(reply->stretches[i].offset),
			.length = le64_to_cpu(reply->stretches[i].length),
		};
	}
	run = peer_done(peer);
	mutex_unlock(&region->lock);
	report(region, run);
}

/* ---- sending digests ---- */

static u64 page_sum(struct page *page)
{
	const void *content = page ? kmap_local_page(page) : page_address(ZERO_PAGE(0));
	u64 sum = memsync_digest(content);

	if (page)
		kunmap_local(content);
	return sum;
}

static int flush(struct memsync_peer *peer, struct memsync_wire_digest *w, bool last)
{
	u32 nr = le32_to_cpu(w->nr);
	int err;

	err = memsync_tcp_send(&peer->tcp, MEMSYNC_WIRE_DIGEST, last ? MEMSYNC_WIRE_F_LAST : 0,
			       w, struct_size(w, runs, nr), false);
	w->nr = 0;
	return err;
}

static int add_digest(struct memsync_peer *peer, struct memsync_wire_digest *w, u64 offset,
		      u64 sum)
{
	u32 nr = le32_to_cpu(w->nr);
	struct memsync_wire_digest_run *r = nr ? &w->runs[nr - 1] : NULL;
	int err = 0;

	if (r && le64_to_cpu(r->sum) == sum && le32_to_cpu(r->nr) < MEMSYNC_WIRE_DIGEST_RUN &&
	    le64_to_cpu(r->offset) + (u64)le32_to_cpu(r->nr) * PAGE_SIZE == offset) {
		le32_add_cpu(&r->nr, 1);
		return 0;
	}
	if (nr == MEMSYNC_WIRE_DIGESTS)
		err = flush(peer, w, false);
	r = &w->runs[le32_to_cpu(w->nr)];
	r->offset = cpu_to_le64(offset);
	r->sum = cpu_to_le64(sum);
	r->nr = cpu_to_le32(1);
	r->reserved = 0;
	le32_add_cpu(&w->nr, 1);
	return err;
}

static int digest_page(struct memsync_peer *peer, struct memsync_wire_digest *w, u64 offset,
		       u64 *changing)
{
	struct page *page;
	u64 sum;
	int err;

	err = memsync_track_peek(peer->track, offset, &page);
	if (err == -EFAULT || err == -ENOMEM || err == -EIO || err == -EHWPOISON) {
		/*
		 * A mapping that comes and goes, or a page that is broken; the next pass says
		 * what is wrong with it, if there is something of it to ship.
		 */
		(*changing)++;
		return 0;
	}
	if (err)
		return err;
	sum = page_sum(page);
	if (page)
		put_page(page);
	if (!memsync_track_unchanged(peer->track, offset) &&
	    !memsync_digests_has(&peer->digests, offset, sum)) {
		(*changing)++;
		return 0;
	}
	return add_digest(peer, w, offset, sum);
}

static int digest_all(struct memsync_peer *peer, struct memsync_wire_digest *w, u64 *changing)
{
	u64 size = memsync_track_size(peer->track);
	unsigned long last = jiffies;
	u64 offset;
	int err = 0;

	for (offset = 0; offset < size && !err; offset += PAGE_SIZE) {
		err = digest_page(peer, w, offset, changing);
		/* One that has to be fetched may take seconds. */
		if (err || ((offset >> PAGE_SHIFT) % PAUSE_PAGES &&
			    time_before(jiffies, last + HZ)))
			continue;
		err = memsync_peer_look_up(peer);
		last = jiffies;
	}
	return err;
}

int memsync_verify_send(struct memsync_peer *peer)
{
	struct memsync_region *region = peer->region;
	struct memsync_wire_digest *w;
	u64 changing = 0;
	int err;

	w = kvzalloc(MEMSYNC_WIRE_CONTROL_MAX, GFP_KERNEL);
	if (!w)
		return -ENOMEM;
	err = digest_all(peer, w, &changing);
	if (!err) {
		mutex_lock(&region->lock);
		if (region->verify && peer->verify == MEMSYNC_VERIFY_ASKED) {
			region->verify->result.changing += changing;
			WRITE_ONCE(peer->verify, MEMSYNC_VERIFY_SENT);
		}
		mutex_unlock(&region->lock);
		err = flush(peer, w, true);
	}
	kvfree(w);
	return err;
}
