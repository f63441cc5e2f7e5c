# SPDX-License-Identifier: GPL-2.0
"""Boots the guests, runs COMMAND on the first, and judges the kernels' logs."""

import collections
import os
import selectors
import socket
import sys
import time

from rig import guest as agent
from rig import klog
from rig.guest import Guest

Kernel = collections.namedtuple("Kernel", "name entry initramfs module kunit")

# A boot takes seconds; this is for a host that is very busy
BOOT_TIMEOUT = 300
# To make the guest what COMMAND expects
SETUP_TIMEOUT = 900
# From COMMAND's end to the last look at the log
END_TIMEOUT = 900

STATUS_TIMEOUT = 124    # COMMAND did not end
STATUS_FAILED = 125     # the kernel's log has a report, or the rig could not run COMMAND

SETUP = "/run/memsync/setup"


class Failure(Exception):
    """The run cannot go on; str() says why."""

    status = STATUS_FAILED


class Timeout(Failure):
    status = STATUS_TIMEOUT


class Died(Failure):
    """A guest has ended."""


class NotUp(Failure):
    """A guest did not get as far as its agent, so nothing of the project's ran yet."""


class Job:
    """A command that runs in a guest: where its output goes, and how it ended."""

    def __init__(self, guest, output):
        self.guest = guest
        self.output = output        # called with (STDOUT or STDERR, bytes)
        self.on_exit = None         # called with the job
        self.status = None
        self.text = b""             # what it wrote, if output is None

    def wrote(self, kind, data):
        if self.output:
            self.output(kind, data)
        else:
            self.text += data


