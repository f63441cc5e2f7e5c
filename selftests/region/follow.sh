#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# --follow: what a process maps after it was registered is replicated as well.

# The tests are called by run.
# shellcheck disable=SC2317

# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$(realpath "$0")")/../lib.sh"

# shellcheck source-path=SCRIPTDIR source=../lib/followed.sh
. "$here/lib/followed.sh"

new_mappings()
{
	one_host
	h1 memsyncctl listen
	receive h1 a
	followed a 4M --peer localhost
	whole a h1 a h1 a
	tell a new 6
	whole a h1 a h1 a
	tell a fill 1 2
	whole a h1 a h1 a
	tell a write 1 9 77
	tell a new 1
	tell a write 2 3 78
	whole a h1 a h1 a
	same true "$(json h1 a .follow)" follow
}

# Nobody asks for a barrier: it is followed all the same
unasked()
{
	local before

	one_host
	h1 memsyncctl listen
	receive h1 a
	followed a 4M --peer localhost
	h1 memsyncctl sync a >/dev/null
	before=$(field h1 a applied_pages sink)
	tell a new 2
	tell a fill 1 2
	wait_for has_applied h1 a $((before + 512))
	whole a h1 a h1 a
}

heap_and_stack()
{
	one_host
	h1 memsyncctl listen
	receive h1 a
	followed a 4M --peer localhost
	whole a h1 a h1 a
	for i in 1 2 3; do
		tell a heap 100 $((i * 100))
		tell a stack $((i * 300)) $((i * 1000))
		whole a h1 a h1 a
	done
	# It shrinks, and what comes back is empty
	tell a heap -200 0
	whole a h1 a h1 a
	tell a heap 100 7
	whole a h1 a h1 a
	tell a heap 20000 5
	tell a stack 4000 6
	whole a h1 a h1 a
}

nr_ranges()
{
	spans h1 a source | wc -l
}

# few_more BEFORE: than there were, by far less than steps
few_more()
{
	local now

	now=$(nr_ranges)
	echo "# $1 ranges before, $now now"
	[ "$now" -lt $(($1 + 12)) ]
}

# in_steps COMMAND…: each of many small steps, COMMAND SEED, is no range of its own
in_steps()
{
	local i before

	one_host
	h1 memsyncctl listen
	receive h1 a
	followed a 1M --peer localhost
	before=$(nr_ranges)
	for i in $(seq 40); do
		tell a "$@" "$i"
		h1 memsyncctl sync a >/dev/null
	done
	whole a h1 a h1 a
	few_more "$before"
}

small_steps()
{
	in_steps heap 64
}

# As an allocator does that reserves addresses first
small_steps_in_a_reservation()
{
	in_steps widen 0 8
}

# A huge page that comes with a write in a range reaches beyond it, where no write faults then
beyond_the_end()
{
	one_host
	h1 memsyncctl listen
	receive h1 a
	victim a 1M huge
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr anon --follow --name a \
		--peer localhost
	h1 memsyncctl sync a >/dev/null
	tell a widen 0 256 0
	tell a write 0 5 7
	h1 memsyncctl sync a >/dev/null
	tell a write 0 300 8
	whole a h1 a h1 a
}

# As a compiler at run time does: by the time somebody looks, nobody may write
made_read_only()
{
	one_host
	h1 memsyncctl listen
	receive h1 a
	followed a 1M --peer localhost
	h1 memsyncctl sync a >/dev/null
	h1 memsyncctl pause a
	tell a new 2
	tell a fill 1 2
	tell a protect 1 1
	h1 memsyncctl resume a
	whole a h1 a h1 a
	tell a protect 1 0
	h1 memsyncctl sync a >/dev/null
	tell a protect 1 3
	tell a write 1 5 99
	whole a h1 a h1 a
}

moved()
{
	one_host
	h1 memsyncctl listen
	receive h1 a
	followed a 4M,2M --peer localhost
	tell a fill 1 2
	whole a h1 a h1 a
	tell a move 1
	whole a h1 a h1 a
	tell a write 1 5 99
	whole a h1 a h1 a
}

