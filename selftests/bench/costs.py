# SPDX-License-Identifier: GPL-2.0
"""Instructions, in a guest whose clock counts them."""

import contextlib
import os
import subprocess
import time

from steps import note, program, run, sink

# MiB, what is written in a round (see tracked.c), rounds. Each is a process.
WRITES = ("500:random", "500:sequential")
TRACKED = (
    (256, WRITES + ("2000:random", "2000:128"), 25),
    (2048, ("2000:random", "2000:128"), 6),
)
FAULT_ROUNDS = 40
FAULT_RUNS = 3


def tracked(tracker, mib, specs, rounds):
    note(f"tracked writes and harvests, {mib} MiB: {tracker}")
    return program("tracked", tracker, mib, rounds, *specs)


def tracking(have_module):
    trackers = ["soft-dirty"]
    if kernel_version() >= (6, 7):
        trackers.append("wp-async")
    found = []
    for mib, specs, rounds in TRACKED:
        for tracker in trackers:
            found += tracked(tracker, mib, specs, rounds)
        if have_module:
            with sink():
                found += tracked("memsync", mib, specs, rounds)
    return found


def faults(what):
    note(f"page faults of others: {what}")
    return [result for _ in range(FAULT_RUNS) for result in program("faults", FAULT_ROUNDS)]


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


def fault_costs(have_module):
    if not have_module:
        return {"none": faults("no module")}
    run("rmmod", "memsync")
    costs = {"none": faults("no module")}
    run("insmod", os.environ["MEMSYNC_KO"])
    run("memsyncctl", "listen")
    costs["idle"] = faults("module loaded")
    with active_region():
        costs["active"] = faults("a region is active")
    return costs


def kernel_version():
    return tuple(map(int, os.uname().release.split(".")[:2]))


def measure(have_module):
    time.sleep(5)       # until what follows a boot is over
    return {"faults": fault_costs(have_module), "tracked": tracking(have_module)}
