"""The processes that are one learner, as those see them that add things up: ranks from 0, three ways to exchange."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Group(Protocol):
    """Every process calls the same methods in the same order; each call waits for all."""

    @property
    def rank(self) -> int:
        """Of this process; 0 has the run folder."""
        ...

    @property
    def size(self) -> int:
        """R, the number of processes."""
        ...

    @property
    def seconds(self) -> float:
        """Spent in calls so far, waiting for the others included."""
        ...

    @property
    def sent(self) -> int:
        """Bytes that this process has put into sums so far."""
        ...

    def largest(self, numbers: Tensor) -> Tensor:
        """The greatest of every element over the processes; `numbers` may be overwritten.

        Raises:
            GroupFault: a process is gone or does not answer.
        """
        ...

    def total(self, numbers: Tensor) -> Tensor:
        """The sum of every element over the processes; `numbers` may be overwritten.

        Raises:
            GroupFault: a process is gone or does not answer.
        """
        ...

    def gather(self, words: bytes) -> list[bytes]:
        """What each process has to say, by rank.

        Raises:
            GroupFault: a process is gone or does not answer.
        """
        ...

    def close(self) -> None:
        """Leave the group."""
        ...


class Alone:
    """A learner of one process."""

    rank = 0
    size = 1
    seconds = 0.0
    sent = 0

    def largest(self, numbers: Tensor) -> Tensor:
        """The numbers."""
        return numbers

    def total(self, numbers: Tensor) -> Tensor:
        """The numbers."""
        return numbers

    def gather(self, words: bytes) -> list[bytes]:
        """The words."""
        return [words]

    def close(self) -> None:
        """Nobody is left."""


ALONE = Alone()


def own(group: Group, tasks: int) -> range:
    """The indices of the tasks that a process owns: `j mod R = r`."""
    return range(group.rank, tasks, group.size)