# Written before it was registered, when it was not writable
made_writable()
{
	one_host
	h1 memsyncctl listen
	receive h1 a
	victim a 4M,2M
	tell a fill 0 1
	tell a fill 1 2
	tell a protect 1 1
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr anon --follow --name a \
		--peer localhost
	whole a h1 a h1 a
	tell a protect 1 3
	whole a h1 a h1 a
	tell a write 1 5 99
	whole a h1 a h1 a
}

# A range stays one when it is unmapped, and is there when something is mapped again
unmapped_and_mapped()
{
	one_host
	h1 memsyncctl listen
	receive h1 a
	followed a 4M --peer localhost
	tell a new 2
	tell a fill 1 2
	whole a h1 a h1 a
	tell a unmap 1 0 512
	whole a h1 a h1 a
	tell a map 1 0 512
	tell a fill 1 3
	whole a h1 a h1 a
	tell a unmap 0 0 1024
	whole a h1 a h1 a
}

# nothing_at HOST NAME ADDR LENGTH: the replica has zeros for this part of a source
nothing_at()
{
	local pid start1 length start2 at

	pid=$(field "$1" "$2" pid sink)
	while read -r start1 length start2 _; do
		if [ $(($3)) -lt $((start1)) ] || [ $(($3)) -ge $((start1 + length)) ]; then
			continue
		fi
		at=$((start2 + $3 - start1))
		dd if="/proc/$pid/mem" bs=4096 skip=$((at / 4096)) count=$(($4 / 4096)) \
			status=none | cmp -n "$4" - /dev/zero
		return
	done < <(paste -d' ' <(spans "$1" "$2" source) <(spans "$1" "$2" sink))
	fail "$3 is in no range"
}

