#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What memsyncctl prints and how it ends: the contract that scripts rely on.

# The tests are called by run.
# shellcheck disable=SC2317

# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$(realpath "$0")")/../lib.sh"

start()
{
	one_host
	h1 memsyncctl listen
	receive h1 a
	victim a 4M,1M
	tell a fill 0 1
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr "${victim_ranges[a]}" --name a \
		--peer 127.0.0.1
	wait_state h1 a synced
}

# has JQ: true of what is on stdin
has()
{
	local input

	input=$(cat)
	echo "$input" | jq -e "$1" >/dev/null || fail "not so: $1 in $input"
}

shown()
{
	local region=$tmp/region

	start
	equal a h1 a h1 a
	h1 memsyncctl -j show a >"$tmp/show"
	jq 'if type == "array" then .[0] else . end' "$tmp/show" >"$tmp/region"
	has '.id > 0 and .name == "a" and .role == "source" and .state == "synced"' <"$region"
	has ".pid == ${victim_pid[a]}" <"$region"
	has '.ranges | length == 2' <"$region"
	has '.ranges[0] | (.start | startswith("0x")) and (.end | startswith("0x")) and .offset == 0' \
		<"$region"
	has '.ranges[1].offset == 4194304' <"$region"
	same "${victim_ranges[a]}" \
		"$(jq -r '[.ranges[] | "\(.start)-\(.end)"] | join(",")' "$region")" ranges
	has '.pages == 1280 and (.dirty | type == "number")' <"$region"
	has '.peers | length == 1' <"$region"
	has '.peers[0] | .addr == "127.0.0.1:7420" and .state == "connected" and .lag_pages == 0' \
		<"$region"
	has '.last_barrier.id > 0 and (.last_barrier.time | type == "string")' <"$region"
	has '.mid_pass == false' <"$region"
	has '.stats | [has("write_faults", "passes", "harvest_ns", "harvested_pages",
		"shipped_pages", "shipped_bytes", "zero_pages", "applied_pages", "reconnects",
		"resync_pages")] | all' <"$region"
	h1 memsyncctl -j show | has 'type == "array" and length == 2'
	h1 memsyncctl show -j | has 'type == "array"'
	h1 memsyncctl -j show a --sink | jq 'if type == "array" then .[0] else . end' |
		has '.role == "sink" and (.ranges | length == 2) and .last_barrier.id > 0 and
		.stats.applied_pages > 0'
	# In text, by itself, and with no command at all
	h1 memsyncctl show a | grep -q synced
	same "$(h1 memsyncctl show | grep -c '^')" "$(h1 memsyncctl | grep -c '^')" lines
}

status()
{
	start
	h1 memsyncctl -j status >"$tmp/status"
	has '.version and .wire and .hook == "active"' <"$tmp/status"
	has '[.listeners[].addr] | sort == ["127.0.0.1:7420", "[::1]:7420"]' <"$tmp/status"
	h1 memsyncctl status | grep -q '^memsync'
}

exit_status()
{
	start
	h1 memsyncctl sync a
	refused 1 . h1 memsyncctl sync nobody
	refused 2 . h1 memsyncctl sync
	refused 2 . h1 memsyncctl no-such-command
	refused 2 . h1 memsyncctl show --no-such-option
	h1 memsyncctl peer add a 127.0.0.1:7999
	refused 4 'not reached' h1 memsyncctl sync a --timeout 0.2
	h1 memsyncctl peer del a 127.0.0.1:7999
	h1 memsyncctl pause a
	refused 1 paused h1 memsyncctl sync a --timeout 0.2
	h1 memsyncctl resume a
	h1 memsyncctl sync a
	refused 1 'name' h1 memsyncctl register --pid "${victim_pid[a]}" --name a \
		--addr "${victim_ranges[a]}"
	refused 2 . h1 memsyncctl register --pid "${victim_pid[a]}" --name 'a b' \
		--addr "${victim_ranges[a]}"
	refused 1 . h1 memsyncctl register --pid 4194303 --name x --addr 0x1000-0x2000
	h1 memsyncctl -j sync nobody >"$tmp/out" 2>&1 || true
	has '.error and has("attr")' <"$tmp/out"
}

