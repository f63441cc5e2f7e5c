#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A sink whose answer to the handshake comes in two parts, with seconds between them, was
# taken for a broken network: the first part was read as if it were the whole.

# The tests are called by run.
# shellcheck disable=SC2317

# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$(realpath "$0")")/../lib.sh"

peer_is_connected()
{
	[ "$(json h1 a '.peers[0].state')" = connected ]
}

answer_in_two_parts()
{
	one_host
	victim a 1M
	tell a fill 0 1
	background h1 "$here/net/peer.py" serve 7500 two-parts >"$tmp/serve"
	wait_for grep -q ready "$tmp/serve"
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr "${victim_ranges[a]}" \
		--name a --peer 127.0.0.1:7500
	wait_for peer_is_connected
	same 0 "$(field h1 a reconnects)" reconnects
}

run answer_in_two_parts
