# SPDX-License-Identifier: GPL-2.0
"""How long memsync holds a process's mmap lock in one go, by the kernel's trace events."""

import contextlib
import os
import re
import subprocess

from steps import HERE, note, run, sink

TRACING = "/sys/kernel/tracing"
EVENTS = ("mmap_lock/mmap_lock_acquire_returned", "mmap_lock/mmap_lock_released")
# The sink takes the lock of another process, and page by page
FILTER = 'comm != "memsync/sink"'
# memsync's threads and its tool; what outlives a region is done by workers
TASKS = ("memsync", "kworker")
BUFFER_KIB = 32768
EVENT = re.compile(r"\s*(?P<task>.+)-(?P<tid>\d+)\s+\[\d+\]\s+\S+\s+(?P<time>[\d.]+): "
                   r"mmap_lock_(?P<what>\w+): mm=(?P<mm>\S+) (?P<rest>.*)")

# Of address space, and blocks of it that are there: side by side, and anywhere
MIB = 16384
SIZE = f"{MIB}/128+128"
PASSES = ("500:random", "2000:random", "2000:128", "16384:sequential")


def write(name, text):
    with open(f"{TRACING}/{name}", "w", encoding="ascii") as file:
        file.write(str(text))


class Trace:
    """The events on mmap locks, whose time is that of the counting clock."""

    def __enter__(self):
        if not os.path.exists(f"{TRACING}/events"):
            run("mount", "-t", "tracefs", "tracefs", TRACING)
        write("trace_clock", "mono")
        write("buffer_size_kb", BUFFER_KIB)
        for event in EVENTS:
            write(f"events/{event}/filter", FILTER)
        self.switch(1)
        return self

    def __exit__(self, *_):
        self.switch(0)
        write("buffer_size_kb", 1)

    def switch(self, on):
        for event in EVENTS:
            write(f"events/{event}/enable", on)

    def take(self):
        """All since the last time, as matches of EVENT; nothing is traced meanwhile."""
        self.switch(0)
        with open(f"{TRACING}/per_cpu/cpu0/stats", encoding="ascii") as stats:
            if "overrun: 0\n" not in stats:
                raise SystemExit("bench: the trace buffer was too small")
        with open(f"{TRACING}/trace", encoding="utf-8", errors="replace") as trace:
            events = list(filter(None, map(EVENT.match, trace)))
        write("trace", "")
        self.switch(1)
        return events


def holds(events, mm):
    """(task, µs) of each time that memsync held the lock of this memory."""
    since = {}
    for event in events:
        if event["mm"] != mm or not event["task"].startswith(TASKS):
            continue
        if event["what"] == "released":
            began = since.pop(event["tid"], None)
            if began is not None:
                yield event["task"], (float(event["time"]) - began) * 1e6
        elif "success=true" in event["rest"]:
            since.setdefault(event["tid"], float(event["time"]))   # a downgrade goes on


@contextlib.contextmanager
def writer():
    """A process with much address space: itself, and what it is told to write to."""
    with subprocess.Popen([f"{HERE}/build/writer", SIZE], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def order(process, line):
    process.stdin.write(line + "\n")
    process.stdin.flush()
    if process.stdout.readline() != "ok\n":
        raise SystemExit("bench: the writer is gone")


def longest(trace, step, mm):
    """How often and how long it was held in this step, by task."""
    found = {}
    for task, us in holds(trace.take(), mm):
        found.setdefault(task.split("/")[0], []).append(us)
    return [{"step": step, "task": task, "holds": len(times), "longest": max(times)}
            for task, times in found.items()]


def steps(trace, process, memory):
    own = str(process.pid)
    mm = [event["mm"] for event in trace.take() if event["tid"] == own][-1]
    run("memsyncctl", "register", "--pid", own, "--addr", memory, "--name", "locks",
        "--peer", "127.0.0.1", "--wait")
    run("memsyncctl", "sync", "locks")
    yield from longest(trace, "registration and first pass", mm)
    for pages in PASSES:
        order(process, pages)
        run("memsyncctl", "sync", "locks")
        yield from longest(trace, f"pass, {pages}", mm)
    run("memsyncctl", "unregister", "locks")
    yield from longest(trace, "unregistration", mm)


def measure():
    note(f"holds of the mmap lock, {MIB} MiB")
    with sink(name="locks"), Trace() as trace, writer() as (process, memory):
        return {"mib": MIB, "steps": list(steps(trace, process, memory))}
