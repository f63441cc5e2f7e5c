#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What the demo does on h1; see run. Exits 0 if the replica was equal in every byte.

h1  redis-server <-- redis-benchmark          h2  memsyncctl receive
        | anon memory                                ^ replica
        +--- memsync.ko ---- TCP 10.42.0.2:7420 ---- memsync.ko
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
NAME = "redis"
SINK = "10.42.0.2"
COMPARE_PORT = 7499
KEYS = 28000
VALUE = 4096            # bytes
RSS_MIN = 100 << 20
CHUNK = 1 << 20
PATIENCE = 600          # seconds, for a host that has much else to do
PAGE = 4096
MIB = 1 << 20
ZERO = bytes(PAGE)

children = []


class Failure(Exception):
    pass


def say(text):
    print(text, flush=True)


def start(*command, **options):
    child = subprocess.Popen(command, **options)
    children.append(child)
    return child


def output(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False, text=True)
    if done.returncode:
        raise Failure(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def until(what, true, limit=PATIENCE):
    """Waits for something, with a line of progress every two seconds."""
    begun = said = time.monotonic()
    while True:
        result = true()
        if result:
            return result
        now = time.monotonic()
        if now - begun > limit:
            raise Failure(f"gave up waiting for {what}")
        if now - said > 2:
            said = now
            say(f"waiting for {what}")
        time.sleep(0.1)


# redis

class Redis:
    def __init__(self, directory):
        # Debian's redis-tools has the server's program too (what it does depends on
        # its name), and unlike redis-server it starts no service on the machine
        program = os.path.join(directory, "redis-server")
        os.symlink("/usr/bin/redis-check-rdb", program)
        self.child = start(program, "--save", "", "--bind", "127.0.0.1", "--dir",
                           directory, stdout=subprocess.DEVNULL)
        self.pid = self.child.pid
        self.socket = until("redis", self.connect)
        self.reader = self.socket.makefile("rb")

    @staticmethod
    def connect():
        try:
            return socket.create_connection(("127.0.0.1", 6379))
        except OSError:
            return None

    def ask(self, command):
        """The answer to a command with a simple or a bulk reply."""
        self.socket.sendall(command.encode() + b"\r\n")
        line = self.reader.readline().strip()
        if line.startswith(b"$"):
            line = self.reader.read(int(line[1:]) + 2)
        return line.decode()

    def info(self, key):
        for line in self.ask("INFO").split("\r\n"):
            if line.startswith(key + ":"):
                return line.split(":")[1]
        raise Failure(f"redis says nothing of {key}")

    def fill(self):
        """Sets all keys of the load's key space to random bytes."""
        said = time.monotonic()
        noise = os.urandom(8 * MIB)
        for first in range(0, KEYS, 500):
            batch = bytearray()
            for key in range(first, first + 500):
                at = random.randrange(len(noise) - VALUE)
                batch += b"*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$%d\r\n" % (key, VALUE)
                batch += noise[at:at + VALUE] + b"\r\n"
            self.socket.sendall(batch)
            for _ in range(500):
                if self.reader.readline() != b"+OK\r\n":
                    raise Failure("redis did not take a value")
            if time.monotonic() - said > 2:
                said = time.monotonic()
                say(f"filling redis: {first * VALUE // MIB} of {KEYS * VALUE // MIB} MiB")
        if self.rss() < RSS_MIN:
            raise Failure(f"redis has only {self.rss() // MIB} MiB")

    def rss(self):
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * PAGE

    def stopped(self):
        """Whether no thread of it runs any more."""
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{thread}/stat", encoding="ascii") as stat:
                if stat.read().rsplit(")", 1)[1].split()[0] != "T":
                    return False
        return True

    def stop(self):
        os.kill(self.pid, signal.SIGSTOP)
        until("redis to stop", self.stopped)

    def go_on(self):
        os.kill(self.pid, signal.SIGCONT)


def load():
    """Writes to redis for ever, anywhere in what fill() filled."""
    return start("redis-benchmark", "-t", "set", "-l", "-q", "-c", "4", "-r", str(KEYS),
                 "-d", str(VALUE), stdout=subprocess.DEVNULL)


# memsync

def source():
    return json.loads(output("memsyncctl", "-j", "show", NAME))[0]


def sink():
    """The replica's region, or None while there is none."""
    done = subprocess.run(["on", "h2", "memsyncctl", "-j", "show", NAME, "--sink"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return json.loads(done.stdout)[0] if done.returncode == 0 else None


def connect(pid):
    """Starts the replica on h2 and registers the process with it."""
    output("on", "h2", "memsyncctl", "listen", SINK, "--plaintext")
    start("on", "h2", "memsyncctl", "receive", "--name", NAME, "--from", "10.42.0.1",
          stdout=subprocess.DEVNULL)
    until("the sink on h2", sink)
    command = ["memsyncctl", "register", "--pid", str(pid), "--addr", "anon",
               "--name", NAME, "--peer", SINK, "--plaintext"]
    say("h1# " + " ".join(command))
    output(*command)


def lag(region):
    return sum(peer["lag_pages"] for peer in region["peers"])


class Progress:
    """A line a second on how the region does."""

    def __init__(self, redis):
        self.redis = redis
        self.begun = self.at = time.monotonic()
        self.last = source()
        self.done = 0           # of the first pass, in percent

    def line(self):
        time.sleep(1)
        region, now = source(), time.monotonic()
        passed = now - self.at
        stats, last = region["stats"], self.last["stats"]
        if region["state"] == "gone":
            raise Failure(f"the region is gone: {region.get('reason')}")
        rate = {key: (stats[key] - last[key]) / passed for key in stats}
        where = f"{region['state']:8}"
        if region["state"] == "syncing":
            # What changes meanwhile lags too
            done = 100 - 100 * lag(region) / max(region["pages"], 1)
            self.done = max(self.done, done)
            where = f"first pass {self.done:3.0f} %"
        say(f"{where}  dirtied {rate['harvested_pages']:6.0f} pages/s"
            f"  shipped {stats['shipped_bytes'] / MIB:6.1f} MiB"
            f" ({rate['shipped_bytes'] / MIB:4.1f} MiB/s)"
            f"  lag {lag(region):5} pages"
            f"  redis {self.redis.info('instantaneous_ops_per_sec')} writes/s")
        self.last, self.at = region, now
        return region


def watch(redis, seconds):
    """Until the first pass is through, and that long after it; returns how long it took."""
    progress = Progress(redis)
    while progress.line()["state"] != "synced":
        if time.monotonic() - progress.begun > PATIENCE:
            raise Failure("the first pass does not end")
    took = time.monotonic() - progress.begun
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        progress.line()
    return took


def barrier():
    """How long it takes until the replica has everything, in milliseconds."""
    begun = time.monotonic()
    sync = start("memsyncctl", "sync", NAME, "--timeout", str(PATIENCE),
                 stdout=subprocess.DEVNULL)
    until("the barrier", lambda: sync.poll() is not None)
    if sync.returncode:
        raise Failure(f"memsyncctl sync: exit status {sync.returncode}")
    return (time.monotonic() - begun) * 1000


# The comparison

def mappings(pid):
    """(start, end, permissions, name) of each."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        for line in maps:
            words = line.split(None, 5)
            low, high = (int(word, 16) for word in words[0].split("-"))
            yield low, high, words[1], words[5].strip() if len(words) > 5 else ""


def read(mem, where, length):
    """The bytes there; zeros where nothing is mapped any more, as the replica has it."""
    try:
        data = os.pread(mem, length, where)
        if len(data) == length:
            return data
    except OSError:
        data = b""
    if length == PAGE:
        return ZERO
    return b"".join(read(mem, at, PAGE) for at in range(where, where + length, PAGE))


def receive(client, length):
    data = bytearray(length)
    view = memoryview(data)
    while view:
        count = client.recv_into(view)
        if not count:
            raise Failure("the replica ended too early")
        view = view[count:]
    return data


def pages(data):
    return (data[at:at + PAGE] for at in range(0, len(data), PAGE))


def differences(ours, theirs, where):
    """Addresses of the pages that differ."""
    if ours == theirs:
        return []
    return [where + PAGE * i for i, (a, b) in enumerate(zip(pages(ours), pages(theirs)))
            if a != b]


class Comparison:
    """Of the memory of a process with what a client receives."""

    def __init__(self, pid, client):
        self.mem = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
        self.client = client
        self.said = time.monotonic()
        self.bytes = 0
        self.filled = 0         # pages that are not all zero
        self.differ = 0         # pages

    def range(self, low, high):
        """Returns the pages that differ."""
        length = int.from_bytes(receive(self.client, 8), "little")
        if length != high - low:
            raise Failure(f"the replica's range has {length} bytes, not {high - low}")
        differ = []
        for at in range(low, high, CHUNK):
            count = min(CHUNK, high - at)
            ours, theirs = read(self.mem, at, count), receive(self.client, count)
            differ += differences(ours, theirs, at)
            self.filled += sum(page != ZERO for page in pages(ours))
            self.bytes += count
            if time.monotonic() - self.said > 2:
                self.said = time.monotonic()
                say(f"  compared {self.bytes // MIB} MiB so far")
        self.differ += len(differ)
        return differ


def compare(pid):
    """Every byte of every range against the replica's; returns whether all are equal."""
    server = start("on", "h2", os.path.join(HERE, "replica.py"), NAME, str(COMPARE_PORT),
                   stdout=subprocess.PIPE, text=True)
    for line in server.stdout:
        if line == "ready\n":
            break
        say(f"h2: {line.strip()}")
    client = socket.create_connection((SINK, COMPARE_PORT))
    ranges = [(int(r["start"], 16), int(r["end"], 16)) for r in source()["ranges"]]
    names = {low: name for low, _, _, name in mappings(pid)}
    done = Comparison(pid, client)
    for low, high in ranges:
        differ = done.range(low, high)
        verdict = f"{len(differ)} pages DIFFER, first {differ[0]:#x}" if differ else "equal"
        say(f"  {low:012x}-{high:012x} {(high - low) // 1024:7} KiB  {verdict}"
            f"  {names.get(low, '')}".rstrip())
    client.close()
    server.wait()
    say(f"compared {done.bytes} bytes in {len(ranges)} ranges, {done.filled} pages of them "
        "not zero: " + (f"{done.differ} pages DIFFER" if done.differ else "all equal"))
    if done.filled * PAGE < RSS_MIN // 2:
        raise Failure("that was too little to prove anything")
    later = sum(high - low for low, high, mode, name in mappings(pid)
                if mode == "rw-p" and (not name or name.startswith("["))
                and not any(r[0] <= low < r[1] for r in ranges))
    if later:
        say(f"({later // 1024} KiB were mapped after the registration: not in the region)")
    return not done.differ


def demo(directory):
    redis = Redis(directory)
    redis.fill()
    say(f"redis on h1 is process {redis.pid} and has {redis.rss() // MIB} MiB; "
        "redis-benchmark writes to it from now on")
    load()
    connect(redis.pid)
    first = watch(redis, float(os.environ.get("MEMSYNC_DEMO_SECONDS") or 20))

    stopped = time.monotonic()
    redis.stop()
    before = source()
    took = barrier()
    say(f"redis stopped (SIGSTOP); the barrier took {took:.0f} ms; "
        "comparing /proc/PID/mem with the replica on h2, byte by byte:")
    equal = compare(redis.pid)
    after = source()
    redis.go_on()
    stopped = time.monotonic() - stopped
    if redis.ask("PING") != "+PONG":
        raise Failure("redis does not answer any more")

    stats = after["stats"]
    seconds = os.environ.get("MEMSYNC_DEMO_SECONDS") or "20"
    say(f"redis goes on (SIGCONT), after {stopped:.1f} s, nearly all of them for the comparison")
    say(f"first pass: {first:.1f} s; then {seconds} s of changes")
    say(f"shipped: {stats['shipped_pages']} pages, {stats['shipped_bytes'] / MIB:.1f} MiB "
        f"in {stats['passes']} passes; {stats['zero_pages']} zero pages; "
        f"{stats['write_faults']} tracked writes")
    say(f"barrier: {took:.0f} ms, for {lag(before)} pages that the replica lacked")
    output("memsyncctl", "unregister", NAME)
    return equal


def main():
    try:
        with tempfile.TemporaryDirectory() as directory:
            return 0 if demo(directory) else 1
    except Failure as why:
        say(f"failed: {why}")
        return 1
    finally:
        for child in children:
            child.kill()


if __name__ == "__main__":
    sys.exit(main())
