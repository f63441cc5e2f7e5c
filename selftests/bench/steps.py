# SPDX-License-Identifier: GPL-2.0
"""What all measuring in a guest is made of: commands, and processes beside them."""

import contextlib
import json
import os
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))


def note(text):
    print(f"bench: {os.environ.get('MEMSYNC_KERNEL', '')}: {text}", file=sys.stderr, flush=True)


def run(*command):
    """Runs a command and returns what it printed."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode:
        sys.exit(f"bench: {' '.join(command)}: status {done.returncode}: "
                 + done.stderr.decode("utf-8", "replace").strip())
    return done.stdout.decode()


def program(name, *args, within=()):
    """Runs one of ours; returns its results."""
    out = run(*within, f"{HERE}/build/{name}", *map(str, args))
    return [json.loads(line) for line in out.splitlines()]


@contextlib.contextmanager
def background(*command, ready):
    """A process that has said a line with a certain word in it."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True) as process:
        said = []
        try:
            for line in process.stdout:
                said.append(line)
                if ready in line:
                    break
            else:
                sys.exit(f"bench: {' '.join(command)}: {''.join(said).strip()}")
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            # A pipe that is full would keep it
            process.communicate()


def sink(*args, within=(), name="bench"):
    return background(*within, "memsyncctl", "receive", "--name", name, *args,
                      ready="listening")
