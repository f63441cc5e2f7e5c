#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Peers that are none, or mean ill: both sides say why, nothing of it is applied, and the
# next good one is served.

# The tests are called by run.
# shellcheck disable=SC2317

# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$(realpath "$0")")/../lib.sh"

peer=$(dirname "$(realpath "$0")")/peer.py

# ---- towards a sink ----

a_sink()
{
	one_host
	h1 memsyncctl listen 127.0.0.1
	victim b 1M
	tell b fill 0 50
	h1 memsyncctl register --pid "${victim_pid[b]}" --addr "${victim_ranges[b]}" \
		--name b --sink
}

# bad_source HOW PATTERN…: what it is told, and that it had no effect
bad_source()
{
	local how=$1 told

	told=$(h1 "$peer" send 127.0.0.1 7420 "$how" 1048576 b)
	echo "# $how: $told"
	echo "$told" | grep -qi -e "$2" || fail "$how is not told of $2"
}

untouched()
{
	same 0 "$(tell b check 0 50)" "pages that differ"
	same 0 "$(field h1 b applied_pages sink)" "applied pages"
}

not_memsync()
{
	a_sink
	bad_source http 'not a memsync frame\|closed'
	bad_source random 'not a memsync frame\|closed'
	untouched
}

bad_hellos()
{
	a_sink
	bad_source unknown-version 'version'
	bad_source page-size 'page size'
	bad_source no-sink 'no sink named nobody-here'
	bad_source bad-name 'name'
	bad_source many-ranges 'ranges'
	bad_source pages-first 'not expected'
	bad_source geometry 'geometry'
	bad_source geometry-zero 'geometry'
	bad_source geometry-odd 'geometry'
	bad_source geometry-wraps 'geometry'
	untouched
}

bad_frames()
{
	local how

	a_sink
	for how in past-the-end across-the-end offset-wraps far-zeros; do
		bad_source $how 'out of range'
	done
	for how in unaligned overlapping descending no-pages empty-run bad-flags \
		too-few-contents too-many-contents unknown-type second-hello magic \
		frame-flags reserved seq length-huge length-zero barrier-back \
		ack-from-source digest-past-the-end; do
		bad_source $how '^3 '
	done
	bad_source checksum 'checksum'
	bad_source frame-version 'version'
	untouched
}

# They are given some seconds; others are served meanwhile
slow_ones()
{
	a_sink
	for how in silence half-a-header half-a-hello; do
		background h1 "$peer" send 127.0.0.1 7420 $how 1048576 b >"$tmp/$how"
	done
	victim a 1M
	tell a fill 0 1
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr "${victim_ranges[a]}" \
		--name a --peer 127.0.0.1/b
	equal a h1 a h1 b
	for how in silence half-a-header half-a-hello; do
		wait_for grep -qi 'took too long\|closed\|no answer' "$tmp/$how"
	done
}

half_a_frame()
{
	a_sink
	bad_source half-a-frame 'closed\|no answer\|too long\|silen'
	untouched
}

# A good source comes right after each of the bad
recovery()
{
	local how

	a_sink
	victim a 1M
	tell a fill 0 1
	for how in checksum http past-the-end; do
		bad_source $how .
		h1 memsyncctl register --pid "${victim_pid[a]}" --name a \
			--addr "${victim_ranges[a]}" --peer 127.0.0.1/b
		equal a h1 a h1 b
		h1 memsyncctl unregister a
	done
}

# ---- towards a source ----

# offer HOW PORT: a sink of that kind, and a region of that name that is shipped to it
offer()
{
	background h1 "$peer" serve "$2" "$1" >"$tmp/serve.$1"
	wait_for grep -q ready "$tmp/serve.$1"
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr "${victim_ranges[a]}" \
		--name "$1" --peer 127.0.0.1:"$2"
}

# seen_through HOW PATTERN: what the source says of it, in an event since it tries again
seen_through()
{
	wait_for grep -qi "source $1: peer .*\($2\)" "$tmp/events"
	wait_state h1 "$1" disconnected
	# One that takes the handshake well takes the reason away for as long
	[ "$1" = never-acks ] || wait_for reason_has h1 "$1" "$2"
	if field h1 "$1" reason | grep -q '[[:cntrl:]]'; then
		fail "control characters are shown"
	fi
	refused 4 'not reached' h1 memsyncctl sync "$1" --timeout 0.3
}

a_source()
{
	one_host
	background h1 memsyncctl monitor >"$tmp/events"
	victim a 1M
	tell a fill 0 1
}

nobody_listens()
{
	a_source
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr "${victim_ranges[a]}" \
		--name a --peer 127.0.0.1:7500
	wait_state h1 a disconnected
	wait_for reason_has h1 a 'refused'
	# The name of the sink is right from the moment that somebody does
	h1 memsyncctl listen 127.0.0.1:7500
	receive h1 a
	wait_state h1 a synced
	equal a h1 a h1 a
}

bad_sinks()
{
	local how port=7500

	a_source
	for how in http random close wrong-version unoffered-features no-frame-pages \
		control-characters acks-the-future checksum; do
		offer $how $((port++))
	done
	seen_through http 'not a memsync frame'
	seen_through random 'not a memsync frame'
	seen_through close 'closed\|reset'
	seen_through wrong-version 'version'
	seen_through unoffered-features 'features'
	seen_through no-frame-pages 'frame size'
	seen_through control-characters 'boo'
	seen_through acks-the-future 'not sent'
	seen_through checksum 'checksum'
}

silent_sinks()
{
	local how port=7500

	a_source
	for how in silence half-a-frame never-acks; do
		offer $how $((port++))
	done
	for how in silence half-a-frame never-acks; do
		seen_through $how 'no answer\|silent\|too long\|timed out'
	done
}

# It never comes to an answer, not even a refusal
no_route()
{
	two_hosts
	victim a 1M
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr "${victim_ranges[a]}" \
		--name a --peer 10.77.0.1 --plaintext
	wait_state h1 a disconnected
	wait_for reason_has h1 a 'unreachable'
	h1 memsyncctl unregister a
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr "${victim_ranges[a]}" \
		--name a --peer 10.9.0.77 --plaintext
	wait_state h1 a disconnected
	wait_for reason_has h1 a 'unreachable\|no answer'
}

run not_memsync bad_hellos bad_frames slow_ones half_a_frame recovery nobody_listens bad_sinks \
	silent_sinks no_route
