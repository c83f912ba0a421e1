"""Which tasks are run a second time, and what it means if the two runs differ. No clock, no network, no files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.seeding import Draw, stream
from common.task import Purpose, Task
from common.trajectory import Trajectory


@dataclass(frozen=True)
class FirstRun:
    """What an audit is held to: who played the task, the digest, and the trajectory itself."""

    actor: str
    digest: str
    trajectory: Trajectory


def is_audited(seed: int, share: float, task: Task) -> bool:
    """Whether a task is run twice: a function of run seed, update and index alone."""
    if task.purpose is not Purpose.TRAINING or share <= 0.0:
        return False
    return bool(stream(seed, Draw.AUDIT, task.update, task.index).random() < share)


def audit_of(task: Task) -> Task:
    """The audit of a training task, as the ledger knows it."""
    return task._replace(purpose=Purpose.AUDIT)


def first_difference(first: Trajectory, second: Trajectory) -> str:
    """Where two runs of a task part: at the earliest step, the first field in the wire's order; empty if nowhere."""
    earliest: tuple[int, str] | None = None
    for name, ours in first.arrays.items():
        theirs = second.arrays[name]
        if ours.shape != theirs.shape:
            found = (min(len(ours), len(theirs)), f"{name} has shape {list(ours.shape)} and {list(theirs.shape)}")
        else:
            places = np.argwhere(ours != theirs)
            if not len(places):
                continue
            place = tuple(places[0].tolist())
            found = (place[0], f"{name}{list(place)} is {ours[place]} and {theirs[place]}")
        if name in ("lengths", "final_observations"):  # not by step: they say less than the others
            found = (max(len(first.acted), len(second.acted)), found[1])
        if earliest is None or found[0] < earliest[0]:
            earliest = found
    return "" if earliest is None else earliest[1]
