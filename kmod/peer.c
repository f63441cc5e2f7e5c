// SPDX-License-Identifier: GPL-2.0
/*
 * memsync: a source's peer: its thread, from connecting to being told to stop.
 *
 *	CONNECTING --accepted--> CONNECTED --lost--> WAITING
 *	CONNECTING --no answer--> WAITING --delay--> CONNECTING
 *	CONNECTING --refused--> FAILED --delay--> CONNECTING
 *
 * FAILED: the other side refused, and somebody must do something about it; it is
 * tried again all the same.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ktime.h>
#include <linux/random.h>
#include <linux/slab.h>
#include "delay.h"
#include "peer.h"

#define HANDSHAKE	(40 * HZ)	/* the sink's owner may have to be asked */
#define BACKOFF_MIN	(HZ / 10)
#define BACKOFF_MAX	(5 * HZ)
#define TRIES_REFUSED	4U		/* a refusal counts as so many failures */
#define LAST_WORDS	(HZ / 2)

#define TYPES (MEMSYNC_WIRE_TYPE(ACK) | MEMSYNC_WIRE_TYPE(PING) | \
	       MEMSYNC_WIRE_TYPE(DIGEST_REPLY) | MEMSYNC_WIRE_TYPE(ERROR))
#define TYPES_HANDSHAKE (MEMSYNC_WIRE_TYPE(HELLO_ACK) | MEMSYNC_WIRE_TYPE(PING) | \
			 MEMSYNC_WIRE_TYPE(ERROR))

/* The one place where peer->state changes. */
static void set_state(struct memsync_peer *peer, enum memsync_peer_state state,
		      const char *reason)
{
	struct memsync_region *region = peer->region;
	bool changed;

	mutex_lock(&region->lock);
	spin_lock(&peer->lock);
	changed = peer->state != state || (reason && strcmp(peer->reason, reason));
	peer->state = state;
	if (reason)
		strscpy(peer->reason, reason, sizeof(peer->reason));
	spin_unlock(&peer->lock);
	if (!list_empty(&peer->node))
		memsync_session_update(region);
	mutex_unlock(&region->lock);
	if (changed)
		memsync_events->peer_state(region, peer);
}

int memsync_peer_fail(struct memsync_peer *peer, enum memsync_wire_code code,
		      const char *fmt, ...)
{
	va_list args;

	if (!peer->failure[0]) {
		va_start(args, fmt);
		vsnprintf(peer->failure, sizeof(peer->failure), fmt, args);
		va_end(args);
		peer->code = code;
	}
	return -EPROTO;
}

/* ---- receiving ---- */

static int handle_ack(struct memsync_peer *peer)
{
	const struct memsync_wire_ack *w = peer->control;
	struct memsync_wire_fault fault;

	if (!memsync_wire_check_ack(w, peer->tcp.tx_seq, peer->shipped_pages, peer->sent_id,
				    &fault))
		return memsync_peer_fail(peer, fault.code, "the sink %s", fault.reason);
	WRITE_ONCE(peer->acked_pages, le64_to_cpu(w->pages));
	if (!w->barrier)
		return 0;
	/* only now did the connection prove good for something */
	peer->tries = 0;
	memsync_barrier_reached(peer, le64_to_cpu(w->barrier), le64_to_cpu(w->time));
	return 0;
}

static int handle_digest_reply(struct memsync_peer *peer, u32 length)
{
	struct memsync_wire_fault fault;

	if (READ_ONCE(peer->verify) != MEMSYNC_VERIFY_SENT)
		return memsync_peer_fail(peer, MEMSYNC_WIRE_PROTOCOL, "unasked digest reply");
	if (!memsync_wire_check_digest_reply(peer->control, length,
					     memsync_track_size(peer->track), PAGE_SIZE, &fault))
		return memsync_peer_fail(peer, fault.code, "the sink sent a %s", fault.reason);
	memsync_verify_replied(peer, peer->control);
	return 0;
}

static int handle_error(struct memsync_peer *peer)
{
	char reason[MEMSYNC_WIRE_REASON_LEN - 16];
	enum memsync_wire_code code;

	code = memsync_wire_get_error(peer->control, reason, sizeof(reason));
	memsync_peer_fail(peer, code, "peer: %s", reason);
	/* it closes: there is nobody to tell */
	peer->tcp.broken = true;
	return -ECONNABORTED;
}

