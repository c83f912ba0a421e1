"""Who waits for tasks, and gives them out: between the ledger, which says what may be played, and connected actors."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from chorus.common.monitoring.metrics import LearnerMetrics
from chorus.common.policy.weights import PolicyVersion
from chorus.common.tasks.task import Task
from chorus.learner.tasks.ledger import Ledger


class Subscriber(Protocol):
    """A connected actor, as those see it who have work for it."""

    @property
    def name(self) -> str:
        """The actor's id."""
        ...

    @property
    def wanted(self) -> int:
        """Tasks that it waits for."""
        ...

    def send_task(self, task: Task, policy: PolicyVersion, past: Sequence[PolicyVersion] = ()) -> None:
        """Have it play a task, after giving it the version, and those of opponents, if it has not got them."""
        ...

    @property
    def movable(self) -> bool:
        """Whether it knows of other processes of this learner."""
        ...

    def bar(self, why: str) -> None:
        """End its stream, for good."""
        ...

    def send_on(self) -> None:
        """End its stream, so that it asks another process of this learner."""
        ...


class Dispatcher:
    """The connected actors, and which of them wait; who has waited longest is served first."""

    def __init__(
        self,
        ledger: Ledger,
        version_for: Callable[[int], PolicyVersion],
        past_for: Callable[[Task], Sequence[PolicyVersion]],
        metrics: LearnerMetrics,
    ) -> None:
        """Give out what the ledger has; `version_for` says by which version an update's tasks are played, and
        `past_for` by which others the opponents in a task play."""
        self._ledger = ledger
        self._version_for = version_for
        self._past_for = past_for
        self._metrics = metrics
        self._subscribers: dict[str, Subscriber] = {}
        self._idle: dict[str, None] = {}

    def __len__(self) -> int:
        """How many actors are connected."""
        return len(self._subscribers)

    def add(self, subscriber: Subscriber) -> None:
        """An actor is connected."""
        self._subscribers[subscriber.name] = subscriber
        self._metrics.actors.set(len(self))

    def remove(self, name: str) -> None:
        """An actor is gone."""
        del self._subscribers[name]
        self._idle.pop(name, None)
        self._metrics.actors.set(len(self))

    def bar(self, name: str, why: str) -> None:
        """End an actor's stream for good, if it is connected."""
        if name in self._subscribers:
            self._subscribers[name].bar(why)

    def free(self) -> list[str]:
        """The actors that wait with nothing to do and know where else to ask, longest waiting first."""
        actors = self._ledger.actors
        return [name for name in self._idle if self._subscribers[name].movable and not actors[name].leases]

    def send_on(self, name: str) -> None:
        """Send an actor that waits on to another process of this learner."""
        self._idle.pop(name, None)
        self._subscribers[name].send_on()

    def ask(self, name: str) -> None:
        """An actor wants tasks; it gets them now or as soon as there are some."""
        self._idle[name] = None
        self._serve(name)  # nobody else: what made others wait is as it was
        self._metrics.idle_actors.set(len(self._idle))

    def give_out(self) -> None:
        """Give tasks to the actors that wait."""
        self._ledger.ring_alarms(time.monotonic())
        for name in list(self._idle):
            if not self._ledger.may_lease:
                break
            self._serve(name)
        self._metrics.idle_actors.set(len(self._idle))

    def help_out(self) -> None:
        """Give those who wait what others are late with, if anybody is."""
        alarm = self._ledger.next_alarm()
        if self._idle and alarm is not None and alarm <= time.monotonic():
            self.give_out()

    def _serve(self, name: str) -> None:
        """Give an idle actor as many tasks as it wants and there are."""
        subscriber = self._subscribers[name]
        while subscriber.wanted:
            task = self._ledger.lease(name, time.monotonic())
            if task is None:
                return
            self._metrics.leases.inc()
            subscriber.send_task(task, self._version_for(task.update), self._past_for(task))
        del self._idle[name]
