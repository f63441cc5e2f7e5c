# SPDX-License-Identifier: GPL-2.0
"""What goes over a network, between two network namespaces of a guest.

	namespace near                 namespace far
	  source, iperf3 -c             sink, iperf3 -s
	  10.77.0.1/24  <── veth ──>    10.77.0.2/24
"""

import json
import mmap

from steps import HERE, background, note, program, run, sink

NEAR, FAR = "10.77.0.1", "10.77.0.2"
LINK_MIB = 512
LINK_ROUNDS = 5
ZERO_MIB = 1024
DIRTY = (100, 1000, 10000)
BARRIER_PAGES = (0, 1, 16)
BARRIER_ROUNDS = 100


def make_link():
    for name in ("near", "far"):
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")
    run("ip", "link", "add", "veth0", "netns", "near", "type", "veth",
        "peer", "name", "veth0", "netns", "far")
    for name, address in (("near", NEAR), ("far", FAR)):
        run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "veth0")
        run("ip", "-n", name, "link", "set", "veth0", "up")


def within(name):
    return ("ip", "netns", "exec", name)


def iperf(*options):
    """Bytes a second that arrived."""
    with background(*within("far"), "iperf3", "-s", "--forceflush", ready="listening"):
        out = json.loads(run(*within("near"), "iperf3", "-c", FAR, "-J",
                             "-n", f"{LINK_MIB}M", *options))
    return out["end"]["sum_received"]["bits_per_second"] / 8


def ship(mib, fill, *dirty):
    with sink("--from", NEAR, "--plaintext", within=within("far")):
        return program("ship", FAR, mib, fill, *dirty, within=within("near"))


def speed(first):
    return (first["mib"] << 20) / first["ns"] * 1e9


def throughput(have_module):
    found = {"iperf3": [], "iperf3 -Z": [], "memsync": []}
    for i in range(LINK_ROUNDS):
        note(f"throughput, round {i + 1} of {LINK_ROUNDS}")
        found["iperf3"].append(iperf())
        found["iperf3 -Z"].append(iperf("-Z"))
        if have_module:
            found["memsync"].append(speed(ship(LINK_MIB, "random")[0]))
    return found


def latency(have_module):
    note("latency")
    with background(*within("far"), f"{HERE}/build/pingpong", "--serve", FAR, ready="ready"):
        found = {"pingpong": program("pingpong", FAR, BARRIER_ROUNDS, within=within("near"))}
    if have_module:
        with sink("--from", NEAR, "--plaintext", within=within("far")):
            found["barrier"] = [
                result for pages in BARRIER_PAGES
                for result in program("barrier", FAR, pages, BARRIER_ROUNDS,
                                      within=within("near"))]
    return found


def touch_memory():
    """The emulator finds the guest's memory page by page, when it is first touched."""
    with open("/proc/meminfo", encoding="ascii") as meminfo:
        kib = {line.split()[0]: int(line.split()[1]) for line in meminfo}
    with mmap.mmap(-1, kib["MemFree:"] * 9 // 10 << 10) as memory:
        for at in range(0, len(memory), mmap.PAGESIZE):
            memory[at] = 1


def measure(have_module):
    touch_memory()
    make_link()
    found = {}
    if have_module:
        run(*within("far"), "memsyncctl", "listen", FAR, "--plaintext")
        note("bytes")
        found["zero"] = ship(ZERO_MIB, "zero")[0]
        found["dirty"] = ship(LINK_MIB, "random", *DIRTY)
    found["latency"] = latency(have_module)
    found["throughput"] = throughput(have_module)
    return found
