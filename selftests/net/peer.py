#!/usr/bin/python3 -IS
# SPDX-License-Identifier: GPL-2.0
"""A peer that misbehaves, by the description in kmod/wire.h.

peer.py serve PORT HOW          takes connections and answers them HOW
peer.py send HOST PORT HOW SIZE NAME    is a source for sink NAME of SIZE bytes

Prints "ready" when it listens; a sender prints what the sink answered: "CODE reason",
or "closed".
"""

import os
import socket
import struct
import sys
import time

MAGIC = 0x6E79736D
VERSION = 1
PAGE = 4096

HELLO, GEOMETRY, HELLO_ACK, PAGES, BARRIER, DIGEST, DIGEST_REPLY, ACK, PING, ERROR = \
    range(1, 11)
ZERO = 1

HEADER = struct.Struct("<IBBHIIQQ")
HELLO_BODY = struct.Struct("<HHIQ16sQII64s")
DESC = struct.Struct("<QII")


# ---- xxh64 ----

MASK = (1 << 64) - 1
P1, P2, P3, P4, P5 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9,
                      0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)


def rotate(x, n):
    return (x << n | x >> (64 - n)) & MASK


def step(acc, lane):
    return rotate((acc + lane * P2) & MASK, 31) * P1 & MASK


def xxh64(data, seed=0):
    at, length = 0, len(data)
    if length >= 32:
        acc = [(seed + n) & MASK for n in (P1 + P2, P2, 0, -P1)]
        while at + 32 <= length:
            lanes = struct.unpack_from("<4Q", data, at)
            acc = [step(a, lane) for a, lane in zip(acc, lanes)]
            at += 32
        h = sum(rotate(a, n) for a, n in zip(acc, (1, 7, 12, 18))) & MASK
        for a in acc:
            h = ((h ^ step(0, a)) * P1 + P4) & MASK
    else:
        h = (seed + P5) & MASK
    h = (h + length) & MASK
    while at + 8 <= length:
        lane, = struct.unpack_from("<Q", data, at)
        h = (rotate(h ^ step(0, lane), 27) * P1 + P4) & MASK
        at += 8
    if at + 4 <= length:
        lane, = struct.unpack_from("<I", data, at)
        h = (rotate(h ^ lane * P1 & MASK, 23) * P2 + P3) & MASK
        at += 4
    for byte in data[at:]:
        h = rotate(h ^ byte * P5 & MASK, 11) * P1 & MASK
    h = (h ^ h >> 33) * P2 & MASK
    h = (h ^ h >> 29) * P3 & MASK
    return h ^ h >> 32


# ---- frames ----

def frame_sum(head, body):
    total, at, size = xxh64(head), 0, len(body) % PAGE or PAGE
    while at < len(body):
        total = xxh64(body[at:at + size], total)
        at, size = at + size, PAGE
    return total


def frame(kind, body, seq, version=VERSION, flags=0, magic=MAGIC, length=None, reserved=0,
          sum_off=0):
    if length is None:
        length = len(body)
    head = HEADER.pack(magic, version, kind, flags, length, reserved, seq, 0)
    total = (frame_sum(head, body) + sum_off) & MASK
    return HEADER.pack(magic, version, kind, flags, length, reserved, seq, total) + body


def hello(name, size, ranges=1, low=VERSION, high=VERSION, page=PAGE):
    return HELLO_BODY.pack(low, high, page, 0, os.urandom(16), size, ranges, 0,
                           name.encode())


def geometry(lengths):
    return struct.pack(f"<II{len(lengths)}Q", 0, len(lengths), *lengths)


def pages(descs, contents=b"", count=None):
    body = b"".join(DESC.pack(*d) for d in descs)
    if count is None:
        count = len(contents) // PAGE
    return struct.pack("<II", len(descs), count) + body + contents


def read_exactly(conn, count):
    data = b""
    while len(data) < count:
        part = conn.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def read_frame(conn):
    head = HEADER.unpack(read_exactly(conn, HEADER.size))
    return head[2], read_exactly(conn, head[4])


# ---- a source that misbehaves: its frames after a good handshake ----

def body_of(how, size):
    """The frame to send, as the arguments of frame()."""
    content = b"\xee" * PAGE
    last = size - PAGE
    good = pages([(0, 1, 0)], content)
    return {
        "past-the-end": (PAGES, pages([(size, 1, 0)], content), {}),
        "across-the-end": (PAGES, pages([(last, 2, 0)], content * 2), {}),
        "offset-wraps": (PAGES, pages([(MASK - PAGE + 1, 2, ZERO)]), {}),
        "far-zeros": (PAGES, pages([(last, 2, ZERO)]), {}),
        "unaligned": (PAGES, pages([(100, 1, 0)], content), {}),
        "overlapping": (PAGES, pages([(0, 2, ZERO), (PAGE, 1, 0)], content), {}),
        "descending": (PAGES, pages([(PAGE, 1, 0), (0, 1, 0)], content * 2), {}),
        "no-pages": (PAGES, pages([]), {}),
        "empty-run": (PAGES, pages([(0, 0, ZERO)]), {}),
        "bad-flags": (PAGES, pages([(0, 1, 6)], content), {}),
        "too-few-contents": (PAGES, pages([(0, 2, 0)], content, 2), {}),
        "too-many-contents": (PAGES, pages([(0, 1, 0)], content * 2), {}),
        "checksum": (PAGES, good, {"sum_off": 1}),
        "frame-version": (PAGES, good, {"version": 9}),
        "unknown-type": (77, good, {}),
        "second-hello": (HELLO, hello("x", size), {}),
        "magic": (PAGES, good, {"magic": 0x12345678}),
        "frame-flags": (PAGES, good, {"flags": 0x8000}),
        "reserved": (PAGES, good, {"reserved": 1}),
        "seq": (PAGES, good, {"seq": 5}),
        "length-huge": (PAGES, good, {"length": 0x7FFFFFFF}),
        "length-zero": (PAGES, b"", {}),
        "barrier-back": (BARRIER, struct.pack("<QQ", 0, 0), {}),
        "ack-from-source": (ACK, struct.pack("<QQQQ", 0, 0, 0, 0), {}),
        "digest-past-the-end": (DIGEST, struct.pack("<II", 1, 0) +
                                struct.pack("<QQII", size, 0, 1, 0), {"flags": 1}),
    }[how]


