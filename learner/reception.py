"""What actors do: they come, ask for tasks, bring what they played, fail, go. Each ends in the ledger.

Not here: their streams and messages (`service/`), and what is made of an answer (`coordinator.py`).
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from chorus.common.monitoring.metrics import LearnerMetrics
from chorus.common.monitoring.timeline import spanned
from chorus.common.tasks.parts import Part
from chorus.common.tasks.task import Purpose, Task
from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.judge import Judge
from chorus.learner.tasks.arrival import Arrival
from chorus.learner.tasks.audit import Audits, Run, audit_of
from chorus.learner.tasks.dispatcher import Dispatcher, Subscriber
from chorus.learner.tasks.failures import Failures
from chorus.learner.tasks.ledger import Ledger, NotLeased, Verdict


class Host(Protocol):
    """What a reception tells the run."""

    def keep(self, run: Run) -> None:
        """Learn from this answer to a task."""

    def progressed(self) -> None:
        """Something that was asked for has come; a batch may have waited for it."""

    def stop_for(self, fault: BaseException) -> None:
        """End the run by this fault."""


class Reception:
    """Of one run.

    Attributes:
        attended: whether any actor has come so far.
    """

    def __init__(
        self,
        ledger: Ledger,
        dispatcher: Dispatcher,
        audits: Audits,
        judge: Judge,
        failures: Failures,
        metrics: LearnerMetrics,
        host: Host,
    ) -> None:
        """Open, until `close`."""
        self.attended = False
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._audits = audits
        self._judge = judge
        self._failures = failures
        self._metrics = metrics
        self._host = host
        self._intake = ThreadPoolExecutor(1, thread_name_prefix="intake")
        self._closed = False

    def close(self) -> None:
        """Take nothing from now on, and end the thread that takes it in."""
        self._closed = True
        self._intake.shutdown()

    @property
    def barred(self) -> set[str]:
        """Actors that an audit found to alter what they play, and that play no more."""
        return self._judge.barred

    def join(self, subscriber: Subscriber, only_audits: bool = False, auditor: bool = True) -> None:
        """An actor is ready to play: anything, or only audits, or anything but audits."""
        self._ledger.join(subscriber.name, only_audits, auditor)
        self._dispatcher.add(subscriber)
        self.attended = True

    def leave(self, name: str) -> None:
        """An actor is gone; its tasks go to others."""
        requeued = len(self._ledger.actors[name].leases)
        self._failures.left(name)
        self._ledger.leave(name)
        self._dispatcher.remove(name)
        self._metrics.tasks.labels("requeued").inc(requeued)
        self._dispatcher.give_out()

    def ask(self, name: str) -> None:
        """An actor wants tasks; it gets them now or as soon as there are some."""
        self._dispatcher.ask(name)

    def leased(self, name: str, task: Task) -> Task:
        """The lease that an actor's message about a task is about: the task's own, else its audit's.

        Raises:
            NotLeased: it holds neither.
        """
        leases = self._ledger.actors[name].leases
        for candidate in (task, audit_of(task)):
            if candidate in leases:
                return candidate
        raise NotLeased(f"{name!r} holds no lease on {task}")

    def fail(self, name: str, task: Task, error: str, traceback: str) -> None:
        """An actor could not play a task.

        Raises:
            NotLeased: the actor was not given that task.
        """
        task = self.leased(name, task)
        self._metrics.tasks.labels("failed").inc()
        self._failures.failed(name, task, error, traceback)
        self._dispatcher.give_out()

    async def fell(self, name: str, task: Task | None, how: str) -> bool:
        """An actor that was started here ended of itself; see `Failures.fell`."""
        played = await self._failures.fell(name, task, how)
        self._dispatcher.give_out()
        return played

    async def receive(self, name: str, arrival: Arrival, part: Part, announced: bytes) -> Verdict | None:
        """An actor played some more of a task, and said what digest all of it has so far; None unless it is whole now.

        Once the run has ended here nothing is taken: the stream's end is on its way to the actor.

        Raises:
            MalformedData: the part breaks the rules, or is not what was sent; nothing of the task is kept.
            NotLeased: the actor was not given that task.
            OSError: there is no room for it in `learner.spill`; the run ends by that.
        """
        task = self.leased(name, part.task)
        if self._closed:
            return None
        add = spanned("intake", arrival.add)
        try:
            played = await asyncio.get_running_loop().run_in_executor(self._intake, add, part, announced)
        except OSError as fault:
            self._host.stop_for(fault)
            raise
        if name in self.barred:
            raise NotLeased(f"{name!r} is barred")
        return None if played is None or self._closed else self._account(name, task, *played)

    def _account(self, name: str, task: Task, trajectory: Trajectory, hashed: str) -> Verdict:
        now = time.monotonic()
        since = self._ledger.actors[name].leases.get(task, now)
        verdict = self._ledger.complete(name, task, now)
        self._metrics.tasks.labels("completed" if verdict is Verdict.KEPT else "repeated").inc()
        self._metrics.task_seconds.observe(now - since)
        if verdict is Verdict.KEPT:
            self._host.progressed()
            run = Run(name, hashed, trajectory)
            if task.purpose is Purpose.AUDIT:
                self._judge.compare(task, run)
                return verdict
            self._host.keep(run)
            if self._ledger.actors[name].auditor and self._audits.consider(run):
                self._dispatcher.give_out()
        return verdict
