#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Shows that klog finds each kind of report, and nothing in a quiet log."""

import os
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from rig import klog  # noqa: E402

# First lines of reports, as the kernels print them
REPORTS = """\
BUG: kernel NULL pointer dereference, address: 0000000000000000
BUG: unable to handle page fault for address: ffffa0fd42000000
BUG: sleeping function called from invalid context at kernel/locking/mutex.c:580
BUG: scheduling while atomic: insmod/139/0x00000002
BUG: Bad page state in process memhog  pfn:07f42
BUG: Bad rss-counter state mm:00000000a7f0b1d2 type:MM_ANONPAGES val:1
BUG: non-zero pgtables_bytes on freeing mm: 4096
BUG: KASAN: slab-use-after-free in plant_kasan+0x5e/0x80 [plant]
BUG: soft lockup - CPU#1 stuck for 62s! [cat:211]
BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 72s!
BUG: MAX_LOCKDEP_CHAINS too low!
kernel BUG at mm/rmap.c:1269!
Oops: general protection fault, probably for non-canonical address: 0000 [#1]
general protection fault, probably for non-canonical address 0xdead000000000100
WARNING: CPU: 0 PID: 139 at mm/memory.c:25 do_fault+0x5/0x10
WARNING: mm/memory.c:25 at do_fault+0x5/0x10, CPU#0: cat/139
WARNING: possible circular locking dependency detected
WARNING: possible recursive locking detected
WARNING: inconsistent lock state
WARNING: suspicious RCU usage
WARNING: bad unlock balance detected!
WARNING: lock held when returning to user space!
INFO: task kworker/0:1:14 blocked for more than 120 seconds.
INFO: trying to register non-static key.
INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-.... }
rcu: INFO: rcu_preempt self-detected stall on CPU
rcu: rcu_preempt kthread starved for 5250 jiffies!
watchdog: Watchdog detected hard LOCKUP on cpu 0
UBSAN: shift-out-of-bounds in /tmp/plant.c:64:2
kmemleak: Cannot allocate a kmemleak_object structure
kmemleak: 1 new suspected memory leaks (see /sys/kernel/debug/kmemleak)
unreferenced object 0xffff888003a4c000 (size 4096):
ODEBUG: free active (active state 0) object: 0000000011111111 object type: timer_list
refcount_t: underflow; use-after-free.
list_del corruption. prev->next should be ffff88, but was 0000
Kernel panic - not syncing: Fatal exception
page_table_check: BUG: page mapped twice
------------[ ftrace bug ]------------
"""

QUIET = """\
Linux version 6.1.0-56-amd64
kasan: KernelAddressSanitizer initialized
kmemleak: Cannot allocate a scan area, scanning the full object
rcu: \tRCU CPU stall warnings timeout set to 60 (rcu_cpu_stall_timeout).
memsync: loading out-of-tree module taints kernel.
Spectre V2 : Mitigation: Retpolines
clocksource: Switched to clocksource tsc
kmemleak: Kernel memory leak detector initialized (mem pool available: 38927)
debug: INFO about nothing
sysrq: Show Blocked State
Lock dependency validator: Copyright (c) 2006 Red Hat, Inc., Ingo Molnar
Memory cgroup out of memory: Killed process 211 (memhog)
"""


def found(lines):
    """How many reports klog finds in a log with these lines."""
    with tempfile.NamedTemporaryFile("w", suffix=".log") as log:
        for number, line in enumerate(lines):
            log.write(f"[{number:5}.{number:06}] {line}\r\n")
        log.flush()
        return klog.reports(log.name)


def main():
    wrong = 0
    for line in REPORTS.splitlines():
        if len(found(["before", line, "after"])) != 1:
            print(f"# not found: {line}")
            wrong += 1
    for line in QUIET.splitlines():
        if found([line]):
            print(f"# no report: {line}")
            wrong += 1
    trace = ["WARNING: CPU: 0", "Modules linked in:", "CPU: 0", "Call Trace:",
             "---[ end trace 0000000000000000 ]---"]
    several = found(trace + ["quiet"] * 80 + trace)
    if len(several) != 2 or several[0][-1] != trace[-1]:
        print("# two reports were not kept apart")
        wrong += 1
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
