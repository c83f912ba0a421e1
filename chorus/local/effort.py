"""What took the time: how much of this machine's cores went into playing and into learning."""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass

IDLE = 0.4
"""With so much of the cores idle, it is waiting that bounds."""


@dataclass(frozen=True)
class Effort:
    """Shares of all cores' time, 0 to 1."""

    cores: int
    playing: float
    learning: float

    @property
    def idle(self) -> float:
        """What neither took: idle, or other programs'."""
        return max(0.0, 1.0 - self.playing - self.learning)

    def describe(self) -> str:
        """What bounded the run, and what it took."""
        if self.idle > IDLE:
            bound = "waiting (more --actors, or --lag 1, may help)"
        else:
            bound = "playing" if self.playing > self.learning else "learning"
        shares = f"playing {self.playing:.0%}, learning {self.learning:.0%}, idle or others {self.idle:.0%}"
        return f"{bound}; of {self.cores} cores: {shares}"


class Meter:
    """Measures from when it is made."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._before = _seconds(resource.RUSAGE_SELF), _seconds(resource.RUSAGE_CHILDREN)

    def read(self) -> Effort:
        """What was used since; that of other processes counts once they have ended."""
        cores = len(os.sched_getaffinity(0))
        whole = cores * max(time.monotonic() - self._began, 1e-9)
        learning = _seconds(resource.RUSAGE_SELF) - self._before[0]
        playing = _seconds(resource.RUSAGE_CHILDREN) - self._before[1]
        return Effort(cores, min(1.0, playing / whole), min(1.0, learning / whole))


def _seconds(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime
