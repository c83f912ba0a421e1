"""Which tasks are run a second time, and what it means if the two runs differ. No clock, no network, no files.

Two runs that differ do not say which is wrong, so a third decides: who stands alone against two equal ones is named.
Where all three differ nobody is: the environment draws on its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chorus.common.tasks.seeding import Draw, stream
from chorus.common.tasks.task import Purpose, Task
from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.tasks.ledger import Ledger


@dataclass(frozen=True)
class Run:
    """One run of a task: who played it, the digest, and the trajectory itself."""

    actor: str
    digest: str
    trajectory: Trajectory


@dataclass(frozen=True)
class Difference:
    """Two runs of a task that came out differently: who played them, and the first field in which they part."""

    task: Task
    first: str
    second: str
    where: str

    def __str__(self) -> str:
        return f"{self.task} came out differently on {self.first!r} and {self.second!r}: {self.where}"


@dataclass(frozen=True)
class Decision:
    """What a third run said of two that differ.

    Attributes:
        difference: of the two.
        third: who played the third run.
        liar: who stands alone against the two others; empty if all three differ.
        true: the first of the two equal runs; None if all three differ.
    """

    difference: Difference
    third: str
    liar: str = ""
    true: Run | None = None

    def __str__(self) -> str:
        if not self.liar:
            return f"{self.difference}; a third run, on {self.third!r}, is like neither"
        return f"{self.difference}; by a third run, on {self.third!r}, it is {self.liar!r} that is wrong"


class Audits:
    """The audits of a run: what those that are not closed are held to, and what came of them so far.

    Attributes:
        done: tasks that were run a second time.
        unequal: those of them that came out differently.
        liars: who stood alone against two equal runs, in the order of being found.
    """

    def __init__(self, seed: int, share: float, ledger: Ledger) -> None:
        """Audit this share of a run's training tasks."""
        self.done = 0
        self.unequal = 0
        self.liars: list[str] = []
        self._seed, self._share, self._ledger = seed, share, ledger
        self._open: dict[Task, Run] = {}
        self._disputed: dict[Task, tuple[Run, Difference]] = {}

    def consider(self, first: Run) -> bool:
        """Have a task run again by somebody else if it is one of those; return whether it is."""
        task = first.trajectory.task
        if not is_audited(self._seed, self._share, task):
            return False
        self._open[audit_of(task)] = first
        self._ledger.open([audit_of(task)], barred=(first.actor,))
        return True

    def compare(self, audit: Task, run: Run) -> Difference | Decision | None:
        """Hold a second run of a task to the first: None if they are equal, else how they differ, and somebody else is
        to run it a third time. Hold a third run to both: who is wrong."""
        if audit in self._disputed:
            return self._decide(audit, run)
        first, second = self._open[audit], run
        self.done += 1
        if first.digest == second.digest:
            return None
        self.unequal += 1
        where = first_difference(first.trajectory, second.trajectory) or "nothing but the digest"
        difference = Difference(first.trajectory.task, first.actor, second.actor, where)
        self._disputed[audit] = second, difference
        self._ledger.again(audit, barred=(first.actor, second.actor))
        return difference

    def _decide(self, audit: Task, third: Run) -> Decision:
        first, (second, difference) = self._open[audit], self._disputed.pop(audit)
        if third.digest == first.digest:
            liar, true = second.actor, first
        elif third.digest == second.digest:
            liar, true = first.actor, second
        else:
            return Decision(difference, third.actor)
        if liar not in self.liars:
            self.liars.append(liar)
        return Decision(difference, third.actor, liar, true)

    def audits(self, task: Task) -> bool:
        """Whether a task's answer is held to a second run."""
        return audit_of(task) in self._open

    def close(self, update: int) -> Sequence[Task]:
        """Forget the audits of an update that is made; return them."""
        closed = [audit for audit in self._open if audit.update == update]
        for audit in closed:
            del self._open[audit]
        return closed

    @property
    def waiting(self) -> bool:
        """Whether an audit is not done."""
        return any(self._ledger.is_open(audit) for audit in self._open)

    @property
    def stranded(self) -> bool:
        """Whether an audit waits and nobody connected may play it."""
        return any(self._ledger.is_open(audit) and self._ledger.stranded(audit) for audit in self._open)


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
        if name == "lengths":  # not by step: it says less than the others
            found = (max(len(first.acted), len(second.acted)), found[1])
        if earliest is None or found[0] < earliest[0]:
            earliest = found
    return "" if earliest is None else earliest[1]
