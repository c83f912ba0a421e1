"""Several processes of a learner in one: threads that exchange what they would send one another."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


class Member:
    """One thread's part of a group."""

    def __init__(self, rank: int, size: int, barrier: threading.Barrier, shown: list[Any]) -> None:
        self.rank, self.size = rank, size
        self.calls = 0
        self.seconds = 0.0
        self.sent = 0
        self._barrier, self._shown = barrier, shown

    def largest(self, numbers: Tensor) -> Tensor:
        found: Tensor = reduce(torch.maximum, self._exchange(numbers))
        return found

    def total(self, numbers: Tensor) -> Tensor:
        """In an order of this rank's own: none may matter."""
        shown = self._exchange(numbers)
        found: Tensor = reduce(torch.add, shown[self.rank :] + shown[: self.rank])
        return found

    def gather(self, words: bytes) -> list[bytes]:
        return self._exchange(words)

    def close(self) -> None:
        """Nothing is open."""

    def _exchange(self, what: Any) -> list[Any]:
        self.calls += 1
        self._shown[self.rank] = what
        self._barrier.wait(60.0)
        found = list(self._shown)
        self._barrier.wait(60.0)
        return found


def together(size: int, play: Callable[[Member], T]) -> list[T]:
    """What each of so many members comes to; if one fails, all do."""
    barrier, shown = threading.Barrier(size), [None] * size

    def part(rank: int) -> T:
        try:
            return play(Member(rank, size, barrier, shown))
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(size) as threads:
        parts = [threads.submit(part, rank) for rank in range(size)]
    faults = [fault for fault in (one.exception() for one in parts) if fault is not None]
    for fault in sorted(faults, key=lambda fault: isinstance(fault, threading.BrokenBarrierError)):
        raise fault  # of those that only waited in vain none is the reason
    return [one.result() for one in parts]
