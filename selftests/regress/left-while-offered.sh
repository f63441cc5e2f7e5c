#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A source that ended while what it had grown by was still offered: of the sink it was said at
# once that its owner did not answer.

# The tests are called by run.
# shellcheck disable=SC2317

# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$(realpath "$0")")/../lib.sh"

# shellcheck source-path=SCRIPTDIR source=../lib/followed.sh
. "$here/lib/followed.sh"

# listens HOST NAME FILE: does what the monitor writes there have a barrier?
listens()
{
	at "$1" memsyncctl sync "$2"
	grep -q barrier "$3"
}

left_while_offered()
{
	local receiver reason

	one_host
	h1 memsyncctl listen
	receive h1 a
	receiver=$!
	followed a 1M --peer localhost
	whole a h1 a h1 a
	background h1 memsyncctl -j monitor >"$tmp/monitor"
	wait_for listens h1 a "$tmp/monitor"
	kill -STOP $receiver
	tell a new 1
	tell a fill 1 2
	wait_for grep -q geometry "$tmp/monitor"
	kill -KILL "${victim_pid[a]}"
	wait_state h1 a disconnected sink
	reason=$(region h1 a sink get reason)
	kill -CONT $receiver
	echo "# $reason"
	[[ $reason =~ (closed|reset)' by the peer'|'source ended' ]] || fail "the reason is: $reason"
}

run left_while_offered
