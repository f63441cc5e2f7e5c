#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A pass held 8 MiB of the process's pages until they were shipped, and read in what of them was
# swapped out: a process with a tighter limit was killed for want of memory.

# The tests are called by run.
# shellcheck disable=SC2317

# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$(realpath "$0")")/../lib.sh"

group=/sys/fs/cgroup/memsync-held

swap_on()
{
	modprobe -q zram
	nr=$(cat /sys/class/zram-control/hot_add)
	trap swap_off EXIT
	echo 128M >/sys/block/zram"$nr"/disksize
	mkswap -q /dev/zram"$nr" >/dev/null
	swapon /dev/zram"$nr"
}

# After what every test does at its end, which ends the shell
swap_off()
{
	local status=$?

	set +e
	(exit $status)
	(clean_up)
	status=$?
	wait
	swapoff /dev/zram"$nr"
	echo "$nr" >/sys/class/zram-control/hot_remove
	rmdir "$group"
	exit $status
}

# limit SIZE PID: for what it allocates from now on
limit()
{
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control
	mkdir "$group"
	echo "$1" >"$group/memory.max"
	echo "$2" >"$group/cgroup.procs"
}

held()
{
	swap_on
	two_hosts
	h2 memsyncctl listen 0.0.0.0 --plaintext
	victim b 24M
	h2 memsyncctl register --pid "${victim_pid[b]}" --addr "${victim_ranges[b]}" --name a \
		--sink --plaintext --from 10.9.0.1
	victim a 24M
	limit 6M "${victim_pid[a]}"
	tell a fill 0 1
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr "${victim_ranges[a]}" --name a \
		--peer 10.9.0.2 --plaintext
	wait_state h1 a synced
	tell a run 2
	sleep 8
	echo "# $(tell a stop) writes"
	same 0 "$(awk '$1 == "oom_kill" { print $2 }' "$group/memory.events")" "killed"
	equal a h1 a h2 a
}

run held
