"""How each process of a group stands, told to all several times a second; and what follows from it for everybody.

A process may wait long for its tasks. Telling the others that it waits keeps it from being taken for dead, and lets
all go on, stop, or end at the same place.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from math import ceil

import msgspec

from chorus.learner.group.group import Group


class State(Enum):
    """How a process stands, and what all do because of it, the last one counting most."""

    READY = "ready"
    WAITING = "waiting"
    STOPPING = "stopping"
    FAULT = "fault"


ORDER = list(State)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a process tells in a round.

    Attributes:
        state: how it stands.
        fault: why training cannot go on, in `State.FAULT`.
        address: HOST:PORT of its server.
        actors: that are connected to it.
        pending: tasks that nobody plays yet.
        counts: its ledger's accounts by name, and what it refused and audited.
        remarks: why the run is not reproducible, as far as this process knows.
    """

    state: State
    fault: str = ""
    address: str = ""
    actors: int = 0
    pending: int = 0
    counts: dict[str, int] = {}
    remarks: list[str] = []


def exchange(group: Group, standing: Standing) -> list[Standing]:
    """Tell how this process stands and hear it of all, by rank.

    Raises:
        GroupFault: a process is gone or does not answer.
    """
    return [msgspec.json.decode(told, type=Standing) for told in group.gather(msgspec.json.encode(standing))]


def outcome(standings: Sequence[Standing]) -> State:
    """What all do: the same everywhere, since all have heard the same. READY: make the update."""
    return max((standing.state for standing in standings), key=ORDER.index)


def fault_of(standings: Sequence[Standing]) -> str:
    """The words of the first process at fault."""
    rank, standing = next((rank, one) for rank, one in enumerate(standings) if one.state is State.FAULT)
    return f"process {rank} of {len(standings)}: {standing.fault}"


def to_send(standings: Sequence[Standing], rank: int, idle: int) -> int:
    """How many of its idle actors a process sends on to others: those have more tasks waiting than actors.

    Half of what is missing, so that two processes share their actors instead of handing all of them to and fro.
    """
    others = [standing for other, standing in enumerate(standings) if other != rank]
    missing = sum(max(0, standing.pending - standing.actors) for standing in others)
    return 0 if standings[rank].pending else min(idle, ceil(missing / 2))
