#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Sinks: memory and files held by memsyncctl receive, a process's own memory; what they
# refuse; verify and save.

# The tests are called by run.
# shellcheck disable=SC2317

# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$(realpath "$0")")/../lib.sh"

# source VICTIM SIZE [OPTIONS…]: a filled victim whose region has its name
source_of()
{
	local name=$1 sizes=$2

	shift 2
	victim "$name" "$sizes"
	tell "$name" fill 0 1
	h1 memsyncctl register --pid "${victim_pid[$name]}" --addr "${victim_ranges[$name]}" \
		--name "$name" "$@"
}

# busy VICTIM HOST1 NAME1 HOST2 NAME2: compared while threads write, and after
busy()
{
	tell "$1" write 0 7 101
	tell "$1" run 2
	at "$2" memsyncctl sync "$3" --timeout "$patience" >/dev/null
	equal "$@"
	tell "$1" stop >/dev/null
	equal "$@"
}

into_memory()
{
	one_host
	h1 memsyncctl listen
	receive h1 a
	source_of a 16M,4K,1M --peer localhost
	equal a h1 a h1 a
	busy a h1 a h1 a
}

into_a_file()
{
	one_host
	h1 memsyncctl listen
	receive h1 a --file "$tmp/replica"
	source_of a 16M,64K --peer 127.0.0.1
	equal a h1 a h1 a
	busy a h1 a h1 a
	kill -STOP "${victim_pid[a]}"
	h1 memsyncctl sync a >/dev/null
	compare_file h1 a "$tmp/replica"
	same 600 "$(stat -c %a "$tmp/replica")" mode
	same $((16 * 1024 * 1024 + 65536)) "$(stat -c %s "$tmp/replica")" size
}

into_a_process()
{
	local faults

	one_host
	h1 memsyncctl listen
	victim b 8M,1M
	tell b fill 0 99
	h1 memsyncctl register --pid "${victim_pid[b]}" --addr "${victim_ranges[b]}" \
		--name a --sink
	source_of a 8M,1M --peer 127.0.0.1:7420/a
	kill -STOP "${victim_pid[a]}"
	h1 memsyncctl sync a >/dev/null
	same 0 "$(tell b check 0 1)" "pages that differ"
	kill -CONT "${victim_pid[a]}"
	busy a h1 a h1 a
	# A sink's memory stays as it is
	kill -STOP "${victim_pid[a]}"
	h1 memsyncctl sync a >/dev/null
	h1 memsyncctl unregister a --sink
	kill -CONT "${victim_pid[a]}"
	faults=$(tell b touch 0)
	[ "$faults" -le 4 ] || fail "$faults faults afterwards"
}

an_existing_file_is_refused()
{
	one_host
	echo precious >"$tmp/replica"
	refused 1 exist h1 memsyncctl receive --name a --file "$tmp/replica"
	same precious "$(cat "$tmp/replica")"
	ln -s "$tmp/elsewhere" "$tmp/link"
	refused 1 . h1 memsyncctl receive --name a --file "$tmp/link"
	[ ! -e "$tmp/elsewhere" ]
	refused 1 . h1 memsyncctl receive --name a --file "$tmp"
	refused 1 . h1 memsyncctl receive --name a --file "$tmp/no/such/directory"
	same '[]' "$(h1 memsyncctl -j show | jq -c .)" regions
}

a_file_is_resumed()
{
	local pid

	one_host
	h1 memsyncctl listen
	receive h1 a --file "$tmp/replica"
	pid=$!
	source_of a 8M --peer 127.0.0.1
	equal a h1 a h1 a
	kill -INT "$pid"
	wait "$pid" || true
	tell a write 0 5 77
	refused 1 exist h1 memsyncctl receive --name a --file "$tmp/replica"
	receive h1 a --file "$tmp/replica" --resume
	equal a h1 a h1 a
	kill -STOP "${victim_pid[a]}"
	compare_file h1 a "$tmp/replica"
}

# Nothing is written beyond what is there
a_full_disk()
{
	one_host
	h1 memsyncctl listen
	mkdir "$tmp/small"
	mount -t tmpfs -o size=4M small "$tmp/small"
	background h1 memsyncctl receive --name a --file "$tmp/small/replica" 2>"$tmp/receive.err"
	wait_for has_region h1 a sink
	source_of a 8M --peer 127.0.0.1
	wait_state h1 a disconnected
	wait_for grep -qi 'space' "$tmp/receive.err"
	refused 4 'not reached' h1 memsyncctl sync a --timeout 5
	# The source is none the worse for it
	same 0 "$(tell a check 0 1)" "pages that differ"
	umount -l "$tmp/small"
}

too_large()
{
	one_host
	h1 memsyncctl listen
	receive h1 a --max-size 4M
	source_of a 8M --peer 127.0.0.1
	wait_state h1 a disconnected
	wait_for reason_has h1 a 4194304
	h1 memsyncctl unregister a
	h1 memsyncctl register --pid "${victim_pid[a]}" --name a --peer 127.0.0.1 \
		--addr "${victim_ranges[a]%-*}+4M"
	equal a h1 a h1 a
}

another_geometry()
{
	local sizes name=0

	one_host
	h1 memsyncctl listen
	victim b 8M,1M
	h1 memsyncctl register --pid "${victim_pid[b]}" --addr "${victim_ranges[b]}" \
		--name a --sink
	for sizes in 8M 1M,8M 9M 8M,1M,4K 8M,2M; do
		name=$((name + 1))
		source_of "s$name" "$sizes" --peer 127.0.0.1/a
		wait_state h1 "s$name" disconnected
		wait_for reason_has h1 "s$name" 'geometry\|ranges'
		h1 memsyncctl unregister "s$name"
	done
	same 0 "$(field h1 a applied_pages sink)" "applied pages"
}

