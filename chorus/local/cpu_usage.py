"""CPU usage of a run: the shares of this machine's cores spent on playing and on learning."""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass

import psutil

IDLE = 0.4
"""With so much of the cores idle, it is waiting that bounds."""


@dataclass(frozen=True)
class CpuUsage:
    """Shares of all cores' time, 0 to 1: what actors and learner took, and what other programs took from them."""

    cores: int
    playing: float
    learning: float
    others: float

    @property
    def idle(self) -> float:
        """What nobody took."""
        return max(0.0, 1.0 - self.playing - self.learning - self.others)

    def describe(self) -> str:
        """What bounded the run, and what it took."""
        if self.idle > IDLE:
            bound = "waiting: more --actors, or --lag 1, may help"
        else:
            shares = {"playing": self.playing, "learning": self.learning, "other programs": self.others}
            bound = f"by {max(shares, key=shares.__getitem__)}"
        return (
            f"{bound}\n         {self.cores} cores: playing {self.playing:.0%}, learning {self.learning:.0%},"
            f" other programs {self.others:.0%}, idle {self.idle:.0%}"
        )


class CpuMeter:
    """Measures from when it is made."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._idle = _idle()
        self._before = _seconds(resource.RUSAGE_SELF), _seconds(resource.RUSAGE_CHILDREN)

    def read(self) -> CpuUsage:
        """What was used since; that of other processes counts once they have ended."""
        cores = len(os.sched_getaffinity(0))
        whole = cores * max(time.monotonic() - self._began, 1e-9)
        learning = _seconds(resource.RUSAGE_SELF) - self._before[0]
        playing = _seconds(resource.RUSAGE_CHILDREN) - self._before[1]
        idle = min(_idle() - self._idle, whole)
        others = max(0.0, whole - playing - learning - idle)
        return CpuUsage(cores, *(min(1.0, part / whole) for part in (playing, learning, others)))


def _idle() -> float:
    """Core-seconds in which the machine had nothing to do."""
    times = psutil.cpu_times()
    return float(times.idle + times.iowait)


def _seconds(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime
