# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the shell tests share: KTAP, victims, hosts as network namespaces, comparison.
#
#	┌─ h1 ───────────┐ veth  ┌─ h2 ───────────┐
#	│ victim         │       │ receive, or a  │
#	│ source region  │       │ sink region    │
#	│ 10.9.0.1  fd9::1 ───── 10.9.0.2  fd9::2 │
#	└────────────────┘       └────────────────┘
#
# A test is a function that is run by "run NAME…", in a subshell of its own with a
# directory $tmp; what it leaves running or registered is removed after it. It passes
# when it returns 0: under set -e, so every line of it is a check.

shopt -s inherit_errexit

here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
lib=$here/build/lib

# By their paths, since to look for a command is dear where the file system is the host's
region() { "$lib/region" "$@"; }
memcmp-procs() { "$lib/memcmp-procs" "$@"; }

debug=
[ "${MEMSYNC_KERNEL-}" != debug ] || debug=1

# sized NORMAL DEBUG: what suits the kernel
# shellcheck disable=SC2329
sized()
{
	if [ -n "$debug" ]; then echo "$2"; else echo "$1"; fi
}

patience=$(sized 120 400)	# seconds until something that must happen counts as not happening

# ---- KTAP ----

failed=0

# run TEST…
run()
{
	local nr=0 test status

	echo TAP version 13
	echo "1..$#"
	for test; do
		nr=$((nr + 1))
		one "$test"
		status=$?
		case $status in
		0) echo "ok $nr $test" ;;
		4) echo "ok $nr $test # SKIP $(cat "$tmp_base/skip")" ;;
		*) echo "not ok $nr $test"
		   failed=1 ;;
		esac
	done
	rm -rf "$tmp_base"
	return $failed
}

tmp_base=$(mktemp -d /tmp/memsync-test.XXXXXX)

one()
{
	local status

	tmp=$tmp_base/t
	mkdir "$tmp"
	(
		set -eEuo pipefail
		trap 'echo "# line $LINENO: $BASH_COMMAND"' ERR
		trap clean_up EXIT
		"$1"
	) </dev/null 2>&1 | sed -u 's/^\([^#]\)/# \1/'
	status=${PIPESTATUS[0]}
	rm -rf "$tmp"
	return "$status"
}

# skip REASON: for what the kernel really lacks
skip()
{
	echo "$*" >"$tmp_base/skip"
	exit 4
}

fail()
{
	echo "# $*"
	exit 1
}

# In each namespace, what is left; then what was started
clean_up()
{
	local status=$? ns at

	trap - ERR
	set +eu
	[ $status = 0 ] || [ $status = 4 ] || show_all
	# The shell tells of each process that is killed
	exec 2>/dev/null
	for ns in $(netns) ''; do
		region "$ns" clear
	done
	if [ -e "$tmp/pids" ]; then
		while read -r pid; do
			kill -CONT "$pid"
			kill -KILL "$pid"
		done <"$tmp/pids"
	fi
	for ns in $(netns); do
		ip netns del "$ns"
	done
	while read -r _ at _; do
		[[ $at != "$tmp"/* ]] || umount -l "$at"
	done </proc/mounts
	exit "$status"
}

show_all()
{
	local ns

	for ns in $(netns) ''; do
		echo "# ${ns:-this host}:"
		at "$ns" memsyncctl status 2>&1
		at "$ns" memsyncctl -j show 2>&1 | jq -c '.[] | {name, role, state, reason, dirty,
			peers, last_barrier, mid_pass, stats}' 2>&1
	done
}

# Those of the test; "keeper" is run-tests' own
netns()
{
	local ns

	for ns in /run/netns/*; do
		[ ! -f "$ns" ] || [ "${ns##*/}" = keeper ] || echo "${ns##*/}"
	done
}

# ---- checks ----

# refused STATUS TEXT COMMAND…: fails with that status and one line that has TEXT
refused()
{
	local expected=$1 text=$2 status=0

	shift 2
	"$@" >"$tmp/out" 2>"$tmp/err" || status=$?
	if [ "$status" != "$expected" ]; then
		fail "exit status $status, not $expected: $* ($(cat "$tmp/out" "$tmp/err"))"
	fi
	if ! grep -qi -e "$text" "$tmp/err"; then
		fail "no '$text' in: $(cat "$tmp/err")"
	fi
	if [ "$(wc -l <"$tmp/err")" != 1 ]; then
		fail "not one line: $(cat "$tmp/err")"
	fi
}

# same EXPECTED ACTUAL [WHAT]
same()
{
	[ "$1" = "$2" ] || fail "${3-}: expected $1, is $2"
}

# wait_for COMMAND…: until it succeeds. For what has no event.
wait_for()
{
	local end=$((SECONDS + patience))

	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || fail "did not happen: $*"
		sleep 0.05
	done
}

# ---- hosts ----

# at HOST COMMAND…: HOST is a network namespace, or '' for this one
at()
{
	local ns=$1

	shift
	if [ -n "$ns" ]; then "$lib/enter" "$ns" "$@"; else "$@"; fi
}

# two_hosts: h1 and h2 and a link
two_hosts()
{
	ip netns add h1
	ip netns add h2
	ip -n h1 -batch - <<-EOF
		link add eth0 type veth peer name eth0 netns h2
		link set lo up
		addr add 10.9.0.1/24 dev eth0
		addr add fd9::1/64 dev eth0 nodad
		link set eth0 up
	EOF
	ip -n h2 -batch - <<-EOF
		link set lo up
		addr add 10.9.0.2/24 dev eth0
		addr add fd9::2/64 dev eth0 nodad
		link set eth0 up
	EOF
}

# one_host: h1 alone, so that tests do not meet
one_host()
{
	ip netns add h1
	ip -n h1 link set lo up
}

h1() { at h1 "$@"; }
h2() { at h2 "$@"; }

# ---- victims ----

# victim NAME SIZE[,SIZE]… [huge]: starts one; victim_pid[NAME], victim_ranges[NAME]
# shellcheck disable=SC2034
declare -A victim_pid victim_ranges victim_in victim_out

victim()
{
	local name=$1 in out

	shift
	mkfifo "$tmp/$name.in" "$tmp/$name.out"
	"$lib/victim" "$@" <"$tmp/$name.in" >"$tmp/$name.out" &
	victim_pid[$name]=$!
	echo $! >>"$tmp/pids"
	exec {in}>"$tmp/$name.in" {out}<"$tmp/$name.out"
	victim_in[$name]=$in
	victim_out[$name]=$out
	read -r -t "$patience" "victim_ranges[$name]" <&"$out"
}

# tell NAME COMMAND…: prints the answer, if it is more than "ok"
tell()
{
	local name=$1 answer

	shift
	echo "$*" >&"${victim_in[$name]}"
	read -r -t "$patience" answer <&"${victim_out[$name]}" || fail "$name has no answer to $*"
	case $answer in
	ok) ;;
	error*) fail "$name: $*: $answer" ;;
	*) echo "$answer" ;;
	esac
}

