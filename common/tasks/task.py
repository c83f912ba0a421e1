"""The rollout task: the name of a piece of work whose result is a pure function of that name."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Purpose(IntEnum):
    """The purpose of a rollout; the numbers are those of the wire contract.

    An audit is the second run of a training task, on another actor. It is a lease of its own in the ledger, but no
    actor is told: on the wire it has the training task's name.
    """

    TRAINING = 1
    EVALUATION = 2
    AUDIT = 3


class Task(NamedTuple):
    """The name of a rollout task. Sorts in the order in which tasks are leased."""

    update: int
    purpose: Purpose
    index: int  # type: ignore[assignment]  # shadows a tuple method that nobody wants here

    def __str__(self) -> str:
        return f"{self.purpose.name.lower()} task ({self.update}, {self.index})"


def version_for(update: int, lag: int) -> int:
    """The policy version that the batch of `update` is collected with: `max(0, update - lag)`."""
    return max(0, update - lag)