static int handle(struct memsync_peer *peer)
{
	u8 type = peer->tcp.head.type;
	u32 length = memsync_tcp_length(&peer->tcp);
	int err;

	err = memsync_tcp_read(&peer->tcp, peer->control);
	if (err)
		return err;
	switch (type) {
	case MEMSYNC_WIRE_ACK:
		return handle_ack(peer);
	case MEMSYNC_WIRE_DIGEST_REPLY:
		return handle_digest_reply(peer, length);
	case MEMSYNC_WIRE_ERROR:
		return handle_error(peer);
	default:
		return 0;
	}
}

/* A sink that floods us is not to keep us from anything else. */
#define FRAMES_AT_ONCE	64

int memsync_peer_receive(struct memsync_peer *peer)
{
	struct memsync_wire_fault fault;
	int n, ret = 0;

	for (n = 0; n < FRAMES_AT_ONCE; n++) {
		ret = memsync_tcp_next(&peer->tcp, TYPES, 0, &fault);
		if (ret <= 0)
			break;
		ret = handle(peer);
		if (ret)
			return ret;
	}
	if (ret == -EPROTO)
		memsync_peer_fail(peer, fault.code, "%s%s",
				  fault.code == MEMSYNC_WIRE_TIMEOUT ?
				  "" : "the sink sent a bad frame: ", fault.reason);
	return min(ret, 0);
}

int memsync_peer_look_up(struct memsync_peer *peer)
{
	cond_resched();
	if (memsync_thread_stopping(&peer->thread))
		return -ESHUTDOWN;
	return memsync_peer_receive(peer) ?: memsync_tcp_keep_alive(&peer->tcp);
}

static int inbound(struct memsync_tcp *tcp)
{
	return memsync_peer_receive(container_of(tcp, struct memsync_peer, tcp));
}

/* ---- handshake ---- */

static int send_hello(struct memsync_peer *peer)
{
	struct memsync_wire_hello *w = peer->control;
	struct memsync_hello hello = {
		.version_min = MEMSYNC_WIRE_MIN,
		.version_max = MEMSYNC_WIRE_MAX,
		.page_size = PAGE_SIZE,
		.features = MEMSYNC_WIRE_FEATURES,
		.size = memsync_track_size(peer->track),
		.nr_ranges = memsync_track_nr_ranges(peer->track),
	};

	memcpy(hello.session, peer->session, sizeof(hello.session));
	strscpy(hello.name, peer->name, sizeof(hello.name));
	memsync_wire_put_hello(w, &hello);
	return memsync_tcp_send(&peer->tcp, MEMSYNC_WIRE_HELLO, 0, w, sizeof(*w), true);
}

static int handle_hello_ack(struct memsync_peer *peer)
{
	const struct memsync_wire_hello_ack *w = peer->control;
	struct memsync_wire_fault fault;

	if (!memsync_wire_check_hello_ack(w, MEMSYNC_WIRE_FEATURES, &fault))
		return memsync_peer_fail(peer, fault.code, "%s", fault.reason);
	peer->frame_pages = le32_to_cpu(w->frame_pages);
	peer->features = le64_to_cpu(w->features);
	return 0;
}

static int await_hello_ack(struct memsync_peer *peer)
{
	unsigned long end = jiffies + HANDSHAKE;
	struct memsync_tcp *tcp = &peer->tcp;
	struct memsync_wire_fault fault;
	int ret;
	u8 type;

	while (time_before(jiffies, end)) {
		if (memsync_thread_stopping(&peer->thread))
			return -ESHUTDOWN;
		ret = memsync_tcp_next(tcp, TYPES_HANDSHAKE, MEMSYNC_TCP_PING, &fault);
		if (ret == -EPROTO)
			memsync_peer_fail(peer, fault.code, "%s", fault.reason);
		if (!ret) {
			ret = memsync_tcp_keep_alive(tcp);
			if (!ret)
				continue;
		}
		if (ret < 0)
			return ret;

		type = tcp->head.type;
		ret = memsync_tcp_read(tcp, peer->control);
		if (ret)
			return ret;
		if (type == MEMSYNC_WIRE_HELLO_ACK)
			return handle_hello_ack(peer);
		if (type == MEMSYNC_WIRE_ERROR)
			return handle_error(peer);
	}
	return -ETIMEDOUT;
}

