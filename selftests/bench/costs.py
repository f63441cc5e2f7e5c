# SPDX-License-Identifier: GPL-2.0
"""Instructions, in a guest whose clock counts them."""

import contextlib
import os
import subprocess
import time

import locks
from steps import note, program, run, sink

# Minutes, which only a comparison is worth
AGAINST_WP_ASYNC = "4096"
TRACKERS = ("soft-dirty", "wp-async", "memsync")
# MiB and blocks, what is written in a round (see pattern.h), rounds, by whom it is tracked.
# What follows the hot pages finds them grown cold.
TRACKED = (
    ("256", ("500:random", "500:sequential", "2000:random", "2000:128", "2000:hot",
             "1000:runs", "1000:alternate"), 25, TRACKERS),
    ("256", ("16384:sequential",), 8, TRACKERS),
    ("2048", ("2000:128",), 6, ("memsync",)),
    (AGAINST_WP_ASYNC, ("2000:random",), 6, ("wp-async", "memsync")),
    ("16384/128", ("2000:128",), 12, ("memsync",)),
)
FAULT_ROUNDS = 40
SPAWN_ROUNDS = 20
OTHERS_RUNS = 3


def kernel_version():
    return tuple(map(int, os.uname().release.split(".")[:2]))


def has_wp_async():
    return kernel_version() >= (6, 7)


def allow_replicas():
    """One may have more address space than the guest has memory, and little of it is written."""
    for path, value in (("/proc/sys/vm/overcommit_memory", "1"),
                        ("/sys/kernel/mm/transparent_hugepage/enabled", "madvise")):
        with open(path, "w", encoding="ascii") as file:
            file.write(value)


# ---- who has a region ----

def tracked(tracker, size, patterns, rounds):
    note(f"tracked writes and harvests, {size} MiB: {tracker}")
    if tracker != "memsync":
        return program("tracked", tracker, size, rounds, *patterns)
    with sink():
        return program("tracked", tracker, size, rounds, *patterns)


def tracking(have_module):
    available = {"soft-dirty": True, "wp-async": has_wp_async(), "memsync": have_module}
    found = []
    for size, patterns, rounds, trackers in TRACKED:
        if size == AGAINST_WP_ASYNC and not has_wp_async():
            continue
        for tracker in trackers:
            if available[tracker]:
                found += tracked(tracker, size, patterns, rounds)
    return found


def huge_pages():
    note("huge pages")
    with sink():
        return program("huge", "127.0.0.1")[0]


# ---- who has none ----

def others(what):
    note(f"processes that are not registered: {what}")
    runs = range(OTHERS_RUNS)
    return {"faults": [result for _ in runs for result in program("faults", FAULT_ROUNDS)],
            "spawn": [result for _ in runs for result in program("spawn", SPAWN_ROUNDS)]}


@contextlib.contextmanager
def active_region():
    """A region of another process, in step with a sink."""
    with sink(name="other"), subprocess.Popen(["sleep", "infinity"]) as process:
        time.sleep(1)
        run("memsyncctl", "register", "--pid", str(process.pid), "--addr", "anon",
            "--name", "other", "--peer", "127.0.0.1", "--wait")
        try:
            yield
        finally:
            run("memsyncctl", "unregister", "other")
            process.kill()


def cost_to_others(have_module):
    if not have_module:
        return {"none": others("no module")}
    run("rmmod", "memsync")
    costs = {"none": others("no module")}
    run("insmod", os.environ["MEMSYNC_KO"])
    run("memsyncctl", "listen")
    costs["idle"] = others("module loaded")
    with active_region():
        costs["active"] = others("a region is active")
    return costs


def measure(have_module):
    allow_replicas()
    time.sleep(5)       # until what follows a boot is over
    costs = cost_to_others(have_module)
    found = {what: {state: results[what] for state, results in costs.items()}
             for what in ("faults", "spawn")}
    found["tracked"] = tracking(have_module)
    if have_module:
        found["huge"] = huge_pages()
        found["locks"] = locks.measure()
    return found
