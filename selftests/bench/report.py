# SPDX-License-Identifier: GPL-2.0
"""Tables and verdicts from what the guests measured."""

import operator
import statistics

PAGE = 4096

# What, with which of the results, and the bound; "both" is a write, and its share of the
# harvest
AGAINST_WP_ASYNC = (
    ("random tracked write / WP_ASYNC", "write", 256, "500:random", 0.75),
    ("sequential tracked write / WP_ASYNC", "write", 256, "16384:sequential", 0.20),
    ("page written in every pass, with harvest / WP_ASYNC", "both", 256, "2000:hot", 0.35),
    ("harvest of 500 in 256 MiB / PAGEMAP_SCAN", "harvest", 256, "500:random", 0.10),
    ("harvest of 2000 in 256 MiB / PAGEMAP_SCAN", "harvest", 256, "2000:random", 0.12),
    ("harvest of 2000 in 4 GiB / PAGEMAP_SCAN", "harvest", 4096, "2000:random", 0.03),
)
STATES = {"none": "no module", "idle": "module idle", "active": "region active"}


def median(values):
    return statistics.median(values)


def text(value, unit=""):
    """A number as people read it."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if abs(value) < 10 and value != int(value):
        number = f"{value:.3f}"
    elif abs(value) < 1000 and value != int(value):
        number = f"{value:.1f}"
    else:
        number = f"{value:,.0f}".replace(",", " ")
    return f"{number} {unit}".strip()


class Report:
    """Makes the tables; self.figures has what has a bound, self.missed whether one is."""

    def __init__(self, raw):
        self.raw = raw
        self.lines = []
        self.figures = []
        for kernel, found in raw["costs"].items():
            self.tracked(kernel, found)
            self.faults(kernel, found)
            if "spawn" in found:
                self.spawn(kernel, found)
            if "huge" in found:
                self.huge(kernel, found)
            if "locks" in found:
                self.locks(kernel, found)
        for kernel, found in raw["link"].items():
            self.link(kernel, found)
        self.summary()

    @property
    def missed(self):
        return any(figure["verdict"] == "MISSED" for figure in self.figures)

    def print(self):
        print("\n".join(self.lines))

    # Building blocks

    def heading(self, words, found):
        self.lines += ["", f"{words}  (Linux {found['release']})", ""]

    def table(self, head, rows):
        """The first column is left-aligned, the others are numbers."""
        rows = [head] + [[text(cell) for cell in row] for row in rows]
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        for row in rows:
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
            self.lines.append("  " + "   ".join(cells).rstrip())

    def figure(self, what, kernel, value, peer, compared, bound, unit=""):
        """A value with a bound: @compared is what the bound is for."""
        sign, limit = bound
        kept = {"<=": operator.le, ">=": operator.ge}[sign](compared, limit)
        self.figures.append({
            "what": what, "kernel": kernel, "value": value, "peer": peer,
            "compared": compared, "bound": f"{sign} {text(limit, unit)}",
            "unit": unit, "verdict": "ok" if kept else "MISSED"})

    def ratio(self, what, kernel, value, peer, bound):
        self.figure(what, kernel, value, peer, value / peer, bound)

    def summary(self):
        self.lines += ["", f"Bounds  (commit {self.raw['commit']}, {self.raw['date']})", ""]
        rows = [[f["what"], f["kernel"], f["value"], f["peer"], text(f["compared"], f["unit"]),
                 f["bound"].replace("<=", "≤").replace(">=", "≥"), f["verdict"]]
                for f in self.figures]
        self.table(["what", "kernel", "value", "beside", "compared", "bound", ""], rows)

    # Instructions

    def tracked(self, kernel, found):
        results = {(r["tracker"], r["mib"], r["spec"]): r for r in found["tracked"]}
        trackers = list(dict.fromkeys(r["tracker"] for r in found["tracked"]))
        specs = list(dict.fromkeys((r["mib"], r["spec"]) for r in found["tracked"]))

        def least(tracker, what, mib, spec):
            result = results.get((tracker, mib, spec))
            return result[what]["min"] if result else None

        def rows(what, chosen):
            return [[f"{mib} MiB, {describe(spec)}"] +
                    [least(t, what, mib, spec) for t in trackers] for mib, spec in chosen]

        self.heading("Instructions per tracked write", found)
        self.table(["pages of 4 KiB, each written once"] + trackers,
                   rows("write", [s for s in specs if s[0] == 256]))
        self.heading("Instructions per harvest", found)
        self.table(["dirty pages"] + trackers, rows("harvest", specs))
        if "memsync" not in trackers:
            return
        if "wp-async" in trackers:
            for what, key, mib, spec, limit in AGAINST_WP_ASYNC:
                ours, theirs = (least(t, key, mib, spec) for t in ("memsync", "wp-async"))
                self.ratio(what, kernel, ours, theirs, ("<=", limit))
        # 256 MiB are 128 blocks. With as many pages in as many page tables elsewhere, what
        # is left is what the distance between them costs.
        few = least("memsync", "harvest", 256, "2000:128")
        for mib, name in ((2048, "2 GiB"), (16384, "16 GiB of address space")):
            self.ratio(f"harvest of 2000 in 128 blocks, {name} / 256 MiB", kernel,
                       least("memsync", "harvest", mib, "2000:128"), few, ("<=", 1.3))
        needless = sum(r["needless"] for r in found["tracked"] if r["tracker"] == "memsync")
        self.figure("pages found dirty that were not written", kernel, needless, None,
                    needless, ("<=", 0), "pages")

    def least_costs(self, found, kind):
        """The least cost by kind of what was done, and state."""
        costs = {}
        for state, results in found.items():
            for r in results:
                key = r[kind], state
                costs[key] = min(costs.get(key, r["cost"]["min"]), r["cost"]["min"])
        kinds = list(dict.fromkeys(name for name, _ in costs))
        self.table([kind] + [STATES[s] for s in found],
                   [[name.replace("-", " ")] + [costs[name, s] for s in found]
                    for name in kinds])
        return kinds, costs

    def faults(self, kernel, found):
        self.heading("Instructions per page fault of a process that is not registered", found)
        kinds, costs = self.least_costs(found["faults"], "fault")
        for state in [s for s in found["faults"] if s != "none"]:
            kind = "anonymous-write"
            self.ratio(f"anonymous write fault, {STATES[state]} / no module", kernel,
                       costs[kind, state], costs[kind, "none"], ("<=", 1.01))
            more, kind = max((costs[kind, state] - costs[kind, "none"], kind)
                             for kind in kinds)
            self.figure(f"any fault, {STATES[state]}: {kind.replace('-', ' ')}", kernel,
                        costs[kind, state], costs[kind, "none"], more, ("<=", 70),
                        "instructions more")

    def spawn(self, kernel, found):
        self.heading("Instructions per process that is made and ends, not registered", found)
        kinds, costs = self.least_costs(found["spawn"], "load")
        for state in [s for s in found["spawn"] if s != "none"]:
            for kind in kinds:
                self.ratio(f"{kind}, {STATES[state]} / no module", kernel, costs[kind, state],
                           costs[kind, "none"], ("<=", 1.005))

    def huge(self, kernel, found):
        huge = found["huge"]
        without, within = huge["without"]["min"], huge["with"]["min"]
        self.heading(f"Huge pages that are never written, {huge['mib']} MiB", found)
        self.table(["", "before", f"in a region, after {huge['passes']} passes"],
                   [["KiB in huge pages", huge["kib_before"], huge["kib_after"]],
                    ["instructions to read them", without, within]])
        self.ratio("KiB in huge pages never written, in a region / before", kernel,
                   huge["kib_after"], huge["kib_before"], (">=", 1))
        self.ratio("reading huge pages, in a region / before", kernel, within, without,
                   ("<=", 1.01))

    def locks(self, kernel, found):
        locks = found["locks"]
        self.heading(f"Holds of the mmap lock, {locks['mib']} MiB of address space, µs", found)
        self.table(["step", "by", "holds", "longest"],
                   [[s["step"], s["task"], s["holds"], s["longest"]] for s in locks["steps"]])
        for what, last in (("registration and passes", False), ("unregistration", True)):
            longest = max(s["longest"] for s in locks["steps"]
                          if (s["step"] == "unregistration") == last)
            self.figure(f"mmap lock held in one go, {locks['mib'] >> 10} GiB, {what}", kernel,
                        longest, None, longest, ("<=", 200), "µs")

    # Network

    def link(self, kernel, found):
        speeds = {name: values for name, values in found["throughput"].items() if values}
        self.heading("Throughput over veth, MB/s, of random data", found)
        self.table(["what", "median", "least", "most"],
                   [[name] + [f(values) / 1e6 for f in (median, min, max)]
                    for name, values in speeds.items()])
        if "memsync" in speeds:
            self.ratio("first pass / iperf3", kernel, median(speeds["memsync"]) / 1e6,
                       median(speeds["iperf3"]) / 1e6, (">=", 0.85))
        self.latency(found)
        if "dirty" in found:
            self.shipped(kernel, found)

    def latency(self, found):
        latency = found["latency"]
        rows = [["TCP ping-pong of 4 KiB", latency["pingpong"][0]["round_trip"]]]
        for r in latency.get("barrier", []):
            rows += [[f"barrier, {r['pages']} dirty pages", r["call"]],
                     [f"barrier, {r['pages']} dirty pages, in the module", r["module"]]]
        self.heading("Latency over veth, µs", found)
        self.table(["what", "min", "median", "p99"],
                   [[name] + [v[key] / 1e3 for key in ("min", "median", "p99")]
                    for name, v in rows])

    def shipped(self, kernel, found):
        first, zero = found["dirty"][0], found["zero"]
        rows = [[f"{r['dirty']} dirty pages", r["bytes"], r["bytes"] / r["dirty"]]
                for r in found["dirty"][1:]]
        pages = first["mib"] << 20 >> 12
        rows.append([f"first pass, {first['mib']} MiB", first["bytes"], first["bytes"] / pages])
        pages = zero["mib"] << 20 >> 12
        rows.append([f"first pass, {zero['mib']} MiB of zeros", zero["bytes"],
                     zero["bytes"] / pages])
        self.heading("Bytes written to the socket", found)
        self.table(["what", "bytes", "per page"], rows)
        for r in found["dirty"][1:]:
            self.ratio(f"bytes for {r['dirty']} dirty pages / content", kernel, r["bytes"],
                       PAGE * r["dirty"], ("<=", 1.02))
        self.figure("bytes for a gibibyte of zeros", kernel, zero["bytes"], None,
                    zero["bytes"], ("<=", 1 << 20), "bytes")
        for r in (first, zero):
            self.figure(f"memory for tracking {r['mib']} MiB", kernel, r["tracking"],
                        r["mib"] << 20, 100 * r["tracking"] / (r["mib"] << 20), ("<=", 0.05),
                        "%")


def describe(spec):
    writes, where = spec.split(":")
    if where.isdigit():
        return f"{writes} random, in {where} blocks"
    words = {"hot": "random, the same each time", "alternate": "every second",
             "runs": "in runs, with gaps"}
    return f"{writes} {words.get(where, where)}"