static int check_permission(struct memsync_peer *peer)
{
	struct memsync_region *region = peer->region;
	bool loopback = memsync_tcp_loopback(&peer->tcp);
	int trusted = loopback ? memsync_tcp_trusted(&peer->tcp) : 0;

	spin_lock(&peer->lock);
	peer->plaintext = true;		/* there is no other kind yet */
	spin_unlock(&peer->lock);
	if (!loopback && !(READ_ONCE(region->flags) & MEMSYNC_REGION_F_PLAINTEXT))
		return memsync_peer_fail(peer, MEMSYNC_WIRE_NOT_PERMITTED,
					 "would leave this host in plain text, which is not allowed");
	if (trusted < 0)
		return trusted;
	if (loopback && !trusted)
		return memsync_peer_fail(peer, MEMSYNC_WIRE_NOT_PERMITTED,
					 "the listener on this host is not root's");
	return 0;
}

static void connected(struct memsync_peer *peer)
{
	struct memsync_region *region = peer->region;

	peer->resync = peer->reconnect;
	memsync_digests_clear(&peer->digests);
	if (peer->reconnect) {
		atomic64_inc(&region->stats.reconnects);
		memsync_track_mark_all(peer->track);
	}
	peer->reconnect = true;
	WRITE_ONCE(peer->dirtied, true);

	mutex_lock(&region->lock);
	peer->first_id = 0;
	mutex_unlock(&region->lock);
	set_state(peer, MEMSYNC_PEER_CONNECTED, "");
}

static int open_connection(struct memsync_peer *peer)
{
	int err;

	peer->failure[0] = '\0';
	peer->code = 0;
	peer->sent_id = 0;
	WRITE_ONCE(peer->shipped_pages, 0);
	WRITE_ONCE(peer->acked_pages, 0);
	peer->tcp.inbound = NULL;

	err = memsync_tcp_connect(&peer->tcp, peer->region->net, &peer->addr);
	if (err)
		return err;
	err = check_permission(peer);
	if (err)
		return err;
	memsync_tcp_widen(&peer->tcp);
	err = send_hello(peer) ?: memsync_geometry_send(peer, 0) ?: await_hello_ack(peer);
	if (err)
		return err;
	peer->tcp.inbound = inbound;
	connected(peer);
	return 0;
}

/* ---- connected ---- */

/* When the next pass is to begin that nobody waits for. */
static ktime_t next_pass(const struct memsync_peer *peer)
{
	ktime_t pause = ns_to_ktime((u64)READ_ONCE(peer->region->interval_us) * NSEC_PER_USEC);
	ktime_t next = ktime_add(peer->pass_start, pause);

	return READ_ONCE(peer->dirtied) ? next : max(next, peer->compare_next);
}

/* Must a pass be run now? If not, *@wait is for how long at most. */
static bool pass_due(struct memsync_peer *peer, ktime_t *wait)
{
	ktime_t rest;

	*wait = ns_to_ktime(NSEC_PER_SEC);
	if (memsync_region_paused(peer->region))
		return false;
	if (READ_ONCE(peer->wanted) > peer->pass_id ||
	    READ_ONCE(peer->verify) == MEMSYNC_VERIFY_ASKED)
		return true;
	if (!READ_ONCE(peer->dirtied) && !memsync_track_has_compared(peer->track))
		return false;
	rest = ktime_sub(next_pass(peer), ktime_get());
	if (rest <= 0)
		return true;
	*wait = min(*wait, rest);
	return false;
}

static bool idle_over(struct memsync_peer *peer, bool was_dirty)
{
	return memsync_thread_stopping(&peer->thread) || memsync_tcp_readable(&peer->tcp) ||
	       (READ_ONCE(peer->dirtied) && !was_dirty) ||
	       (READ_ONCE(peer->wanted) > peer->pass_id && !memsync_region_paused(peer->region)) ||
	       READ_ONCE(peer->verify) == MEMSYNC_VERIFY_ASKED;
}

static int idle(struct memsync_peer *peer, ktime_t wait)
{
	bool was_dirty = READ_ONCE(peer->dirtied);

	if (memsync_region_paused(peer->region)) {
		memsync_delay_asleep(MEMSYNC_DELAY_PAUSED);
		memsync_barriers_pause(peer->region);
		memsync_verify_pause(peer);
	}
	wait_event_interruptible_hrtimeout(peer->thread.wq, idle_over(peer, was_dirty), wait);
	return memsync_tcp_keep_alive(&peer->tcp);
}

