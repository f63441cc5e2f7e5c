#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Others who trace or patch the function that memsync hooks, and attempts to silence it.

# The tests are called by run.
# shellcheck disable=SC2317

# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$(realpath "$0")")/../lib.sh"

tracing=/sys/kernel/tracing
fn=handle_mm_fault
# A module in a livepatch's place, if it was built before; else it is built here
standin=${MEMSYNC_STANDIN_KO-}

start()
{
	one_host
	h1 memsyncctl listen
	receive h1 a
	victim a 4M
	tell a fill 0 1
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr "${victim_ranges[a]}" --name a \
		--peer 127.0.0.1
	equal a h1 a h1 a
}

busy()
{
	tell a run 2
	h1 memsyncctl sync a >/dev/null
	tell a stop >/dev/null
	tell a write 0 3 1
	equal a h1 a h1 a
}

reset_tracing()
{
	echo nop >"$tracing"/current_tracer
	echo >"$tracing"/set_ftrace_filter
	echo 1 >"$tracing"/tracing_on
	echo >"$tracing"/trace
}

hook_state()
{
	h1 memsyncctl -j status | jq -r .hook
}

only_while_needed()
{
	one_host
	same off "$(hook_state)" hook
	victim a 1M
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr "${victim_ranges[a]}" --name a
	same active "$(hook_state)" hook
	grep -q "^$fn " "$tracing"/enabled_functions
	h1 memsyncctl unregister a
	same off "$(hook_state)" hook
	if grep -q "^$fn .* I" "$tracing"/enabled_functions; then
		fail "the hook is still there"
	fi
}

# Refused by the kernel while the hook is there, or the region says so; never silence
ftrace_disabled()
{
	local status=0

	start
	sysctl -q kernel.ftrace_enabled=0 || status=$?
	echo "# sysctl: status $status, ftrace_enabled $(sysctl -n kernel.ftrace_enabled)"
	if [ "$status" = 0 ] && [ "$(sysctl -n kernel.ftrace_enabled)" = 0 ]; then
		# Switched off: then nobody may be told that a barrier was reached
		wait_state h1 a gone
		sysctl -q kernel.ftrace_enabled=1
		return
	fi
	busy
	same active "$(hook_state)" hook
}

# Off before: a registration is refused, or works
ftrace_disabled_before()
{
	one_host
	if ! sysctl -q kernel.ftrace_enabled=0 2>"$tmp/err"; then
		cat "$tmp/err"
		grep -q "not supported" "$tmp/err" && skip "7 does not switch ftrace off"
		return 1
	fi
	victim a 1M
	tell a fill 0 1
	h1 memsyncctl listen
	receive h1 a
	if h1 memsyncctl register --pid "${victim_pid[a]}" --addr "${victim_ranges[a]}" \
		--name a --peer 127.0.0.1 2>"$tmp/err"; then
		busy
	else
		cat "$tmp/err"
		grep -qi ftrace "$tmp/err"
	fi
	h1 memsyncctl unregister a || true
	sysctl -q kernel.ftrace_enabled=1
}

function_tracer()
{
	[ -e "$tracing"/set_ftrace_filter ] || skip "no function tracer"
	start
	echo "$fn" >"$tracing"/set_ftrace_filter
	echo function >"$tracing"/current_tracer
	busy
	grep -q "$fn" "$tracing"/trace
	reset_tracing
	busy
	# And the other way round
	h1 memsyncctl unregister a
	h1 memsyncctl unregister a --sink
	echo "$fn" >"$tracing"/set_ftrace_filter
	echo function >"$tracing"/current_tracer
	receive h1 a
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr "${victim_ranges[a]}" --name a \
		--peer 127.0.0.1
	busy
	reset_tracing
	busy
}

graph_tracer()
{
	grep -q function_graph "$tracing"/available_tracers || skip "no graph tracer"
	start
	echo "$fn" >"$tracing"/set_ftrace_filter
	echo function_graph >"$tracing"/current_tracer
	busy
	reset_tracing
	busy
}