# What cannot be tracked is left out, and the rest goes on
another_kind()
{
	local start

	one_host
	h1 memsyncctl listen
	receive h1 a
	followed a 4M,2M --peer localhost
	tell a fill 1 2
	whole a h1 a h1 a
	tell a map-file 1 8 2
	h1 memsyncctl sync a >/dev/null
	start=${victim_ranges[a]#*,}
	nothing_at h1 a $((${start%-*} + 8 * 4096)) 8192
	tell a write 0 5 99
	tell a write 1 4 99
	tell a map 1 8 2
	tell a write 1 8 100
	whole a h1 a h1 a
	same synced "$(field h1 a state)" state
}

# The data of a library that is loaded later, say
files()
{
	local followed_kind=all

	one_host
	h1 memsyncctl listen
	receive h1 a
	followed a 4M --peer localhost 2>"$tmp/left"
	grep "left out.*victim.*cannot be seen" "$tmp/left"
	whole a h1 a h1 a
	same true "$(json h1 a .follow_files)" follow_files
	tell a new-file 3 5
	whole a h1 a h1 a
	tell a write 1 9 77
	whole a h1 a h1 a
	tell a new-file 1 6
	tell a dontneed 1 5 30
	tell a fill 2 7
	whole a h1 a h1 a
}

# Shared memory, now and later, and what has a userfaultfd; not what is secret
kinds()
{
	local followed_kind=all secret=1

	one_host
	h1 memsyncctl listen
	receive h1 a
	victim a 4M
	tell a fill 0 1
	tell a new 2
	tell a fill 1 2
	tell a arm 1
	tell a new-shared 2 3
	(tell a new-secret 1) || secret=	# its error is told
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr all --follow --name a \
		--peer localhost 2>"$tmp/left"
	[ -z "$secret" ] || grep "left out.*secret memory" "$tmp/left"
	if grep userfaultfd "$tmp/left"; then
		fail "private memory was left out"
	fi
	whole a h1 a h1 a
	tell a write 1 9 77
	tell a write 2 9 78
	tell a new-shared 2 4
	whole a h1 a h1 a
	tell a write 1 10 79
	tell a fill 2 5
	whole a h1 a h1 a
	same synced "$(field h1 a state)" state
}

# Of files, only where it was asked for
not_files()
{
	local before

	one_host
	h1 memsyncctl listen
	receive h1 a
	followed a 4M --peer localhost
	whole a h1 a h1 a
	before=$(nr_ranges)
	tell a new-file 3 5
	tell a fill 1 6
	h1 memsyncctl sync a >/dev/null
	same "$before" "$(nr_ranges)" ranges
}

# Private memory from the pool of huge pages, from the first and later; not what is shared
hugetlb()
{
	echo 16 >/proc/sys/vm/nr_hugepages || skip "no hugetlb memory"
	one_host
	h1 memsyncctl listen
	receive h1 a
	victim a 4M
	tell a new-huge 4 0
	tell a fill 1 2
	tell a new-huge 2 1
	tell a fill 2 3
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr "$followed_kind" --follow \
		--name a --peer localhost 2>"$tmp/left"
	whole a h1 a h1 a
	tell a write 1 9 77
	tell a new-huge 4 0
	tell a fill 3 4
	tell a new-huge 2 1
	tell a fill 4 5
	tell a write 3 513 78
	whole a h1 a h1 a
	same synced "$(field h1 a state)" state
	h1 memsyncctl unregister a
	tell a write 1 10 79
}

hugetlb_of_all()
{
	local followed_kind=all

	hugetlb
	grep "left out.*shared hugetlb memory" "$tmp/left"
}

while_it_writes()
{
	local i

	one_host
	h1 memsyncctl listen
	receive h1 a
	followed a 8M --peer localhost
	tell a run 3
	for i in $(seq "$(sized 8 4)"); do
		tell a new 3
		tell a heap 500 "$i"
		whole a h1 a h1 a
	done
	tell a stop >/dev/null
	whole a h1 a h1 a
	h1 memsyncctl verify a >/dev/null
}

# What was to be looked at when the region grew, and could not tell any more afterwards
forked_meanwhile()
{
	local park=/sys/module/memsync/parameters/park_grow parked

	[ -e $park ] || skip "only a build for tests can be made to wait"
	one_host
	h1 memsyncctl listen
	receive h1 a
	victim a 1M,4M huge
	tell a fill 0 1
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr anon --follow --name a \
		--peer localhost
	h1 memsyncctl sync a >/dev/null
	h1 memsyncctl pause a
	tell a fill 1 2
	tell a new 1
	tell a fill 2 3
	echo 1 >$park
	h1 memsyncctl resume a
	wait_for grep -q 2 $park
	tell a fork 1
	parked=$(<$park)
	echo 0 >$park
	same 2 "$parked" "parked when the region grows"
	whole a h1 a h1 a
}

into_a_file()
{
	one_host
	h1 memsyncctl listen
	receive h1 a --file "$tmp/replica"
	followed a 4M --peer localhost
	whole a h1 a h1 a
	tell a new 2
	tell a fill 1 2
	whole a h1 a h1 a
	kill -STOP "${victim_pid[a]}"
	h1 memsyncctl sync a >/dev/null
	compare_file h1 a "$tmp/replica"
	h1 memsyncctl save a --sink "$tmp/image"
	compare_file h1 a "$tmp/image"
	same "$(json h1 a '[.ranges[] | .offset] | sort == [.[]] and .[0] == 0')" true order
}

# populate KEYS: a redis-server gets so many keys of 500 bytes in all
populate()
{
	same OK "$(redis-cli -s "$tmp/redis" debug populate "$1" key 500)"
}

# Its allocator (jemalloc) maps what it needs as it goes
a_service()
{
	local keys before

	command -v redis-server >/dev/null || skip "redis-server is not installed"
	one_host
	h1 memsyncctl listen
	receive h1 a
	background '' redis-server --port 0 --unixsocket "$tmp/redis" --save '' --dir "$tmp" \
		--enable-debug-command yes >"$tmp/redis.log"
	victim_pid[a]=$!
	wait_for redis-cli -s "$tmp/redis" ping
	populate 4000
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr anon --follow --name a \
		--peer localhost
	before=$(nr_ranges)
	whole a h1 a h1 a
	for keys in 10000 $(sized '30000 60000' 20000); do
		populate "$keys"
		whole a h1 a h1 a
	done
	same OK "$(redis-cli -s "$tmp/redis" flushall)"
	whole a h1 a h1 a
	populate "$keys"
	whole a h1 a h1 a
	few_more "$before"
}

# The source may have grown while the sink was away
across_a_reconnect()
{
	two_hosts
	h2 memsyncctl listen 0.0.0.0 --plaintext
	receive h2 a --from 10.9.0.1 --plaintext
	followed a 4M --peer 10.9.0.2 --plaintext
	whole a h1 a h2 a
	ip -n h1 link set eth0 down
	tell a new 2
	tell a fill 1 2
	tell a run 1
	wait_state h1 a disconnected
	tell a new 2
	tell a fill 2 3
	ip -n h1 link set eth0 up
	wait_state h1 a synced
	tell a stop >/dev/null
	whole a h1 a h2 a
}

two_peers()
{
	two_hosts
	h1 memsyncctl listen
	h2 memsyncctl listen 0.0.0.0 --plaintext
	receive h1 a
	receive h2 a --from 10.9.0.1 --plaintext
	followed a 4M --peer localhost --peer 10.9.0.2 --plaintext
	whole a h1 a h1 a
	tell a new 2
	tell a fill 1 2
	whole a h1 a h1 a
	whole a h1 a h2 a
	h1 memsyncctl peer del a 10.9.0.2
	tell a new 2
	tell a fill 2 3
	whole a h1 a h1 a
}

# A peer that is added later finds all of it
no_peer_yet()
{
	one_host
	h1 memsyncctl listen
	followed a 4M
	tell a new 2
	tell a fill 1 2
	receive h1 a
	h1 memsyncctl peer add a localhost
	whole a h1 a h1 a
}

a_sink_that_is_full()
{
	local limit

	one_host
	h1 memsyncctl listen
	followed a 4M
	limit=$(json h1 a '.pages * 4096 + 4194304')
	receive h1 a --max-size "$limit" 2>"$tmp/receive.err"
	h1 memsyncctl peer add a localhost
	whole a h1 a h1 a
	tell a new 64
	tell a fill 1 2
	wait_for reason_has h1 a "$limit at most"
	# The sink goes on as it was
	has_region h1 a sink >/dev/null
	same 0 "$(tell a check 1 2)" "pages that differ"
}

a_sink_of_fixed_size()
{
	local ranges

	one_host
	h1 memsyncctl listen
	victim a 4M
	ranges=${victim_ranges[a]}
	victim b 4M
	h1 memsyncctl register --pid "${victim_pid[b]}" --addr "${victim_ranges[b]}" \
		--name a --sink
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr "$ranges" --name a \
		--peer localhost
	equal a h1 a h1 a
	h1 memsyncctl unregister a
	refused 2 'anon or --addr all' h1 memsyncctl register --pid "${victim_pid[a]}" \
		--addr "$ranges" --follow --name a
	refused 2 'for a source' h1 memsyncctl register --pid "${victim_pid[b]}" \
		--addr anon --follow --name b --sink
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr anon --follow --name a \
		--peer localhost
	wait_for reason_has h1 a 'geometry differs'
}

# The debug kernel, on which a command takes seconds, gets those that differ in the kernel
if [ -n "$debug" ]; then
	run forked_meanwhile two_peers across_a_reconnect while_it_writes another_kind \
		a_sink_that_is_full made_read_only moved beyond_the_end heap_and_stack \
		new_mappings files
else
	run new_mappings unasked heap_and_stack small_steps small_steps_in_a_reservation moved \
		beyond_the_end made_writable made_read_only unmapped_and_mapped another_kind hugetlb \
		hugetlb_of_all files kinds not_files \
		while_it_writes forked_meanwhile into_a_file a_service across_a_reconnect \
		two_peers no_peer_yet a_sink_that_is_full a_sink_of_fixed_size
fi
