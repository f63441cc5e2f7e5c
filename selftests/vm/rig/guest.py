# SPDX-License-Identifier: GPL-2.0
"""One guest: its QEMU process, and the frames to and from its agent.

The frames are described in guest/frame.h.
"""

import os
import socket
import struct
import subprocess

HEADER = struct.Struct("=III")

(READY, RUN, KILL, STDOUT, STDERR, EXIT,
 ON, ON_KILL, ON_STDOUT, ON_STDERR, ON_EXIT) = range(1, 12)

QEMU = "qemu-system-x86_64"

# Reports are printed in full before the guest ends (oops=panic, panic=-1 and QEMU's
# -no-reboot end it). A host that is busy must not look like a stalled guest.
APPEND = (
    "console=ttyS0 ignore_loglevel printk.devkmsg=on log_buf_len=4M "
    "oops=panic panic=-1 net.ifnames=0 audit=0 "
    "tsc=reliable cryptomgr.notests rcupdate.rcu_cpu_stall_timeout=60 watchdog_thresh=30"
)
APPEND_OF = {
    "debug": "kasan_multi_shot",
    # As before: /proc/PID/mem shows what the process has protected from itself
    "7": "proc_mem.force_override=always",
}


class Guest:
    """A guest from its start to its end; it is never started again."""

    def __init__(self, number, kernel, log):
        self.number = number
        self.name = f"h{number}"
        self.kernel = kernel        # a Kernel
        self.log = log              # path
        self.process = None
        self.socket = None
        self.ready = False
        self.inbox = b""
        self.outbox = bytearray()

    def start(self, options, link):
        """Starts QEMU; link is the file descriptor of the Ethernet segment, or None."""
        self.socket, theirs = socket.socketpair()
        self.socket.setblocking(False)
        command = ["setpriv", "--pdeathsig", "KILL", QEMU]
        command += self.machine(options)
        command += [
            "-chardev", f"file,id=console,path={comma(self.log)},append=on",
            "-serial", "chardev:console",
            "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=agent,fd={theirs.fileno()}",
            "-device", "virtserialport,chardev=agent,name=memsync",
        ]
        command += share("host", "/", ",readonly=on")
        if options.out:
            command += share("out", options.out, "")
        fds = [theirs.fileno()]
        if link is not None:
            fds.append(link)
            command += [
                "-netdev", f"stream,id=net,server=off,addr.type=fd,addr.str={link}",
                "-device", "virtio-net-pci,netdev=net,"
                           f"mac=52:54:00:42:00:{self.number:02x}",
            ]
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(f"rig: {self.name}: {' '.join(command)}\n")
        self.process = subprocess.Popen(
            command, pass_fds=fds, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        theirs.close()

    def machine(self, options):
        append = [APPEND, APPEND_OF.get(self.kernel.name, ""), options.append]
        accel, cpus = "tcg,thread=multi,tb-size=512", options.smp
        # A string instruction is emulated item by item, and these ask for bytes
        cpu = "max,la57=off,erms=off,fsrm=off"
        args = []
        if options.icount:
            accel, cpus = "tcg,thread=single,tb-size=512", 1
            cpu = "max,la57=off"
            # The clocks and the layout are to be the same in each run
            append.append("nokaslr")
            args = ["-icount", "shift=0,sleep=on", "-rtc", "clock=vm", "-seed", "1"]
        if options.nodes > 1:
            append.append("numa_balancing=disable")     # whoever wants it turns it on
            args += nodes(options)
        return args + [
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-machine", "q35,hpet=off", "-accel", accel,
            "-cpu", cpu, "-smp", f"{cpus},sockets={options.nodes}", "-m", str(options.mem),
            "-kernel", f"{self.kernel.entry}/vmlinuz",
            "-initrd", self.kernel.initramfs,
            "-append", " ".join(filter(None, append)),
            "-device", "virtio-rng-pci",
        ]

    def send(self, kind, ident, payload=b""):
        self.outbox += HEADER.pack(kind, ident, len(payload)) + payload
        self.flush()

    def flush(self):
        """Writes what the guest takes now."""
        try:
            while self.outbox:
                count = self.socket.send(self.outbox)
                del self.outbox[:count]
        except BlockingIOError:
            pass
        except OSError:
            self.outbox.clear()     # its end is seen when reading

    def frames(self):
        """Yields (type, id, payload) of what has come; None when the guest is gone."""
        try:
            data = self.socket.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            yield None
            return
        self.inbox += data
        while len(self.inbox) >= HEADER.size:
            kind, ident, length = HEADER.unpack_from(self.inbox)
            if len(self.inbox) < HEADER.size + length:
                return
            payload = self.inbox[HEADER.size:HEADER.size + length]
            self.inbox = self.inbox[HEADER.size + length:]
            yield kind, ident, payload

    def stop(self):
        """Ends QEMU; returns what it had to say, if it ended by itself and badly."""
        if not self.process or self.process.stderr.closed:
            return ""
        by_itself = self.gone()
        if not by_itself:
            self.process.kill()
        words = self.process.communicate()[1].decode("utf-8", "replace").strip()
        self.socket.close()
        status = self.process.returncode
        if not by_itself or status == 0:
            return ""
        return f"{self.name}: QEMU ended with status {status}: {words}"

    def gone(self, wait=0.5):
        """Whether QEMU has ended, or does so within some time."""
        try:
            self.process.wait(wait if self.socket_closed() else 0)
        except subprocess.TimeoutExpired:
            return False
        return True

    def socket_closed(self):
        try:
            return self.socket.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True


def nodes(options):
    """QEMU's options for NUMA nodes, each with its part of the CPUs and of the memory."""
    args = []
    cpus, mem = options.smp // options.nodes, options.mem // options.nodes
    for node in range(options.nodes):
        size = mem if node else options.mem - mem * (options.nodes - 1)
        args += [
            "-object", f"memory-backend-ram,id=ram{node},size={size}M",
            "-numa", f"node,nodeid={node},memdev=ram{node},"
                     f"cpus={node * cpus}-{node * cpus + cpus - 1}",
        ]
    return args


def share(tag, path, more):
    """QEMU's options for a directory of the host's over 9p."""
    return [
        "-fsdev", f"local,id={tag},path={comma(path)},security_model=none,"
                  f"multidevs=remap{more}",
        "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}",
    ]


def comma(path):
    """QEMU wants a comma in a value twice."""
    return path.replace(",", ",,")


def pack(directory, environment, command):
    """The payload of RUN."""
    words = [directory]
    words += [f"{key}={value}" for key, value in environment.items()]
    words += ["", *command]
    return b"".join(os.fsencode(word) + b"\0" for word in words)
