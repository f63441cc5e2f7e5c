#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""replica.py NAME PORT: sends the memory that a sink holds, range after range, to one
client, as it reads in /proc/PID/mem. With MEMSYNC_DEMO_BREAK one byte of it is flipped
first, in that memory itself. Runs on h2."""

import json
import os
import socket
import subprocess
import sys

CHUNK = 1 << 20


def region(name):
    shown = subprocess.run(["memsyncctl", "-j", "show", name, "--sink"], check=True,
                           stdout=subprocess.PIPE).stdout
    return json.loads(shown)[0]


def flip(mem, where):
    old = os.pread(mem, 1, where)
    os.pwrite(mem, bytes([old[0] ^ 1]), where)
    print(f"a byte of the replica was flipped on purpose, at {where:#x}", flush=True)


def main():
    name, port = sys.argv[1], int(sys.argv[2])
    sink = region(name)
    ranges = [(int(r["start"], 16), int(r["end"], 16)) for r in sink["ranges"]]
    mem = os.open(f"/proc/{sink['pid']}/mem", os.O_RDWR)
    if os.environ.get("MEMSYNC_DEMO_BREAK"):
        start, end = max(ranges, key=lambda r: r[1] - r[0])
        flip(mem, (start + end) // 2)
    with socket.create_server(("10.42.0.2", port)) as server:
        print("ready", flush=True)
        client = server.accept()[0]
        for start, end in ranges:
            client.sendall((end - start).to_bytes(8, "little"))
            while start < end:
                data = os.pread(mem, min(CHUNK, end - start), start)
                client.sendall(data)
                start += len(data)
        client.close()


if __name__ == "__main__":
    main()