kprobe()
{
	[ -e "$tracing"/kprobe_events ] || skip "no kprobe events"
	start
	echo "p:memsync_test $fn" >>"$tracing"/kprobe_events
	echo 1 >"$tracing"/events/kprobes/memsync_test/enable
	busy
	[ "$(awk '$1 == "memsync_test" { print $2 }' "$tracing"/kprobe_profile)" -gt 0 ]
	echo 0 >"$tracing"/events/kprobes/memsync_test/enable
	echo '-:memsync_test' >>"$tracing"/kprobe_events
	busy
}

kretprobe()
{
	[ -e "$tracing"/kprobe_events ] || skip "no kprobe events"
	start
	echo "r:memsync_test $fn" >>"$tracing"/kprobe_events
	echo 1 >"$tracing"/events/kprobes/memsync_test/enable
	busy
	echo 0 >"$tracing"/events/kprobes/memsync_test/enable
	echo '-:memsync_test' >>"$tracing"/kprobe_events
	busy
}

bpf()
{
	local probe=kprobe tracer

	command -v bpftrace >/dev/null || skip "no bpftrace here"
	# A trampoline of its own at the function's entry, where the kernel has its types
	[ ! -e /sys/kernel/btf/vmlinux ] || probe=kfunc
	start
	background '' bpftrace -e "$probe:$fn { @ = count(); }" >"$tmp/bpf" 2>&1
	tracer=$!
	wait_for eval "grep -q Attaching $tmp/bpf || ! kill -0 $tracer"
	kill -0 "$tracer" || fail "bpftrace: $(cat "$tmp/bpf")"
	busy
}

build_standin()
{
	local kdir entry

	kdir=$(realpath -m "/lib/modules/$(uname -r)/build")
	[ -d "$kdir" ] || skip "no headers to build a module with"
	cp -r "$here/hook/standin" "$tmp"
	# Where the rig has it, if this is one that the host's compiler is not for
	entry=${kdir%/root/usr/src/*}
	if [ -e "$entry/suite" ]; then
		XDG_CACHE_HOME=${entry%/memsync/kernel/*} \
			"$here/vm/kmake" "$entry" -s M="$tmp/standin" modules
	else
		make -s -C "$kdir" M="$tmp/standin" modules
	fi >"$tmp/make" 2>&1 || fail "$(cat "$tmp/make")"
	standin=$tmp/standin/standin.ko
}

# One who patches the function keeps us out, and is told apart from other failures
livepatched()
{
	[ -n "$standin" ] || build_standin
	one_host
	insmod "$standin"
	victim a 1M
	refused 1 'livepatch\|patch\|another' h1 memsyncctl register --pid "${victim_pid[a]}" \
		--addr "${victim_ranges[a]}" --name a
	same '[]' "$(h1 memsyncctl -j show | jq -c .)" regions
	rmmod standin
	h1 memsyncctl register --pid "${victim_pid[a]}" --addr "${victim_ranges[a]}" --name a
	# Now we keep it out
	if insmod "$standin" 2>/dev/null; then
		rmmod standin
		fail "both have it"
	fi
	h1 memsyncctl unregister a
	insmod "$standin"
	rmmod standin
}

# Our own tracepoints, read by anyone
tracepoints()
{
	start
	echo 1 >"$tracing"/events/memsync/enable
	busy
	echo 0 >"$tracing"/events/memsync/enable
	for event in memsync_tracked_write memsync_harvest memsync_ship memsync_apply; do
		grep -q " $event: " "$tracing"/trace || fail "no $event"
	done
	echo >"$tracing"/trace
}

run only_while_needed ftrace_disabled ftrace_disabled_before function_tracer graph_tracer \
	kprobe kretprobe bpf livepatched tracepoints
status=$?
sysctl -q kernel.ftrace_enabled=1
reset_tracing
exit $status