# background HOST COMMAND…: ends with the test; $! is its very pid, so no functions
background()
{
	local ns=$1

	shift
	if [ -n "$ns" ]; then
		"$lib/enter" "$ns" "$@" &
	else
		env "$@" &
	fi
	echo $! >>"$tmp/pids"
}

# ---- regions ----

# field HOST NAME FIELD [ROLE]: of a region; see lib/region.c
field()
{
	region "$1" "$2" "${4-source}" get "$3"
}

# json HOST NAME JQ [ROLE]: the same from memsyncctl
json()
{
	at "$1" memsyncctl -j show | jq -r --arg name "$2" --arg role "${4-source}" \
		".[] | select(.name == \$name and .role == \$role) | $3"
}

# wait_state HOST NAME STATE [ROLE]
wait_state()
{
	region "$1" "$2" "${4-source}" wait "$3" "$patience"
}

# reason_has HOST NAME PATTERN: why it is in its state; none while it tries again
reason_has()
{
	field "$1" "$2" reason | grep -qi -e "$3"
}

# has_region HOST NAME ROLE
has_region()
{
	field "$1" "$2" id "$3"
}

# receive HOST NAME [OPTIONS…]: in the background; returns once it is there; pid $!
receive()
{
	local host=$1 name=$2

	shift 2
	background "$host" memsyncctl receive --name "$name" "$@"
	wait_for has_region "$host" "$name" sink
}

# has_applied HOST NAME PAGES: so many pages, or more, at this sink
has_applied()
{
	[ "$(field "$1" "$2" applied_pages sink)" -ge "$3" ]
}

# memory HOST NAME ROLE: its process, and then what spans prints
memory()
{
	region "$1" "$2" "$3" memory
}

# spans HOST NAME ROLE: START LENGTH, a line each, in the order of the replica
spans()
{
	region "$1" "$2" "$3" spans
}

# compare HOST1 NAME1 HOST2 NAME2: every byte of a source with its replica
compare()
{
	local a b i args=()

	a=$(memory "$1" "$2" source)
	b=$(memory "$3" "$4" sink)
	mapfile -t a <<<"$a"
	mapfile -t b <<<"$b"
	same ${#a[@]} ${#b[@]} "number of ranges"
	for ((i = 1; i < ${#a[@]}; i++)); do
		same "${a[i]#* }" "${b[i]#* }" "length of a range"
		args+=("${a[i]% *}" "${b[i]% *}" "${a[i]#* }")
	done
	[ ${#args[@]} -gt 0 ] || fail "nothing to compare"
	memcmp-procs "${a[0]}" "${args[0]}" "${b[0]}" "${args[@]:1}"
}

# compare_file HOST NAME FILE: a source with a file of its replica
compare_file()
{
	local a i args=() offset=0

	a=$(memory "$1" "$2" source)
	mapfile -t a <<<"$a"
	for ((i = 1; i < ${#a[@]}; i++)); do
		args+=("${a[i]% *}" "$offset" "${a[i]#* }")
		offset=$((offset + ${a[i]#* }))
	done
	[ ${#args[@]} -gt 0 ] || fail "nothing to compare"
	memcmp-procs "${a[0]}" "${args[0]}" "$3" "${args[@]:1}"
}

# equal VICTIM HOST1 NAME1 HOST2 NAME2: stops it, takes a barrier, compares, continues it
equal()
{
	local pid=${victim_pid[$1]}

	kill -STOP "$pid"
	at "$2" memsyncctl sync "$3" --timeout "$patience" >/dev/null
	compare "$2" "$3" "$4" "$5"
	kill -CONT "$pid"
}
