#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Command lines: what they mean is decided before the module is asked for anything.
# usage: args.sh MEMSYNCCTL

ctl=$1
nr=0
failed=0

result()
{
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr - $2"
	else
		echo "not ok $nr - $2"
		echo "# ${3//$'\n'/$'\n'# }"
		failed=1
	fi
}

# expect STATUS TEXT ARGUMENT...: the exit status, and part of the one line on stderr
expect()
{
	local status=$1 text=$2 out err lines
	shift 2
	err=$("$ctl" "$@" 2>&1 >/dev/null)
	out=$?
	lines=$(wc -l <<<"$err")
	[ "$out" = "$status" ] && [ "$lines" = 1 ] && [[ $err == "memsyncctl: "*"$text"* ]]
	result $? "$*" "status $out: $err"
}

# expect_json STATUS ATTR ARGUMENT...: an error object on stdout and nothing on stderr
expect_json()
{
	local status=$1 attr=$2 out code
	shift 2
	out=$("$ctl" "$@" 2>&1)
	code=$?
	[ "$code" = "$status" ] && [[ $out == '{ "error": "'*'", "attr": '"$attr"' }' ]]
	result $? "$*" "status $code: $out"
}

# prints TEXT ARGUMENT...: succeeds, with part of its output
prints()
{
	local text=$1 out code
	shift
	out=$("$ctl" "$@" 2>&1)
	code=$?
	[ "$code" = 0 ] && [[ $out == *"$text"* ]]
	result $? "$*" "status $code: $out"
}

sleep 1000 &
victim=$!
trap 'kill $victim' EXIT

prints 'usage: memsyncctl' help
prints 'usage: memsyncctl' --help
prints 'usage: memsyncctl' -h
prints 'memsyncctl ' --version
for command in register receive unregister peer pause resume listen unlisten show sync \
		verify save monitor status help; do
	prints "memsyncctl [-j] $command" help $command
	prints "memsyncctl [-j] $command" $command --help
done

expect 2 'no command frobnicate' frobnicate
expect 2 'no command frobnicate' help frobnicate
expect 2 'unknown option --frob' --frob
expect 2 'unknown option -x' show -x
expect 2 'unknown or ambiguous option --frob' show --frob
expect 2 'too many arguments' show a b
expect 2 'NAME' show --sink
expect 2 'may hold only' show 'a b'
expect 2 'NAME' sync
expect 2 'no number of seconds' sync --timeout soon redis
expect 2 'needs an argument' sync redis --timeout
expect 2 'NAME' unregister
expect 2 'NAME' pause
expect 2 'NAME' resume
expect 2 'is no time' resume redis --interval 10
expect 2 'unknown' pause redis --interval 10ms
expect 2 'NAME' verify
expect 2 'NAME --sink PATH' save redis /tmp/x
expect 2 'NAME --sink PATH' save redis --sink
expect 2 'between 1ms and an hour' save redis --sink /tmp/x --lease 0
expect 2 'between 1ms and an hour' save redis --sink /tmp/x --lease 61m
expect 2 'takes no arguments' monitor x
expect 2 'takes no arguments' status x
expect 2 'add or del' peer
expect 2 'neither add nor del' peer set redis 127.0.0.1
expect 2 'may hold only' peer add 'a/b' 127.0.0.1
expect 2 'between 1 and 65535' peer add redis 127.0.0.1:0
expect 2 'port' listen 127.0.0.1:x
expect 2 'too many arguments' listen a b
expect 2 'unknown' unlisten --plaintext
expect 2 'needs --name' receive
expect 2 'is for --file' receive --name x --resume
expect 2 'no number' receive --name x --max-size big
expect 2 'no ADDR' receive --name x --from nowhere
expect 2 'unexpected argument' receive --name x y

expect 2 'needs --pid' register
expect 2 'needs --addr' register --pid $victim
expect 2 'no number' register --pid x --addr all
expect 2 'is no process' register --pid 0 --addr all
expect 2 'is no process' register --pid 4294967297 --addr all
expect 2 'no range' register --pid $victim --addr everything
expect 2 'needs --name' register --pid $victim --addr all --sink
expect 2 'is for a source' register --pid $victim --addr all --name x --sink --peer 127.0.0.1
expect 2 '--compare is for a source' register --pid $victim --addr all --name x --sink --compare
expect 2 'is for a sink' register --pid $victim --addr all --from 127.0.0.1
expect 2 'needs a --peer' register --pid $victim --addr all --wait
expect 2 'is for --wait' register --pid $victim --addr all --timeout 5
expect 2 'unexpected argument' register --pid $victim --addr all x
expect 2 'may hold only' register --pid $victim --addr all --name 'x y'
expect 1 'there is no process' register --pid 2147483647 --addr all
expect 1 'the aligned range is 0x1000-0x3000' register --pid $victim --addr 0x1001-0x2fff
expect 1 'reversed' register --pid $victim --addr 0x2000-0x1000
expect 1 'empty' register --pid $victim --addr 0x2000+0
expect 1 'kernel' register --pid $victim --addr 0xffffffff80000000-0xffffffff90000000
expect 1 'overlap' register --pid $victim --addr '[stack],anon'
expect 1 'no mapping /no/such' register --pid $victim --addr /no/such
expect 1 'exists; --resume' receive --name x --file "$0"

expect_json 2 null -j frobnicate
expect_json 2 null show -j a b
expect_json 2 null --json sync
expect_json 1 '"end"' register -j --pid $victim --addr 0x2000-0x1000
expect_json 1 '"start"' register --pid $victim --addr 0x2001-0x3000 --json
expect_json 1 '"pid"' -j register --pid 2147483647 --addr all

if [ -d /sys/module/memsync ]; then
	echo "ok $((++nr)) - without the module # SKIP it is loaded"
else
	expect 1 'not loaded: modprobe memsync' status
	expect 1 'not loaded: modprobe memsync'
	expect 1 'not loaded: modprobe memsync' show redis
	expect 1 'not loaded: modprobe memsync' listen
	expect 1 'not loaded: modprobe memsync' register --pid $victim --addr '[stack]'
	expect_json 1 null -j
fi

out=$("$ctl" help 2>&1 >/dev/full)
[ $? = 1 ]
result $? 'output that cannot be written is a failure' "$out"

echo "1..$nr"
exit $failed
