#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Two hosts and what happens between them: IPv4 and IPv6, who may speak to whom, a link
# that is cut in the middle of a pass, either side killed.

# The tests are called by run.
# shellcheck disable=SC2317

# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$(realpath "$0")")/../lib.sh"

# start PEER [SIZE]: a on h1 is shipped to h2
start()
{
	h2 memsyncctl listen "${listen-0.0.0.0}" --plaintext
	receive h2 a --plaintext --from "${from-10.9.0.1}"
	victim a "${2-16M}"
	tell a fill 0 1
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr "${victim_ranges[a]}" \
		--name a --peer "$1" --plaintext
}

same_after_load()
{
	tell a run 2
	h1 memsyncctl sync a --timeout "$patience" >/dev/null
	tell a stop >/dev/null
	equal a h1 a h2 a
}

ipv4()
{
	two_hosts
	start 10.9.0.2
	equal a h1 a h2 a
	same_after_load
	same true "$(json h1 a '.peers[0].plaintext')" "shown as plain"
	h1 memsyncctl status | grep -q plaintext
	same 10.9.0.2:7420 "$(json h1 a '.peers[0].addr')" peer
}

ipv6()
{
	two_hosts
	listen='[::]' from=fd9::/64 start '[fd9::2]'
	equal a h1 a h2 a
	same_after_load
	same '[fd9::2]:7420' "$(json h1 a '.peers[0].addr')" peer
}

another_port()
{
	two_hosts
	listen=10.9.0.2:999 start 10.9.0.2:999
	equal a h1 a h2 a
}

# ---- who may ----

plaintext_must_be_said()
{
	two_hosts
	victim a 4M
	refused 1 plaintext h1 memsyncctl register --pid "${victim_pid[a]}" \
		--addr "${victim_ranges[a]}" --name a --peer 10.9.0.2
	same '[]' "$(h1 memsyncctl -j show | jq -c .)" regions
	refused 1 plaintext h2 memsyncctl listen 0.0.0.0
	refused 1 plaintext h2 memsyncctl listen '[::]'
	refused 1 plaintext h2 memsyncctl listen 10.9.0.2
	same '[]' "$(h2 memsyncctl -j status | jq -c .listeners)" listeners
	# Loopback is another matter
	h2 memsyncctl listen
	h2 memsyncctl listen '[::1]:7000'
	h2 memsyncctl listen 127.0.0.2:7000
}

# A listener on loopback is not there for others
loopback_only()
{
	two_hosts
	h2 memsyncctl listen
	receive h2 a
	victim a 4M
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr "${victim_ranges[a]}" \
		--name a --peer 10.9.0.2 --plaintext
	wait_state h1 a disconnected
	wait_for reason_has h1 a refused
}

# A sink off loopback takes nobody it was not told of
from_must_be_said()
{
	two_hosts
	h2 memsyncctl listen 0.0.0.0 --plaintext
	receive h2 a --plaintext
	victim a 4M
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr "${victim_ranges[a]}" \
		--name a --peer 10.9.0.2 --plaintext
	wait_state h1 a disconnected
	wait_for reason_has h1 a 'takes no source from 10.9.0.1'
	same 0 "$(field h2 a applied_pages sink)" applied
}

from_another()
{
	two_hosts
	h2 memsyncctl listen 0.0.0.0 --plaintext
	receive h2 a --plaintext --from 10.9.0.3 --from fd9::1 --from 10.8.0.0/16
	victim a 4M
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr "${victim_ranges[a]}" \
		--name a --peer 10.9.0.2 --plaintext
	wait_state h1 a disconnected
	wait_for reason_has h1 a 'takes no source from 10.9.0.1'
}

# ---- the link ----