a_second_source()
{
	one_host
	h1 memsyncctl listen
	receive h1 a
	source_of a 4M --peer 127.0.0.1
	equal a h1 a h1 a
	source_of b 4M --peer 127.0.0.1/a
	wait_state h1 b disconnected
	wait_for reason_has h1 b 'another source'
	# The first one goes on
	busy a h1 a h1 a
	h1 memsyncctl unregister a
	tell b write 0 3 9
	wait_state h1 b synced
	equal b h1 b h1 a
}

no_such_sink()
{
	one_host
	h1 memsyncctl listen
	source_of a 4M --peer 127.0.0.1/nobody
	wait_state h1 a disconnected
	wait_for reason_has h1 a 'no sink named nobody'
	receive h1 nobody
	wait_state h1 a synced
	equal a h1 a h1 nobody
}

the_process_ends()
{
	one_host
	h1 memsyncctl listen
	victim b 8M
	h1 memsyncctl register --pid "${victim_pid[b]}" --addr "${victim_ranges[b]}" \
		--name a --sink
	source_of a 8M --peer 127.0.0.1
	tell a run 2
	wait_state h1 a synced
	kill -KILL "${victim_pid[b]}"
	wait_state h1 a gone sink
	wait_state h1 a disconnected
	h1 memsyncctl unregister a --sink
	receive h1 a
	tell a stop >/dev/null
	equal a h1 a h1 a
}

the_target_unmaps()
{
	one_host
	h1 memsyncctl listen
	victim b 8M
	h1 memsyncctl register --pid "${victim_pid[b]}" --addr "${victim_ranges[b]}" \
		--name a --sink
	source_of a 8M --peer 127.0.0.1
	equal a h1 a h1 a
	tell b unmap 0 100 50
	tell a write 0 120 5
	wait_state h1 a disconnected
	wait_for reason_has h1 a 'memory at 0x'
	same 0 "$(tell a check 0 1 | awk '{ print ($1 > 1) }')" "more than one page differs"
	tell b map 0 100 50
	wait_state h1 a synced
	equal a h1 a h1 a
}

# ---- verify ----

verified()
{
	local pid start

	one_host
	h1 memsyncctl listen
	receive h1 a
	source_of a 8M --peer 127.0.0.1
	equal a h1 a h1 a
	h1 memsyncctl verify a
	same 0 "$(h1 memsyncctl -j verify a | jq .different)" different
	# Behind its back
	pid=$(field h1 a pid sink)
	read -r start _ < <(spans h1 a sink)
	printf x | dd of="/proc/$pid/mem" bs=1 seek=$((start + 0x123456)) conv=notrunc status=none
	status=0
	h1 memsyncctl -j verify a >"$tmp/verify" || status=$?
	same 3 "$status" "exit status"
	same 1 "$(jq .different "$tmp/verify")" different
	same 2048 "$(jq .compared "$tmp/verify")" compared
	same $((0x123000)) "$(jq '.mismatches[0].offset' "$tmp/verify")" offset
	status=0
	h1 memsyncctl verify a >"$tmp/out" 2>&1 || status=$?
	same 3 "$status" "exit status"
	grep -q 0x "$tmp/out"
	# Shipped again, it is equal again
	tell a write 0 $((0x123)) 6
	h1 memsyncctl sync a >/dev/null
	h1 memsyncctl verify a
}

# What changes meanwhile is not called a difference
verified_under_load()
{
	one_host
	h1 memsyncctl listen
	receive h1 a
	source_of a 8M,8M --peer 127.0.0.1
	equal a h1 a h1 a
	tell a run-in 0 2
	h1 memsyncctl verify a
	h1 memsyncctl verify a
	tell a stop >/dev/null
	h1 memsyncctl verify a
	equal a h1 a h1 a
}

# ---- save ----

saved()
{
	one_host
	h1 memsyncctl listen
	receive h1 a
	source_of a 8M,64K --peer 127.0.0.1
	equal a h1 a h1 a
	kill -STOP "${victim_pid[a]}"
	h1 memsyncctl sync a >/dev/null
	h1 memsyncctl save a --sink "$tmp/image"
	compare_file h1 a "$tmp/image"
	same 600 "$(stat -c %a "$tmp/image")" mode
	# The next one takes the place of the last
	echo "not an image" >"$tmp/image"
	h1 memsyncctl save a --sink "$tmp/image"
	compare_file h1 a "$tmp/image"
	kill -CONT "${victim_pid[a]}"
	# Under load too, it is the image of one barrier; then shipping goes on
	tell a run 2
	h1 memsyncctl save a --sink "$tmp/image2"
	h1 memsyncctl save a --sink "$tmp/image3"
	tell a stop >/dev/null
	equal a h1 a h1 a
	same $((8 * 1024 * 1024 + 65536)) "$(stat -c %s "$tmp/image3")" size
}

a_disk_too_small_to_save()
{
	one_host
	h1 memsyncctl listen
	receive h1 a
	source_of a 8M --peer 127.0.0.1
	equal a h1 a h1 a
	mkdir "$tmp/small"
	mount -t tmpfs -o size=2M small "$tmp/small"
	refused 1 space h1 memsyncctl save a --sink "$tmp/small/image"
	[ ! -e "$tmp/small/image" ]
	umount "$tmp/small"
	busy a h1 a h1 a
}

run into_memory into_a_file into_a_process an_existing_file_is_refused a_file_is_resumed \
	a_full_disk too_large another_geometry a_second_source no_such_sink the_process_ends \
	the_target_unmaps verified verified_under_load saved a_disk_too_small_to_save