paused_and_resumed()
{
	local before

	start
	equal a h1 a h1 a
	h1 memsyncctl pause a
	before=$(field h1 a shipped_pages)
	tell a fill 1 7
	tell a write 0 9 3
	same "$before" "$(field h1 a shipped_pages)" "shipped pages"
	same 257 "$(field h1 a dirty)" "dirty pages"
	h1 memsyncctl resume a
	equal a h1 a h1 a
	same $((before + 257)) "$(field h1 a shipped_pages)" "shipped pages"
}

peers_come_and_go()
{
	start
	receive h1 other
	refused 1 . h1 memsyncctl peer add a 127.0.0.1
	h1 memsyncctl peer add a 127.0.0.1/other
	wait_state h1 a synced
	equal a h1 a h1 other
	equal a h1 a h1 a
	h1 memsyncctl peer del a 127.0.0.1/other
	refused 1 . h1 memsyncctl peer del a 127.0.0.1/other
	tell a write 0 5 5
	equal a h1 a h1 a
	# The last one: tracking goes on, a barrier is an error
	h1 memsyncctl peer del a 127.0.0.1
	wait_state h1 a attached
	tell a write 0 6 6
	refused 1 peer h1 memsyncctl sync a
	h1 memsyncctl peer add a 127.0.0.1
	wait_state h1 a synced
	equal a h1 a h1 a
}

barrier_is_shown()
{
	h1 memsyncctl sync a >/dev/null
	grep -q . "$tmp/monitor"
}

monitored()
{
	start
	background h1 memsyncctl -j monitor >"$tmp/monitor"
	# It listens once it has shown something; make something happen until it does
	wait_for barrier_is_shown
	h1 memsyncctl peer del a 127.0.0.1
	kill -KILL "${victim_pid[a]}"
	wait_for grep -q gone "$tmp/monitor"
	h1 memsyncctl unregister a
	wait_for grep -q deleted "$tmp/monitor"
	jq -e . "$tmp/monitor" >/dev/null
	# Numbered without a gap
	same true "$(jq -s '[.[].seq] | . == [range(.[0]; .[0] + length)]' "$tmp/monitor")" \
		"numbers in order"
	h1 memsyncctl -j show | has 'all(.name != "a" or .role != "source")'
}

listeners()
{
	one_host
	h1 memsyncctl listen
	refused 1 . h1 memsyncctl listen
	h1 memsyncctl listen :7421
	h1 memsyncctl listen '[::1]:7422'
	h1 memsyncctl -j status | has '[.listeners[].addr] | index("127.0.0.1:7421") != null and
		index("[::1]:7422") != null'
	h1 memsyncctl unlisten :7421
	refused 1 . h1 memsyncctl unlisten :7421
	h1 memsyncctl listen :7421
	refused 1 . h1 memsyncctl listen 192.0.2.1:7420 --plaintext
}

# has_heap PID PROGRAM: it has called exec, and allocated something
has_heap()
{
	grep -q "/$2\$" "/proc/$1/maps" && grep -q '\[heap\]' "/proc/$1/maps"
}

ranges()
{
	local pid heap

	one_host
	background '' sleep 1000
	pid=$!
	wait_for has_heap "$pid" sleep
	heap=$(awk '/\[heap\]/ { split($1, a, "-"); print "0x" a[1] "-0x" a[2] }' "/proc/$pid/maps")
	h1 memsyncctl register --pid "$pid" --addr '[heap]' --name heap
	same "$heap" "$(json h1 heap '.ranges[0] | "\(.start)-\(.end)"')" heap
	h1 memsyncctl register --pid "$pid" --addr anon --name anon
	[ "$(json h1 anon '.ranges | length')" -ge 2 ]
	h1 memsyncctl register --pid "$pid" --addr '[stack]' --name stack
	refused 1 . h1 memsyncctl register --pid "$pid" --addr '[vvar]' --name vvar
	refused 1 align h1 memsyncctl register --pid "$pid" --addr "${heap%-*}+100" --name x
	refused 2 . h1 memsyncctl register --pid "$pid" --addr 0x1000 --name x
	refused 2 . h1 memsyncctl register --pid "$pid" --addr '' --name x
	# The process's name, if there is none
	h1 memsyncctl register --pid "$pid" --addr '[heap]'
	has_region h1 sleep source
}

run shown status exit_status paused_and_resumed peers_come_and_go monitored listeners ranges
