#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The module is unloaded while it is at work, and nothing is left in the processes.

# The tests are called by run.
# shellcheck disable=SC2317

# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$(realpath "$0")")/../lib.sh"

ko=${MEMSYNC_KO:?names the module}

load()
{
	[ -e /sys/module/memsync ] || insmod "$ko"
}

unload()
{
	rmmod memsync
	[ ! -e /sys/module/memsync ]
}

start()
{
	load
	two_hosts
	h2 memsyncctl listen 0.0.0.0 --plaintext
	victim b "$1"
	h2 memsyncctl register --pid "${victim_pid[b]}" --addr "${victim_ranges[b]}" --name a \
		--sink --plaintext --from 10.9.0.1
	victim a "$@"
	tell a fill 0 1
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr "${victim_ranges[a]}" --name a \
		--peer 10.9.0.2 --plaintext
}

# Every page was writable before; a handful may fault for reasons of their own
no_protection_left()
{
	local faults

	faults=$(tell "$1" touch 0)
	echo "# $faults faults"
	[ "$faults" -lt 20 ]
}

idle()
{
	start 8M
	equal a h1 a h2 a
	unload
	no_protection_left a
	no_protection_left b
	load
}

# Faults and passes run, in both roles
busy()
{
	local round

	for round in 1 2; do
		start 16M
		wait_state h1 a synced
		tell a run 4
		h1 memsyncctl sync a >/dev/null
		unload
		tell a stop >/dev/null
		tell b fill 0 3
		no_protection_left a
		no_protection_left b
		load
		stop_all
	done
}

in_the_first_pass()
{
	start 32M
	tell a run 4
	wait_for has_applied h2 a 10
	unload
	tell a stop >/dev/null
	no_protection_left a
	load
}

huge_pages()
{
	start 16M huge
	wait_state h1 a synced
	tell a run 2
	h1 memsyncctl sync a >/dev/null
	unload
	tell a stop >/dev/null
	no_protection_left a
	load
}

# The victim, so that start can be called again
stop_all()
{
	local name

	for name in a b; do
		kill -KILL "${victim_pid[$name]}"
		rm "$tmp/$name.in" "$tmp/$name.out"
	done
	ip netns del h1
	ip netns del h2
}

barrier_is_shown()
{
	h1 memsyncctl sync a >/dev/null
	grep -q . "$tmp/monitor"
}

# While somebody waits: a barrier, events, a receiver
with_waiters()
{
	local receiver monitor sync status

	load
	two_hosts
	victim a 8M
	tell a fill 0 1
	h2 memsyncctl listen 0.0.0.0 --plaintext
	receive h2 a --plaintext --from 10.9.0.1
	receiver=$!
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr "${victim_ranges[a]}" --name a \
		--peer 10.9.0.2 --plaintext
	wait_state h1 a synced
	background h1 memsyncctl monitor >"$tmp/monitor"
	monitor=$!
	# It listens once it has shown something; make something happen until it does
	wait_for barrier_is_shown
	ip -n h1 link set eth0 down
	tell a write 0 1 1
	background h1 memsyncctl sync a --timeout 60 2>"$tmp/sync"
	sync=$!
	sleep 1
	kill -0 "$sync"
	unload
	status=0
	wait "$sync" || status=$?
	[ "$status" != 0 ]
	grep -q . "$tmp/sync"
	wait "$receiver" || true
	kill "$monitor" 2>/dev/null || true
	load
	h1 memsyncctl status >/dev/null
}

# Loaded and unloaded many times, each time with a region
again_and_again()
{
	local round

	load
	one_host
	victim a 1M
	tell a fill 0 1
	for ((round = 0; round < $(sized 10 5); round++)); do
		h1 memsyncctl register --pid "${victim_pid[a]}" --addr "${victim_ranges[a]}" \
			--name a --peer 127.0.0.1
		tell a write 0 $((round + 1)) 5
		unload
		load
	done
	no_protection_left a
}

run idle busy in_the_first_pass huge_pages with_waiters again_and_again
status=$?
load
exit $status
