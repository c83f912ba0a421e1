"""How things are timed: medians of repetitions, each long enough for the clock, all of the work inside it.

Two clocks. Work of one thread that never waits is timed by the processor time of that thread, which other programs on
the machine disturb little; whatever waits (networks, several processes) is timed by the wall clock, and its limit is
measured in turns with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import IntEnum
from statistics import median
from typing import TypeVar

T = TypeVar("T")
Clock = Callable[[], float]

LEAST = 3
"""Repetitions below which a median means little."""


class Effort(IntEnum):
    """How long to measure: `TINY` only sees that a benchmark works, `QUICK` takes a minute for all, `WHOLE` ten."""

    TINY = 0
    QUICK = 1
    WHOLE = 2

    def pick(self, tiny: T, quick: T, whole: T) -> T:
        """One of three, by effort."""
        return (tiny, quick, whole)[self]

    @property
    def repetitions(self) -> int:
        """How often a figure is measured; the median counts."""
        return self.pick(1, 3, 7)

    @property
    def seconds(self) -> float:
        """How long a repetition lasts at least."""
        return self.pick(0.0, 0.04, 0.2)

    @property
    def patience(self) -> float:
        """After how many seconds of the wall clock three repetitions are enough."""
        return self.pick(0.0, 1.0, 4.0)


def seconds_each(work: Callable[[], object], effort: Effort, clock: Clock = time.thread_time) -> float:
    """Seconds that `work` takes, once warm: the median of repetitions."""
    return medians([work], effort, clock)[0]


def medians(works: list[Callable[[], object]], effort: Effort, clock: Clock = time.thread_time) -> list[float]:
    """Seconds that each of several takes, measured in turns so that a disturbance meets all of them."""
    for work in works:
        work()
    counts = [_count(work, effort.seconds, clock) for work in works]
    taken: list[list[float]] = [[] for _ in works]
    began_all = time.monotonic()
    for repetition in range(effort.repetitions):
        if repetition >= LEAST and time.monotonic() - began_all > effort.patience:
            break
        for place, work in enumerate(works):
            began = clock()
            for _ in range(counts[place]):
                work()
            taken[place].append((clock() - began) / counts[place])
    return [max(median(each), 1e-9) for each in taken]


def _count(work: Callable[[], object], seconds: float, clock: Clock) -> int:
    """How often `work` fits into so many seconds."""
    began, count = clock(), 0
    while not count or clock() - began < seconds:
        work()
        count += 1
    return count