/* Until the connection is lost. */
static int serve(struct memsync_peer *peer)
{
	ktime_t wait;
	bool asked;
	int err;

	for (;;) {
		err = memsync_peer_receive(peer);
		if (err)
			return err;
		if (memsync_thread_stopping(&peer->thread))
			return -ESHUTDOWN;
		if (!pass_due(peer, &wait)) {
			err = idle(peer, wait);
		} else {
			/* A comparison that is asked for meanwhile waits for a pass of its own. */
			asked = READ_ONCE(peer->verify) == MEMSYNC_VERIFY_ASKED;
			err = memsync_pass(peer);
			if (!err && asked && READ_ONCE(peer->verify) == MEMSYNC_VERIFY_ASKED)
				err = memsync_verify_send(peer);
		}
		if (err)
			return err;
	}
}

/* ---- the end of a connection ---- */

/* The sink may have said why it closed: that is what counts then. */
static void hear_last_words(struct memsync_peer *peer)
{
	struct memsync_wire_fault fault;
	int n;

	for (n = 0; n < FRAMES_AT_ONCE && peer->tcp.sock && !peer->failure[0] &&
	     memsync_tcp_next(&peer->tcp, TYPES | TYPES_HANDSHAKE, 0, &fault) > 0; n++) {
		u8 type = peer->tcp.head.type;

		if (memsync_tcp_read(&peer->tcp, peer->control))
			break;
		if (type == MEMSYNC_WIRE_ERROR)
			handle_error(peer);
	}
}

static void say_farewell(struct memsync_peer *peer)
{
	struct memsync_region *region = peer->region;
	char reason[MEMSYNC_REASON_MAX + 32] = "the source unregistered this peer";

	mutex_lock(&region->lock);
	if (region->state == MEMSYNC_REGION_GONE)
		snprintf(reason, sizeof(reason), "the source ended: %s",
			 region->reason[0] ? region->reason : "unregistered");
	mutex_unlock(&region->lock);
	memsync_tcp_send_error(&peer->tcp, MEMSYNC_WIRE_ENDED, reason);
	memsync_peer_fail(peer, MEMSYNC_WIRE_ENDED, "%s", reason);
}

static void close_connection(struct memsync_peer *peer, int err)
{
	unsigned long grace = 0;

	if (err == -ESHUTDOWN) {
		say_farewell(peer);
		grace = LAST_WORDS;
	} else if (err == -EPROTO && peer->code) {
		memsync_tcp_send_error(&peer->tcp, peer->code, peer->failure);
		grace = LAST_WORDS;
	} else {
		hear_last_words(peer);
	}
	if (!peer->failure[0])
		strscpy(peer->failure, memsync_tcp_strerror(err), sizeof(peer->failure));
	memsync_tcp_close(&peer->tcp, grace);
}

/* Between tries: 100 ms, doubled up to 5 s, and a little so that peers do not come in step. */
static void back_off(struct memsync_peer *peer)
{
	unsigned long delay = min_t(unsigned long, BACKOFF_MIN << min(peer->tries, 8U),
				    BACKOFF_MAX);

	delay += get_random_u32() % (delay / 4 + 1);
	peer->tries++;
	if (memsync_region_paused(peer->region))
		memsync_barriers_pause(peer->region);
	wait_event_interruptible_timeout(peer->thread.wq,
					 memsync_thread_stopping(&peer->thread), delay);
}

void memsync_peer_run(struct memsync_thread *thread)
{
	struct memsync_peer *peer = container_of(thread, struct memsync_peer, thread);
	int err;

	while (!memsync_thread_stopping(thread)) {
		set_state(peer, MEMSYNC_PEER_CONNECTING, NULL);
		err = open_connection(peer) ?: serve(peer);
		close_connection(peer, err);
		if (memsync_thread_stopping(thread))
			break;
		if (memsync_wire_code_lasting(peer->code)) {
			/* but the one that is in our way may go soon */
			if (peer->code != MEMSYNC_WIRE_BUSY)
				peer->tries = max(peer->tries, TRIES_REFUSED);
			set_state(peer, MEMSYNC_PEER_FAILED, peer->failure);
		} else {
			set_state(peer, MEMSYNC_PEER_WAITING, peer->failure);
		}
		/* none starts while the state is not CONNECTED */
		memsync_verify_fail(peer, -ENOTCONN, peer->failure);
		back_off(peer);
	}
	memsync_verify_fail(peer, -ENOTCONN, peer->failure);
}