def send(host, port, how, size, name):
    conn = socket.create_connection((host, port))
    conn.settimeout(60)
    if how == "random":
        conn.sendall(os.urandom(5000))
        return conn
    if how == "http":
        conn.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        return conn
    if how == "silence":
        return conn
    if how == "half-a-header":
        conn.sendall(frame(HELLO, hello(name, size), 0)[:20])
        return conn
    if how == "half-a-hello":
        conn.sendall(frame(HELLO, hello(name, size), 0)[:80])
        return conn
    if how == "unknown-version":
        conn.sendall(frame(HELLO, hello(name, size, low=7, high=9), 0))
        return conn
    if how == "page-size":
        conn.sendall(frame(HELLO, hello(name, size, page=65536), 0))
        return conn
    if how == "no-sink":
        conn.sendall(frame(HELLO, hello("nobody-here", size), 0))
        return conn
    if how == "bad-name":
        conn.sendall(frame(HELLO, hello("a\x1b[2J", size), 0))
        return conn
    if how == "many-ranges":
        conn.sendall(frame(HELLO, hello(name, size, ranges=0x7FFFFFFF), 0))
        return conn
    if how == "pages-first":
        conn.sendall(frame(PAGES, pages([(0, 1, 0)], b"\xee" * PAGE), 0))
        return conn

    conn.sendall(frame(HELLO, hello(name, size), 0))
    lengths = {"geometry": [size // 2], "geometry-zero": [0], "geometry-odd": [size - 1],
               "geometry-wraps": [MASK - PAGE + 1]}.get(how, [size])
    conn.sendall(frame(GEOMETRY, geometry(lengths), 1))
    if how.startswith("geometry"):
        return conn
    kind, _ = read_frame(conn)
    if kind != HELLO_ACK:
        sys.exit(f"no HELLO_ACK but {kind}")
    if how == "half-a-frame":
        conn.sendall(frame(PAGES, pages([(0, 2, 0)], b"\xee" * 2 * PAGE), 2)[:6000])
        return conn
    kind, body, wrong = body_of(how, size)
    conn.sendall(frame(kind, body, wrong.pop("seq", 2), **wrong))
    return conn


def report(conn):
    """What the sink says before it closes."""
    try:
        while True:
            kind, body = read_frame(conn)
            if kind == ERROR:
                code, = struct.unpack_from("<I", body)
                print(code, body[8:].split(b"\0")[0].decode())
                return
    except (EOFError, ConnectionResetError):
        print("closed")


# ---- a sink that misbehaves ----

def answer(conn, how):
    if how == "silence":
        return
    if how == "http":
        conn.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        return
    if how == "random":
        conn.sendall(os.urandom(5000))
        return
    if how == "close":
        conn.close()
        return
    read_frame(conn)
    read_frame(conn)
    if how == "half-a-frame":
        conn.sendall(frame(HELLO_ACK, struct.pack("<HHIQ", 1, 0, 64, 0), 0)[:40])
        return
    if how == "two-parts":
        whole = frame(HELLO_ACK, struct.pack("<HHIQ", 1, 0, 64, 0), 0)
        conn.sendall(whole[:40])
        time.sleep(3)
        conn.sendall(whole[40:])
        while conn.recv(65536):
            pass
        return
    if how == "wrong-version":
        conn.sendall(frame(HELLO_ACK, struct.pack("<HHIQ", 9, 0, 64, 0), 0))
        return
    if how == "unoffered-features":
        conn.sendall(frame(HELLO_ACK, struct.pack("<HHIQ", 1, 0, 64, 255), 0))
        return
    if how == "no-frame-pages":
        conn.sendall(frame(HELLO_ACK, struct.pack("<HHIQ", 1, 0, 0, 0), 0))
        return
    if how == "control-characters":
        conn.sendall(frame(ERROR, struct.pack("<II256s", 9, 0, b"\x1b[2Jboo\n\x07"), 0))
        return
    conn.sendall(frame(HELLO_ACK, struct.pack("<HHIQ", 1, 0, 64, 0), 0))
    if how == "acks-the-future":
        conn.sendall(frame(ACK, struct.pack("<QQQQ", 99999, 99999, 99999, 0), 1))
    elif how == "checksum":
        conn.sendall(frame(PING, b"", 1, sum_off=1))
    elif how == "never-acks":
        while conn.recv(65536):
            pass
    elif how == "stops-reading":
        return
    else:
        sys.exit(f"no such behaviour: {how}")


def serve(port, how):
    server = socket.socket(socket.AF_INET6)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("::", port))
    server.listen(16)
    print("ready", flush=True)
    kept = []
    while True:
        conn, _ = server.accept()
        kept.append(conn)
        try:
            answer(conn, how)
        except (EOFError, ConnectionError):
            pass


def main():
    assert xxh64(b"abc") == 0x44BC2CF5AD770999
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]), sys.argv[3])
    conn = send(sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5]), sys.argv[6])
    report(conn)


main()