cut_and_restored()
{
	local round

	two_hosts
	start 10.9.0.2
	wait_state h1 a synced
	tell a run 2
	for round in 1 2; do
		ip -n h1 link set eth0 down
		wait_state h1 a disconnected
		tell a write 0 "$round" 7
		ip -n h1 link set eth0 up
		wait_state h1 a synced
	done
	tell a stop >/dev/null
	equal a h1 a h2 a
	[ "$(field h1 a reconnects)" -ge 2 ]
}

# Nothing is said, packets just vanish
silent_loss()
{
	two_hosts
	modprobe -q sch_netem || true
	start 10.9.0.2 8M
	wait_state h1 a synced
	tell a run 2
	h1 tc qdisc add dev eth0 root netem loss 100%
	h2 tc qdisc add dev eth0 root netem loss 100%
	wait_state h1 a disconnected
	h1 tc qdisc del dev eth0 root
	h2 tc qdisc del dev eth0 root
	wait_state h1 a synced
	tell a stop >/dev/null
	equal a h1 a h2 a
}

# A slow link with losses and reordering is only slow
lossy()
{
	two_hosts
	modprobe -q sch_netem || true
	h1 tc qdisc add dev eth0 root netem loss 3% delay 2ms reorder 10%
	h2 tc qdisc add dev eth0 root netem loss 3% delay 2ms
	start 10.9.0.2 4M
	equal a h1 a h2 a
	tell a write 0 17 5
	equal a h1 a h2 a
	same 0 "$(field h1 a reconnects)" reconnects
}

# In the first pass, at a moment that no event tells: with the sink's part half done
cut_in_the_first_pass()
{
	two_hosts
	modprobe -q sch_tbf || true
	h1 tc qdisc add dev eth0 root tbf rate 80mbit burst 64k latency 50ms
	start 10.9.0.2 16M
	wait_for has_applied h2 a 100
	same 1 "$(field h2 a mid_pass sink)" mid_pass
	ip -n h1 link set eth0 down
	wait_state h1 a disconnected
	same 0 "$(field h2 a barrier sink)" "barrier of half a pass"
	h1 tc qdisc del dev eth0 root
	ip -n h1 link set eth0 up
	wait_state h1 a synced
	equal a h1 a h2 a
	same 0 "$(field h2 a mid_pass sink)" mid_pass
}

# ---- the ends ----

sink_killed()
{
	local pid

	two_hosts
	h2 memsyncctl listen 0.0.0.0 --plaintext
	receive h2 a --plaintext --from 10.9.0.1
	pid=$!
	victim a 16M
	tell a fill 0 1
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr "${victim_ranges[a]}" \
		--name a --peer 10.9.0.2 --plaintext
	tell a run 2
	wait_state h1 a synced
	kill -KILL "$pid"
	wait_state h1 a disconnected
	wait_state h2 a gone sink
	h2 memsyncctl unregister a --sink
	receive h2 a --plaintext --from 10.9.0.1
	wait_state h1 a synced
	tell a stop >/dev/null
	equal a h1 a h2 a
}

source_killed()
{
	two_hosts
	start 10.9.0.2
	tell a run 2
	wait_state h1 a synced
	kill -KILL "${victim_pid[a]}"
	wait_state h1 a gone
	wait_state h2 a disconnected sink
	# Its successor ships to the same sink
	victim b 16M
	tell b fill 0 1000
	h1 memsyncctl register --pid "${victim_pid[b]}" --addr "${victim_ranges[b]}" \
		--name b --peer 10.9.0.2/a --plaintext
	wait_state h1 b synced
	equal b h1 b h2 a
}

# The whole of h1's network vanishes with all that is in it
namespace_gone()
{
	two_hosts
	start 10.9.0.2
	tell a run 2
	wait_state h1 a synced
	ip netns del h1
	wait_state h2 a disconnected sink
	same 0 "$(tell a stop | awk '{ print ($1 < 1) }')" "it went on writing"
}

run ipv4 ipv6 another_port plaintext_must_be_said loopback_only from_must_be_said \
	from_another cut_and_restored silent_loss lossy cut_in_the_first_pass sink_killed \
	source_killed namespace_gone
