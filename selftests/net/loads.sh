#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The module is loaded and unloaded again and again while the processes that it watches
# write; on the debug kernel, allocations fail at random meanwhile. MEMSYNC_LOADS is how
# often.

# The tests are called by run.
# shellcheck disable=SC2317

# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$(realpath "$0")")/../lib.sh"

ko=${MEMSYNC_KO:?names the module}
loads=${MEMSYNC_LOADS:-$(sized 30 8)}
failslab=/sys/kernel/debug/failslab

# fail_allocations PERCENT: of each 211th, of those tasks only that ask for it; a command
# makes some hundreds
fail_allocations()
{
	[ -d $failslab ] || return 0
	echo Y >$failslab/task-filter
	echo N >$failslab/ignore-gfp-wait
	echo "$1" >$failslab/probability
	echo 211 >$failslab/interval
	echo -1 >$failslab/times
	echo 0 >$failslab/verbose
}

# unlucky COMMAND…: its allocations fail now and then
unlucky()
{
	(
		[ ! -d $failslab ] || echo 1 >/proc/self/make-it-fail
		exec "$@"
	)
}

# The same for those of the module's own threads
unlucky_threads()
{
	local comm

	[ -d $failslab ] || return 0
	for comm in /proc/[0-9]*/comm; do
		if grep -qs '^memsync/' "$comm"; then
			echo 1 2>/dev/null >"${comm%comm}make-it-fail" || true
		fi
	done
}

register_both()
{
	unlucky nsenter --net=/run/netns/h1 memsyncctl listen &&
		unlucky nsenter --net=/run/netns/h1 memsyncctl register --pid "${victim_pid[b]}" \
			--addr "${victim_ranges[b]}" --name a --sink &&
		unlucky nsenter --net=/run/netns/h1 memsyncctl register --pid "${victim_pid[a]}" \
			--addr "${victim_ranges[a]}" --name a --peer localhost
}

# Any of it may fail for want of memory, but the unloading
once()
{
	local round=$1

	[ -e /sys/module/memsync ] || insmod "$ko"
	fail_allocations 50
	if register_both >>"$tmp/out" 2>&1; then
		good=$((good + 1))
		unlucky_threads
		sleep 0.0$((round % 10))
		[ $((round % 3)) != 0 ] || unlucky nsenter --net=/run/netns/h1 memsyncctl \
			unregister a >>"$tmp/out" 2>&1 || true
	fi
	fail_allocations 0
	rmmod memsync
}

again_and_again()
{
	local round good=0

	one_host
	victim a 4M,2M huge
	tell a fill 0 1
	victim b 4M,2M
	tell a run 2
	for round in $(seq "$loads"); do
		once "$round"
	done
	tell a stop >/dev/null
	echo "# $good of $loads were whole"
	[ $good -gt $((loads / 4)) ]
	[ "$(tell a touch 0)" -lt 20 ]
	[ "$(tell b touch 0)" -lt 20 ]
	insmod "$ko"
	h1 memsyncctl listen
	h1 memsyncctl register --pid "${victim_pid[b]}" --addr "${victim_ranges[b]}" --name a --sink
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr "${victim_ranges[a]}" --name a \
		--peer localhost
	equal a h1 a h1 a
}

run again_and_again
