"""Two machines and the line between them: network namespaces whose packets all pass through this process.

What `tc netem` does in the kernel (delay, loss, a narrow line, a cut) is done here, to whole IP packets, so that TCP
itself has to cope; not every kernel has netem. Each namespace has one TUN device, whose file is opened there by
`python -m tests.faults.line ADDRESS PEER SOCKET` and handed to this process. Needs util-linux, iproute2, and a kernel
that lets this user make namespaces.
"""

from __future__ import annotations

import fcntl
import heapq
import os
import random
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from tests.system.processes import ROOT, until

HOSTS = ("10.77.0.1", "10.77.0.2")
PACKET_BYTES = 2048
TUNSETIFF = 0x400454CA
TUN, NO_INFORMATION = 0x0001, 0x1000
QUEUE_SECONDS = 0.5
"""What would wait longer for a narrow line than this is dropped, as a router's full queue does."""


class Line:
    """The line between `ends`; what it does to packets are attributes, read as they pass.

    Attributes:
        ends: the words that run a command at each end; the first has the address `HOSTS[0]`.
        delay: seconds that a packet takes, one way.
        loss: the share of packets that are lost.
        rate: bytes a second that fit through, each way; 0 for any number.
        cut: nothing comes through, and nobody is told.
        passed, lost: how many packets did, and did not.
    """

    def __init__(self, ends: tuple[list[str], list[str]], devices: tuple[int, int]) -> None:
        self.ends = ends
        self.delay = 0.0
        self.loss = 0.0
        self.rate = 0.0
        self.cut = False
        self.passed = self.lost = 0
        self._devices = devices
        self._draw = random.Random(0)
        self._free = dict.fromkeys(devices, 0.0)
        self._under_way: list[tuple[float, int, int, bytes]] = []
        self._ended = threading.Event()
        self._carrier = threading.Thread(target=self._carry, name="line")
        self._carrier.start()

    def close(self) -> None:
        """Carry no more."""
        self._ended.set()
        self._carrier.join()
        for device in self._devices:
            os.close(device)

    def _carry(self) -> None:
        other = dict(zip(self._devices, reversed(self._devices), strict=True))
        while not self._ended.is_set():
            due = self._under_way[0][0] - time.monotonic() if self._under_way else 0.1
            ready, _, _ = select.select(self._devices, (), (), min(0.1, max(0.0, due)))
            for device in ready:
                self._take(os.read(device, PACKET_BYTES), other[device])
            while self._under_way and self._under_way[0][0] <= time.monotonic():
                _, _, to, packet = heapq.heappop(self._under_way)
                os.write(to, packet)

    def _take(self, packet: bytes, to: int) -> None:
        """Lose a packet, or note when it will be there."""
        now = time.monotonic()
        sent = max(now, self._free[to]) + (len(packet) / self.rate if self.rate else 0.0)
        if self.cut or self._draw.random() < self.loss or sent - now > QUEUE_SECONDS:
            self.lost += 1
            return
        self.passed += 1
        self._free[to] = sent
        heapq.heappush(self._under_way, (sent + self.delay, self.passed, to, packet))


@contextmanager
def line() -> Iterator[Line]:
    """Two namespaces and a line that does nothing to packets yet."""
    holding = ["unshare", "--map-root-user", "--net", "sleep", "infinity"]
    holders = [subprocess.Popen(holding, env={"PATH": os.environ["PATH"]}) for _ in HOSTS]
    try:
        ends = [
            ["nsenter", "--target", str(holder.pid), "--user", "--net", "--preserve-credentials"] for holder in holders
        ]
        for holder, end in zip(holders, ends, strict=True):
            until(partial(_apart, holder.pid))
            subprocess.run([*end, "ip", "link", "set", "lo", "up"], check=True)
        devices = [_device(end, here, there) for end, here, there in zip(ends, HOSTS, reversed(HOSTS), strict=True)]
        between = Line((ends[0], ends[1]), (devices[0], devices[1]))
        try:
            yield between
        finally:
            between.close()
    finally:
        for holder in holders:
            holder.kill()
            holder.wait()


def _apart(pid: int) -> bool:
    """Whether a process has a network of its own by now."""
    return os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")


def _device(end: list[str], here: str, there: str) -> int:
    """A TUN device at that end, as a file of this process."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        opening = [*end, sys.executable, "-m", "tests.faults.line", here, there, str(theirs.fileno())]
        subprocess.run(opening, cwd=ROOT, check=True, pass_fds=[theirs.fileno()])
        _, files, _, _ = socket.recv_fds(ours, 1, 1)
    return files[0]


def open_device(here: str, there: str, number: int) -> None:
    """In a namespace: make its device and hand it over."""
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"line", TUN | NO_INFORMATION))
    for words in (f"address add {here} peer {there} dev line", "link set line mtu 1400 up"):
        subprocess.run(["ip", *words.split()], check=True)
    with socket.socket(fileno=number) as socket_:
        socket.send_fds(socket_, [b"."], [device])


if __name__ == "__main__":
    open_device(sys.argv[1], sys.argv[2], int(sys.argv[3]))
