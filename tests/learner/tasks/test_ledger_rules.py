"""The ledger held to a slow second ledger that keeps plain sets, over random lives of actors."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chorus.common.tasks.task import Purpose, Task
from chorus.learner.tasks.ledger import (
    BACKUP_AFTER,
    DEADLINE_AFTER,
    FAILURES_ALLOWED,
    LEAST_PATIENCE,
    SMOOTHING,
    Ledger,
    NotLeased,
    Verdict,
)

TIMEOUT = 60.0
NAMES = [f"actor-{number}" for number in range(6)]


@dataclass
class Lease:
    """One lease as the slow ledger sees it: when it is late, whether that was noticed, and when it is overdue."""

    since: float
    late_at: float
    overdue_at: float
    noticed: bool = False


@dataclass
class SlowLedger:
    """All open tasks in a list, all leases in a dict; every question is answered by looking at everything."""

    tasks: dict[Task, bool] = field(default_factory=dict)
    failures: dict[Task, list[str]] = field(default_factory=dict)
    leases: dict[tuple[str, Task], Lease] = field(default_factory=dict)
    slow: set[Task] = field(default_factory=set)
    actors: list[str] = field(default_factory=list)
    duration: float | None = None
    now: float = 0.0
    looked: float = 0.0

    def overdue(self, actor: str, task: Task) -> bool:
        return self.leases[actor, task].overdue_at <= self.looked

    def pending(self, task: Task) -> bool:
        """Whether nobody plays it who is not past the deadline."""
        return all(self.overdue(*key) for key in self.leases if key[1] == task)

    def hangs(self, actor: str) -> bool:
        return any(self.overdue(*key) for key in self.leases if key[0] == actor)

    def welcome(self, actor: str, task: Task) -> bool:
        """Whether the actor may have it: it does not play it already, nor failed at it while another might not."""
        if (actor, task) in self.leases:
            return False
        fresh = [other for other in self.actors if other not in self.failures[task] and not self.hangs(other)]
        return actor not in self.failures[task] or not fresh

    def next(self, actor: str) -> Task | None:
        self.looked = self.now
        for (_, task), lease in self.leases.items():
            if lease.late_at <= self.now and not lease.noticed:
                lease.noticed = True
                self.slow.add(task)
        open_tasks = [task for task, done in self.tasks.items() if not done and self.welcome(actor, task)]
        pending = [task for task in open_tasks if self.pending(task)]
        late = [task for task in open_tasks if not self.pending(task) and task in self.slow]
        return min(pending) if pending else min(late) if late else None

    def lease(self, actor: str, task: Task) -> None:
        self.slow.discard(task)
        if self.duration is None:
            late, overdue = TIMEOUT, TIMEOUT
        else:
            late = max(LEAST_PATIENCE, BACKUP_AFTER * self.duration)
            overdue = max(LEAST_PATIENCE, DEADLINE_AFTER * self.duration)
        self.leases[actor, task] = Lease(self.now, self.now + late, self.now + overdue)

    def kept(self, actor: str, task: Task) -> None:
        taken = self.now - self.leases[actor, task].since
        self.duration = taken if self.duration is None else self.duration + SMOOTHING * (taken - self.duration)
        self.tasks[task] = True


class Lives(RuleBasedStateMachine):
    """Actors join, ask, answer, fail, hang and leave in any order; batches open and close."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(TIMEOUT)
        self.slow = SlowLedger()
        self.update = 0
        self.kept: dict[Task, int] = {}
        self.tally = dict.fromkeys(("issued", "completed", "repeated", "failed", "requeued"), 0)

    @initialize(actors=st.integers(1, 4), tasks=st.integers(1, 3), experienced=st.booleans())
    def begin(self, actors: int, tasks: int, experienced: bool) -> None:
        """Some have joined and there is work; if the ledger is experienced, it knows that a task takes a second."""
        for actor in NAMES[:actors]:
            self.join(actor)
        self.open_a_batch(1 if experienced else tasks, 0)
        if experienced:
            only = Task(0, Purpose.TRAINING, 0)
            assert self.ledger.lease(NAMES[0], 0.0) == only
            self.slow.lease(NAMES[0], only)
            self.slow.now = 1.0
            assert self.ledger.complete(NAMES[0], only, 1.0) is Verdict.KEPT
            self.slow.kept(NAMES[0], only)
            del self.slow.leases[NAMES[0], only]
            self.tally["issued"] = self.tally["completed"] = self.kept[only] = 1
            self.open_a_batch(tasks, 0)

    @precondition(lambda self: self.update - min((task.update for task in self.slow.tasks), default=self.update) < 3)
    @rule(tasks=st.integers(1, 4), evaluations=st.integers(0, 2))
    def open_a_batch(self, tasks: int, evaluations: int) -> None:
        batch = [Task(self.update, Purpose.TRAINING, index) for index in range(tasks)]
        batch += [Task(self.update, Purpose.EVALUATION, index) for index in range(evaluations)]
        self.ledger.open(batch)
        for task in batch:
            self.slow.tasks[task], self.slow.failures[task] = False, []
        self.update += 1

    @precondition(lambda self: self.slow.tasks)
    @rule()
    def close_the_first_batch_if_it_is_ready(self) -> None:
        first = min(task.update for task in self.slow.tasks)
        batch = [task for task in self.slow.tasks if task.update == first]
        ready = all(self.slow.tasks[task] for task in batch)
        assert self.ledger.batch_ready(first) == ready
        if ready:
            self.ledger.close(batch)
            for task in batch:
                del self.slow.tasks[task], self.slow.failures[task]

    @rule(seconds=st.sampled_from([0.0, 0.6, 4.0, 11.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.slow.now += seconds

    @rule(actor=st.sampled_from(NAMES))
    def join(self, actor: str) -> None:
        if actor in self.slow.actors:
            with pytest.raises(ValueError, match="joined already"):
                self.ledger.join(actor)
        else:
            self.ledger.join(actor)
            self.slow.actors.append(actor)

    @precondition(lambda self: self.slow.actors)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        actor = data.draw(st.sampled_from(self.slow.actors))
        held = [task for other, task in self.slow.leases if other == actor]
        was_pending = {task: self.slow.pending(task) for task in held}
        for task in held:
            del self.slow.leases[actor, task]
        self.slow.actors.remove(actor)
        self.tally["requeued"] += len(held)
        back = [
            task
            for task in held
            if self.slow.tasks.get(task) is False and self.slow.pending(task) and not was_pending[task]
        ]
        assert sorted(self.ledger.leave(actor)) == sorted(back)

    @precondition(lambda self: self.slow.actors)
    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        actor = data.draw(st.sampled_from(self.slow.actors))
        expected = self.slow.next(actor)
        given = self.ledger.lease(actor, self.slow.now)
        assert given == expected
        if given is not None:
            assert (actor, given) not in self.slow.leases, "no actor gets a task that it has already"
            self.slow.lease(actor, given)
            self.tally["issued"] += 1

    @precondition(lambda self: self.slow.leases)
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        actor, task = data.draw(st.sampled_from(list(self.slow.leases)))
        first = self.slow.tasks.get(task) is False
        assert self.ledger.complete(actor, task, self.slow.now) is (Verdict.KEPT if first else Verdict.REPEATED)
        if first:
            self.kept[task] = self.kept.get(task, 0) + 1
            self.slow.kept(actor, task)
        self.tally["completed" if first else "repeated"] += 1
        del self.slow.leases[actor, task]
        with pytest.raises(NotLeased):
            self.ledger.complete(actor, task, self.slow.now)

    @precondition(lambda self: self.slow.leases)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        actor, task = data.draw(st.sampled_from(list(self.slow.leases)))
        del self.slow.leases[actor, task]
        self.tally["failed"] += 1
        verdict = self.ledger.fail(actor, task)
        with pytest.raises(NotLeased):
            self.ledger.fail(actor, task)
        if self.slow.tasks.get(task) is not False:
            assert verdict is Verdict.REPEATED
            return
        self.slow.failures[task].append(actor)
        given_up = len(self.slow.failures[task]) >= FAILURES_ALLOWED
        assert verdict is (Verdict.GIVEN_UP if given_up else Verdict.RETRIED)

    @invariant()
    def the_accounts_balance(self) -> None:
        counts = self.ledger.counts
        assert counts.balanced
        assert counts.outstanding == len(self.slow.leases)
        assert {name: getattr(counts, name) for name in self.tally} == self.tally

    @invariant()
    def what_the_ledger_shows_is_so(self) -> None:
        assert list(self.ledger.actors) == self.slow.actors
        for actor, record in self.ledger.actors.items():
            assert set(record.leases) == {task for other, task in self.slow.leases if other == actor}
        for task, done in self.slow.tasks.items():
            assert self.ledger.is_open(task) is not done

    @invariant()
    def no_task_is_kept_twice(self) -> None:
        assert set(self.kept.values()) <= {1}

    def teardown(self) -> None:
        """Whatever has happened, three sound actors (for tasks that failed) finish all there is, others hanging on."""
        self.slow.now += 1e6
        sound = ["sound-1", "sound-2", "sound-3"]
        for actor in sound:
            self.ledger.join(actor)
        for _ in range(len(self.slow.tasks)):
            for actor in sound:
                task = self.ledger.lease(actor, self.slow.now)
                if task is not None:
                    assert self.ledger.complete(actor, task, self.slow.now) is Verdict.KEPT
                    self.kept[task] = self.kept.get(task, 0) + 1
        assert not any(self.ledger.is_open(task) for task in self.slow.tasks), "a task was lost"
        assert set(self.kept.values()) <= {1}
        for update in {task.update for task in self.slow.tasks}:
            assert self.ledger.batch_ready(update)
        assert self.ledger.counts.balanced


Lives.TestCase.settings = settings(max_examples=300, stateful_step_count=50, deadline=None)
test_every_task_completes_exactly_once_whatever_actors_do = Lives.TestCase
