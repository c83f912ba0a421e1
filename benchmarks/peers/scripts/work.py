"""What every peer's script is asked and answers: its command line, what it counts, one line of JSON.

A script runs in an environment of its own, where Chorus is not installed: only Python's library is imported here.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EPISODE = 25
"""Steps of an episode of simple_spread."""
AGENTS = 3
WINDOW = 512
"""A goal is reached when the mean return of so many last episodes is no worse; whole batches are counted."""


@dataclass(frozen=True)
class Work:
    """What a script does.

    Attributes:
        episodes: of 25 steps, in a batch.
        epochs: passes over a batch.
        seconds: how long to measure.
        warm_up: seconds that are left out before, counted from the first update's end.
        goal: mean return, summed over agents, at which to stop; none to measure the rate.
        limit: seconds after which a goal counts as not reached.
        seed: of everything that is drawn.
        began: the wall clock when the process was started, seconds since 1970.
    """

    episodes: int = 128
    epochs: int = 1
    seconds: float = 10.0
    warm_up: float = 2.0
    goal: float | None = None
    limit: float = 120.0
    seed: int = 0
    began: float = 0.0

    def words(self) -> list[str]:
        """The command line that says so; `began` is added by who starts the process."""
        said = {"episodes": self.episodes, "epochs": self.epochs, "seconds": self.seconds, "warm-up": self.warm_up}
        said |= {"limit": self.limit, "seed": self.seed} | ({} if self.goal is None else {"goal": self.goal})
        return [f"--{name}={value}" for name, value in said.items()]


def asked() -> Work:
    """What this process's command line asks for."""
    parser = argparse.ArgumentParser()
    for name, kind in (("episodes", int), ("epochs", int), ("seconds", float), ("warm-up", float), ("goal", float)):
        parser.add_argument(f"--{name}", type=kind)
    for name, kind in (("limit", float), ("seed", int), ("began", float)):
        parser.add_argument(f"--{name}", type=kind)
    given = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    return Work(**{"began": time.time(), **given})


class Meter:
    """Counts what is learned from, update by update, until the work is done."""

    def __init__(
        self,
        work: Work,
        clock: Callable[[], float] = time.time,
        spent: Callable[[], float] | None = None,
    ) -> None:
        self._work, self._clock, self._spent = work, clock, spent or own_seconds
        self._steps = self._updates = 0
        self._batches: list[tuple[int, float]] = []
        self._first = self._from = self._to = 0.0
        self._steps_from, self._spent_from, self._spent_to = 0, 0.0, 0.0
        self._reached = False

    def learned(self, agent_steps: int, episodes: int = 0, mean_return: float | None = None) -> bool:
        """An update has ended, which learned from so many agent-steps; whether the work is done.

        Args:
            agent_steps: of its batch.
            episodes: that ended in its batch.
            mean_return: of these, summed over agents.
        """
        now = self._clock()
        self._steps += agent_steps
        self._updates += 1
        self._first = self._first or now
        if not self._from and now - self._first >= self._work.warm_up:
            self._from, self._steps_from, self._spent_from = now, self._steps, self._spent()
        self._to = now
        if self._work.goal is None:
            done = bool(self._from) and now - self._from >= self._work.seconds
            self._spent_to = self._spent() if done else 0.0
            return done
        if episodes and mean_return is not None:
            self._batches.append((episodes, mean_return))
            self._reached = self._recent() >= self._work.goal
        return self._reached or now - self._work.began >= self._work.limit

    def _recent(self) -> float:
        """The mean return of the last `WINDOW` episodes; minus infinity as long as there are fewer."""
        count, total = 0, 0.0
        for episodes, mean in reversed(self._batches):
            count, total = count + episodes, total + episodes * mean
            if count >= WINDOW:
                return total / count
        return float("-inf")

    def answer(self) -> dict[str, Any]:
        """What was measured: a rate, or the time to the goal (`None` where the limit came first)."""
        if not self._updates:
            raise RuntimeError("no update was made")
        told: dict[str, Any] = {"start_seconds": self._first - self._work.began, "agent_steps": self._steps}
        if self._work.goal is None:
            taken = self._to - self._from
            if not self._spent_to or taken <= 0:
                raise RuntimeError("no two updates ended after the warm-up")
            learned, spent = self._steps - self._steps_from, self._spent_to - self._spent_from
            told |= {"agent_steps_per_second": learned / taken, "seconds": taken, "cores": spent / taken}
            return told | {"agent_steps_per_core_second": learned / spent}
        told["mean_return"] = self._recent() if self._batches and self._recent() > float("-inf") else None
        told["seconds_with_start"] = self._to - self._work.began if self._reached else None
        told["seconds_without_start"] = self._to - self._first if self._reached else None
        return told


def processor_seconds(pid: int) -> float:
    """Processor time that a process and all that it has started, near and far, have used so far."""
    used, parents = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended since the folder was listed
        process = int(stat.parent.name)
        parents[process], used[process] = int(fields[1]), int(fields[11]) + int(fields[12])
    family = {pid}
    while more := {process for process, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(used.get(process, 0) for process in family) / os.sysconf("SC_CLK_TCK")


def own_seconds() -> float:
    """That of this process and all that it has started."""
    return processor_seconds(os.getpid())


def tell(meter: Meter) -> None:
    """Print the answer, and end at once: some peers' threads and processes do not end by themselves."""
    print(json.dumps(meter.answer()), flush=True)
    sys.stderr.flush()
    os._exit(0)