class Rig:
    def __init__(self, options, kernels, logs):
        self.options = options
        self.kernels = kernels
        self.logs = logs
        self.guests = []
        self.jobs = {}              # (guest, id): Job
        self.remote = {}            # (guest, id of its client's request): Job
        self.last_id = 0
        self.selector = None

    # The guests

    def boot(self):
        """Starts the guests and waits until all agents are there."""
        count = len(self.kernels)
        links = socket.socketpair() if count == 2 else ()
        self.selector = selectors.DefaultSelector()
        self.guests = [Guest(i + 1, self.kernels[i], self.logs[i]) for i in range(count)]
        self.jobs.clear()
        self.remote.clear()
        for i, guest in enumerate(self.guests):
            guest.start(self.options, links[i].fileno() if links else None)
            self.selector.register(guest.socket, selectors.EVENT_READ, guest)
        for link in links:
            link.close()
        try:
            self.wait(lambda: all(g.ready for g in self.guests), BOOT_TIMEOUT,
                      "the guest to boot")
        except (Died, Timeout) as why:
            raise NotUp(str(why)) from None

    def stop(self):
        """Ends the guests; returns what QEMU said of those that ended badly."""
        words = [guest.stop() for guest in self.guests]
        if self.selector:
            self.selector.close()
            self.selector = None
        return [w for w in words if w]

    def setup(self):
        """Makes the guests what COMMAND expects."""
        self.scripts("start", SETUP_TIMEOUT)

    def finish(self):
        """What is to be done before the log is judged."""
        self.scripts("end", END_TIMEOUT)

    def scripts(self, stage, limit):
        """Runs guest/setup on all guests at once."""
        jobs = []
        for guest in self.guests:
            environment = {
                "PATH": os.defpath + ":/usr/sbin:/sbin",
                "RIG_HOST": guest.name,
                "RIG_NUMBER": str(guest.number),
                "RIG_MODULES": f"{guest.kernel.entry}/root",
                "RIG_NET": "1" if len(self.guests) > 1 else "",
                "RIG_OUT": self.options.out or "",
                "RIG_KO": guest.kernel.module or "",
            }
            jobs.append(self.run(guest, "/", environment, [SETUP, stage]))
        for job in jobs:
            self.wait_job(job, limit, f"setup {stage}")
            if job.status:
                raise Failure(f"{job.guest.name}: setup {stage} failed: "
                              + job.text.decode("utf-8", "replace").strip())

    # Commands

    def environment(self, guest):
        """What COMMAND sees, on that guest."""
        path = ["/run/memsync/bin", self.options.tools, "/usr/local/sbin",
                "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        environment = {
            key: value for key, value in os.environ.items()
            if key in ("LANG", "TERM", "TZ") or key.startswith("MEMSYNC_")
        }
        environment.update({
            "HOME": "/root",
            "USER": "root",
            "PATH": ":".join(filter(None, path)),
            "MEMSYNC_KERNEL": guest.kernel.name,
        })
        if guest.kernel.module:
            environment["MEMSYNC_KO"] = guest.kernel.module
        if guest.kernel.kunit:
            environment["MEMSYNC_KUNIT_KO"] = guest.kernel.kunit
        return environment

    def run(self, guest, directory, environment, command, output=None):
        self.last_id += 1
        job = Job(guest, output)
        job.ident = self.last_id
        self.jobs[guest, job.ident] = job
        guest.send(agent.RUN, job.ident, agent.pack(directory, environment, command))
        return job

    def command(self):
        """Runs COMMAND on the first guest; returns its exit status."""
        guest = self.guests[0]
        job = self.run(guest, self.options.directory, self.environment(guest),
                       self.options.command, to_stdio)
        self.wait_job(job, self.options.timeout, "COMMAND")
        return job.status

    def wait_job(self, job, limit, what):
        self.wait(lambda: job.status is not None, limit, what)

    # What comes from the guests

    def wait(self, until, limit, what):
        """Serves the guests until something is true."""
        deadline = time.monotonic() + limit
        while not until():
            left = deadline - time.monotonic()
            if left <= 0:
                raise Timeout(f"timed out waiting for {what}")
            for guest in self.guests:
                events = selectors.EVENT_READ
                if guest.outbox:
                    events |= selectors.EVENT_WRITE
                self.selector.modify(guest.socket, events, guest)
            for key, events in self.selector.select(min(left, 5)):
                self.serve(key.data, events)

    def serve(self, guest, events):
        if events & selectors.EVENT_WRITE:
            guest.flush()
        if not events & selectors.EVENT_READ:
            return
        for frame in guest.frames():
            if frame is None:
                raise Died(f"{guest.name} has ended by itself")
            self.frame(guest, *frame)

    def frame(self, guest, kind, ident, payload):
        if kind == agent.READY:
            guest.ready = True
        elif kind in (agent.STDOUT, agent.STDERR):
            self.jobs[guest, ident].wrote(kind, payload)
        elif kind == agent.EXIT:
            job = self.jobs.pop((guest, ident))
            job.status = int(payload)
            if job.on_exit:
                job.on_exit(job)
        elif kind == agent.ON:
            self.on(guest, ident, payload)
        elif kind == agent.ON_KILL and (guest, ident) in self.remote:
            job = self.remote[guest, ident]
            job.guest.send(agent.KILL, job.ident, payload)

    def on(self, asker, ident, payload):
        """A client on one guest wants a command run on another."""
        name, *command = [os.fsdecode(word) for word in payload.split(b"\0")[:-1]]
        target = next((g for g in self.guests if g.name == name), None)
        if not target:
            asker.send(agent.ON_STDERR, ident, b"on: no host " + name.encode() + b"\n")
            asker.send(agent.ON_EXIT, ident, b"125")
            return

        def wrote(kind, data):
            asker.send(agent.ON_STDOUT if kind == agent.STDOUT else agent.ON_STDERR,
                       ident, data)

        def ended(job):
            del self.remote[asker, ident]
            asker.send(agent.ON_EXIT, ident, str(job.status).encode())

        job = self.run(target, self.options.directory, self.environment(target),
                       command, wrote)
        job.on_exit = ended
        self.remote[asker, ident] = job

    # The verdict

    def blocked_tasks(self):
        """After a timeout: lets the kernel say in the log what hangs, if it still can."""
        for guest in self.guests:
            try:
                job = self.run(guest, "/", {"PATH": os.defpath},
                               ["sh", "-c", "for i in l w; do "
                                "echo $i >/proc/sysrq-trigger; done"])
                self.wait_job(job, 10, "sysrq")
            except Failure:
                pass

    def judge(self):
        """Prints what the kernels reported; returns whether there was nothing."""
        clean = True
        for guest in self.guests:
            found = klog.reports(guest.log)
            if found:
                clean = False
                say(f"{guest.name} ({guest.kernel.name}): {len(found)} report(s) in the "
                    f"kernel log, {guest.log}")
                klog.show(guest.name, found, say)
        return clean

    def tails(self, count):
        for guest in self.guests:
            say(f"{guest.name} ({guest.kernel.name}): the end of {guest.log}")
            for line in klog.tail(guest.log, count):
                say(f"{guest.name}| {line}")


def say(line):
    print(f"vm: {line}", file=sys.stderr, flush=True)


def to_stdio(kind, data):
    fd = 1 if kind == agent.STDOUT else 2
    while data:
        data = data[os.write(fd, data):]


def boot(rig):
    """Boots; once more if a guest ended, or hung, before anything of the project's ran.

    Whatever the kernel had to report by then it had to report of itself or of the
    emulator. The log of that boot stays beside the other, as LOG.boot.
    """
    try:
        rig.boot()
    except NotUp as why:
        for line in rig.stop():
            say(line)
        rig.judge()
        say(f"{why}; booting once more")
        for guest in rig.guests:
            os.replace(guest.log, f"{guest.log}.boot")
            say(f"{guest.name}: the log of the first boot: {guest.log}.boot")
        rig.boot()


def run(options, kernels, logs):
    """One boot and one COMMAND; returns the status that the rig exits with."""
    rig = Rig(options, kernels, logs)
    status = None
    try:
        boot(rig)
        rig.setup()
        status = rig.command()
        rig.finish()
    except Failure as why:
        say(str(why))
        if isinstance(why, Timeout):
            rig.blocked_tasks()
        words = rig.stop()
        for line in words:
            say(line)
        if rig.judge():
            rig.tails(100 if isinstance(why, (Timeout, Died, NotUp)) else 15)
        return why.status
    finally:
        words = rig.stop()
    return status if rig.judge() else STATUS_FAILED
