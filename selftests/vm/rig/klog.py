# SPDX-License-Identifier: GPL-2.0
"""Finds the reports in a kernel log that make a run fail."""

import re

# What the kernel puts before a line: the time, and with PRINTK_CALLER who printed
PREFIX = re.compile(r"^\[ *\d+\.\d+\](\[ *[TC]\d+\])? ?")

# Where a report begins
REPORT = re.compile(
    r"\bBUG\b[: ]|\bWARNING: |\bOops\b|Kernel panic|kernel BUG at|"
    r"general protection fault|KASAN|UBSAN|KCSAN|"
    r"INFO: (?:rcu_|task |trying to register|suspicious|possible)|"
    r"rcu: INFO: |INFO: lockdep is turned off|DEBUG_LOCKS_WARN|"
    r"detected stall|self-detected stall|kthread starved|blocked for more than|"
    r"soft lockup|hard LOCKUP|lockup - pool|"
    r"unreferenced object|new suspected memory leaks|kmemleak: Cannot|"
    r"ODEBUG: |refcount_t: |list_(?:add|del) corruption|Bad page |bad: scheduling|"
    r"scheduling while atomic|sleeping function called|usercopy: Kernel memory|"
    r"truncated extack: |Slab corruption|Poison overwritten|page_owner: ?corrupt|"
    r"Unable to handle kernel|unable to handle page fault|double fault|"
    r"stack-protector|Out of memory and no killable|"
    r"ref_tracker: |leaked reference|ftrace bug|"
    r"Modules linked in:"
)

# Lines that look like a report and are none, each with the reason
HARMLESS = (
    # KASAN says at boot that it is there
    re.compile(r"kasan: KernelAddressSanitizer initialized"),
    # An allocation of its own was made to fail; it then looks at more, not at less
    re.compile(r"kmemleak: Cannot allocate a scan area"),
)

# Where one ends
END = re.compile(r"---\[ end (?:trace|Kernel panic)|^={20,}$|^-{20,}$")

LINES = 70    # of a report, at most
BEFORE = 2    # lines of context
SHOWN = 8     # reports, at most


def lines_of(path):
    """The log's lines without their time stamps."""
    with open(path, "rb") as log:
        text = log.read().decode("utf-8", "replace")
    return [PREFIX.sub("", line.rstrip("\r")) for line in text.split("\n")]


def is_report(line):
    return bool(REPORT.search(line)) and not any(h.search(line) for h in HARMLESS)


def reports(path):
    """The log's reports, each a list of lines; one that overlaps another is part of it."""
    lines = lines_of(path)
    found = []
    i = 0
    while i < len(lines):
        if not is_report(lines[i]):
            i += 1
            continue
        end = i + 1
        while end < len(lines) and end - i < LINES:
            end += 1
            if END.search(lines[end - 1]) and end - i > 3:
                break
        found.append(lines[max(0, i - BEFORE):end])
        i = end
    return found


def show(name, found, write):
    """Writes reports, as many as one wants to read."""
    for report in found[:SHOWN]:
        for line in report:
            write(f"{name}| {line}")
        write(f"{name}|")
    if len(found) > SHOWN:
        write(f"{name}| … and {len(found) - SHOWN} more")


def tail(path, count):
    return lines_of(path)[-count:]
