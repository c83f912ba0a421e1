"""Where an actor asks for tasks: the addresses of a learner's processes, tried in turn."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zlib import crc32

Resolve = Callable[[str, str], Sequence[str]]


@dataclass(frozen=True)
class Place:
    """One process of the learner.

    Attributes:
        address: HOST:PORT to call.
        name: the host that its certificate is for; empty if that is the address's own.
    """

    address: str
    name: str = ""


class Places:
    """All of them, as the user names them: addresses with commas between, each a process, or a name that stands for
    several. Names are looked up again whenever all places have been tried: processes come and go.
    """

    def __init__(self, given: str, salt: str, resolve: Resolve | None = None) -> None:
        """Begin at the first address; of several that one name stands for, at one that the salt chooses."""
        self._given = given.split(",")
        self._salt = salt
        self._resolve = resolve or look_up
        self._places: list[Place] = []
        self._at = 0
        self._look_up()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._places)

    @property
    def here(self) -> Place:
        """Where to ask now."""
        return self._places[self._at]

    def go_on(self) -> None:
        """Ask at the next place from now on."""
        self._at += 1
        if self._at == len(self._places):
            self._look_up()

    def _look_up(self) -> None:
        places = [place for address in self._given for place in self._found(address)]
        self._places, self._at = list(dict.fromkeys(places)), 0

    def _found(self, address: str) -> list[Place]:
        host, _, port = address.rpartition(":")
        found = list(self._resolve(host, port))
        if len(found) < 2:
            return [Place(address)]
        found.sort(key=lambda one: crc32(f"{self._salt}{one}".encode()))  # actors spread over processes
        return [Place(one, host) for one in found]


def look_up(host: str, port: str) -> list[str]:
    """The addresses HOST:PORT of what a name stands for; none for what is no name, or that nobody knows now."""
    if not host or host.startswith(("[", "unix", "dns", "ipv4", "ipv6")) or host == "localhost":
        return []
    try:
        told = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except (OSError, ValueError):  # whoever calls it says what is wrong with it
        return []
    kind = socket.AF_INET if any(one[0] is socket.AF_INET for one in told) else socket.AF_INET6
    hosts = sorted({str(one[4][0]) for one in told if one[0] is kind})
    return [f"[{one}]:{port}" if ":" in one else f"{one}:{port}" for one in hosts]
