#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Pages of 64 KiB that are mapped by entries of 4 KiB: what is tested with huge pages is tested
# once more with those, and what is tested with shared memory too.

# The tests are called by run.
# shellcheck disable=SC2317

# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$(realpath "$0")")/../lib.sh"

thp=/sys/kernel/mm/transparent_hugepage
multi=$thp/hugepages-64kB
huge=$thp/hugepages-2048kB

# put VALUE FILE: until the test ends
put()
{
	local before

	before=$(sed 's/.*\[\(.*\)\].*/\1/' "$2")
	echo "$before $2" >>"$tmp/before"
	echo "$1" >"$2"
}

# Before what every test does at its end
put_back()
{
	local status=$? value file

	set +e
	[ ! -e "$tmp/before" ] || while read -r value file; do
		echo "$value" >"$file"
	done < <(tac "$tmp/before")
	(exit $status)
	clean_up
}

# with FILE COUNTER PROGRAM VARIANT: by the settings FILE of each size, which must make a
# difference: COUNTER is of such pages
with()
{
	local setting=$1 counter=$multi/stats/$2 before

	[ -e "$multi/$setting" ] || skip "this kernel has huge pages of one size: no $multi/$setting"
	trap put_back EXIT
	put never "$huge/$setting"
	put always "$multi/$setting"
	before=$(cat "$counter")
	"$here/build/track/$3" -v "$4" || fail "$3 with $4 pages"
	[ "$(cat "$counter")" -gt $((before + 100)) ] || fail "there were no pages of 64 KiB"
}

memory() { with enabled anon_fault_alloc memory huge; }
writes_by_the_kernel() { with enabled anon_fault_alloc kernel-writes huge; }
fork() { with enabled anon_fault_alloc fork huge; }
swap() { with enabled anon_fault_alloc swap zram_huge; }
shared_memory() { with shmem_enabled shmem_alloc shared memfd; }

run memory writes_by_the_kernel fork swap shared_memory
