"""Whole runs of the ledger in simulated time: thousands of tasks, hundreds of actors of every kind."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from chorus.common.tasks.task import Purpose, Task
from chorus.learner.tasks import ledger as module
from chorus.learner.tasks.ledger import Ledger, Verdict

TIMEOUT = 30.0


@dataclass
class Fleet:
    """Actors that play the tasks of a run: some steady, some slow, some that fail, hang, or come and go.

    Attributes:
        actors: how many.
        updates: of the run.
        tasks: J.
        lag: updates that may be open at once, less one.
        leaves, fails, hangs: how likely each is per task.
        ahead: tasks that an actor holds at once.
    """

    seed: int
    actors: int
    updates: int
    tasks: int
    lag: int
    leaves: float = 0.0
    fails: float = 0.0
    hangs: float = 0.0
    ahead: int = 2
    kept: Counter[Task] = field(default_factory=Counter)
    order: list[int] = field(default_factory=list)
    most_open: int = 0
    most_remembered: int = 0
    hung: int = 0
    events: int = 0
    on_event: Callable[[Ledger], None] = lambda book: None

    def run(self) -> Ledger:
        """From the first batch to the last, and whoever still holds anything then leaves."""
        draws = np.random.Generator(np.random.Philox(key=self.seed))
        book = Ledger(TIMEOUT)
        agenda: list[tuple[float, int, str, str, Task | None]] = []
        update = 0
        for opening in range(min(self.lag + 1, self.updates)):
            book.open(Task(opening, Purpose.TRAINING, index) for index in range(self.tasks))
        idle: dict[str, int] = {}

        def plan(when: float, what: str, actor: str, task: Task | None = None) -> None:
            heapq.heappush(agenda, (when, len(agenda) + self.events, what, actor, task))

        for number in range(self.actors):
            plan(float(draws.random()), "join", f"actor-{number}")
        now = 0.0
        while update < self.updates:
            alarm = book.next_alarm()
            if idle and alarm is not None and (not agenda or alarm < agenda[0][0]):
                now = max(now, alarm)
            elif agenda:
                now, _, what, actor, task = heapq.heappop(agenda)
                self.events += 1
                if what == "join":
                    book.join(actor)
                    idle[actor] = self.ahead
                elif actor in book.actors and task is not None and task in book.actors[actor].leases:
                    self._answer(book, draws, now, what, actor, task, idle, plan)
            else:
                raise AssertionError("nothing will ever happen any more: a task was lost")
            while book.batch_ready(update):
                book.close([Task(update, Purpose.TRAINING, index) for index in range(self.tasks)])
                self.order.append(update)
                update += 1
                if update + self.lag < self.updates:
                    book.open(Task(update + self.lag, Purpose.TRAINING, index) for index in range(self.tasks))
            for actor in list(idle):
                while idle.get(actor, 0):
                    given = book.lease(actor, now)
                    if given is None:
                        break
                    idle[actor] -= 1
                    slow = 20.0 if draws.random() < 0.02 else 1.0
                    chance = draws.random()
                    if chance < self.hangs and len(book.actors) > self.actors // 2:
                        self.hung += 1  # it holds the task for ever
                    elif chance < self.hangs + self.leaves:
                        plan(now + float(draws.exponential()), "leave", actor, given)
                    elif chance < self.hangs + self.leaves + self.fails:
                        plan(now + float(draws.exponential()), "fail", actor, given)
                    else:
                        plan(now + slow * float(0.5 + draws.exponential()), "answer", actor, given)
                if not idle.get(actor, 0):
                    idle.pop(actor, None)
            self.most_open = max(self.most_open, len({task for r in book.actors.values() for task in r.leases}))
            self.most_remembered = max(self.most_remembered, remembered(book))
            self.on_event(book)
        for actor in list(book.actors):
            book.leave(actor)
        return book

    def _answer(
        self,
        book: Ledger,
        draws: np.random.Generator,
        now: float,
        what: str,
        actor: str,
        task: Task,
        idle: dict[str, int],
        plan: Callable[..., None],
    ) -> None:
        if what == "leave":
            book.leave(actor)
            idle.pop(actor, None)
            plan(now + float(draws.exponential()) * 5.0, "join", actor)
            return
        if what == "fail":
            if book.fail(actor, task) is Verdict.GIVEN_UP:
                raise AssertionError(f"{task} was given up; let it fail more rarely")
        elif book.complete(actor, task, now) is Verdict.KEPT:
            self.kept[task] += 1
        idle[actor] = idle.get(actor, 0) + 1


def remembered(book: Ledger) -> int:
    """All that a ledger keeps of tasks and leases."""
    private: Any = book
    return len(private._entries) + len(private._pending) + len(private._alarms) + len(private._late)


FLEETS: dict[str, dict[str, Any]] = {
    "one actor": {"actors": 1, "updates": 30, "tasks": 4, "lag": 0},
    "steady": {"actors": 20, "updates": 30, "tasks": 32, "lag": 0},
    "more actors than tasks": {"actors": 50, "updates": 30, "tasks": 8, "lag": 1},
    "coming and going": {"actors": 15, "updates": 40, "tasks": 16, "lag": 1, "leaves": 0.1},
    "failing now and then": {"actors": 15, "updates": 40, "tasks": 16, "lag": 2, "fails": 0.03},
    "hanging": {"actors": 60, "updates": 30, "tasks": 8, "lag": 0, "hangs": 0.15, "leaves": 0.1},
    "everything at once": {
        "actors": 60,
        "updates": 60,
        "tasks": 32,
        "lag": 3,
        "leaves": 0.05,
        "fails": 0.01,
        "hangs": 0.004,
        "ahead": 3,
    },
}


@pytest.mark.parametrize("kind", FLEETS)
def test_every_task_of_every_batch_is_kept_exactly_once_and_the_accounts_balance(kind: str) -> None:
    fleet = Fleet(seed=list(FLEETS).index(kind), **FLEETS[kind])

    def balanced(book: Ledger) -> None:
        held = sum(len(record.leases) for record in book.actors.values())
        assert book.counts.balanced and book.counts.outstanding == held
        assert book.counts.completed == sum(fleet.kept.values())

    fleet.on_event = balanced
    counts = fleet.run().counts
    assert fleet.order == list(range(fleet.updates)), "updates are closed in their order"
    assert set(fleet.kept.values()) == {1} and len(fleet.kept) == fleet.updates * fleet.tasks
    assert counts.completed == fleet.updates * fleet.tasks
    assert counts.outstanding == 0 and counts.balanced
    assert (counts.failed > 0) == (fleet.fails > 0) and (fleet.leaves == 0 or counts.requeued > 0)
    assert (fleet.hung > 0) == (fleet.hangs > 0)
    assert fleet.most_open <= (fleet.lag + 1) * fleet.tasks + fleet.actors * fleet.ahead


def test_ten_thousand_actors_cost_a_few_heap_operations_a_task_and_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: what the ledger does per event does not grow with the number of actors."""

    class CountingHeap:
        operations = 0

        @staticmethod
        def heappush(heap: list[Any], item: Any) -> None:
            CountingHeap.operations += 1
            heapq.heappush(heap, item)

        @staticmethod
        def heappop(heap: list[Any]) -> Any:
            CountingHeap.operations += 1
            return heapq.heappop(heap)

    monkeypatch.setattr(module, "heapq", CountingHeap)
    costs = []
    for actors in (100, 10_000):
        CountingHeap.operations = 0
        book = Ledger(TIMEOUT)
        for number in range(actors):
            book.join(f"actor-{number}")
        now, leases = 0.0, 0
        for update in range(5):
            tasks = [Task(update, Purpose.TRAINING, index) for index in range(actors)]
            book.open(tasks)
            given = [(f"actor-{number}", book.lease(f"actor-{number}", now)) for number in range(actors)]
            now += 1.0
            for actor, task in reversed(given):
                assert task is not None
                book.complete(actor, task, now)
                leases += 1
            book.close(tasks)
            assert remembered(book) <= 4 * leases
        costs.append(CountingHeap.operations / leases)
        assert remembered(book) <= 20 * actors, "alarms of leases long ended are forgotten as time passes"
    assert costs[0] == pytest.approx(costs[1], rel=0.2) and costs[1] <= 8.0


def test_what_the_ledger_remembers_does_not_grow_with_the_length_of_a_run() -> None:
    short = Fleet(seed=8, actors=10, updates=30, tasks=16, lag=1, leaves=0.02)
    long = Fleet(seed=8, actors=10, updates=300, tasks=16, lag=1, leaves=0.02)
    short.run()
    long.run()
    assert long.most_remembered <= 1.5 * short.most_remembered
