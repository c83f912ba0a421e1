"""The ledger of rollout tasks and leases: which actor plays which task, which are done, which must be repeated.

A state machine without clock, thread or socket: every method is an event, `now` is the caller's time in seconds,
and each operation takes logarithmic time, so the same code serves one actor and a hundred thousand.

A task is *pending* (no actor plays it), *leased* (one or more actors do) or *done*. It becomes pending again when its
last holder leaves, fails or passes the lease's deadline; a task that takes unusually long is leased a second time to
an actor that would otherwise be idle. The first result is kept; later ones are equal and are dropped. A result that
comes after its deadline counts like any other.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from chorus.common.tasks.task import Purpose, Task

FAILURES_ALLOWED = 3
BACKUP_AFTER = 3.0
DEADLINE_AFTER = 10.0
LEAST_PATIENCE = 0.5
SMOOTHING = 0.05


class Verdict(Enum):
    """What became of a result."""

    KEPT = "kept"
    REPEATED = "repeated"
    RETRIED = "retried"
    GIVEN_UP = "given up"


class NotLeased(Exception):
    """An actor sent a result for a task that was not leased to it."""


@dataclass
class Counts:
    """The accounts. At every moment `issued = completed + repeated + failed + requeued + outstanding`."""

    issued: int = 0
    completed: int = 0
    repeated: int = 0
    failed: int = 0
    requeued: int = 0
    outstanding: int = 0

    @property
    def balanced(self) -> bool:
        """Whether every lease is accounted for."""
        return self.issued == self.completed + self.repeated + self.failed + self.requeued + self.outstanding


@dataclass(slots=True)
class ActorRecord:
    """What the ledger knows of one actor.

    Attributes:
        only_audits: it plays audits only.
        auditor: it may take audits; one whose arithmetic is not the run's may not.
        leases: the tasks it holds, each with the time of the lease.
        overdue: those of them that are past their deadline.
        completed: how many of its results were kept.
    """

    only_audits: bool = False
    auditor: bool = True
    leases: dict[Task, float] = field(default_factory=dict)
    overdue: frozenset[Task] = frozenset()
    completed: int = 0


@dataclass(slots=True)
class _Entry:
    """One open task.

    Attributes:
        pending: no actor plays it and it is not done.
        done: a result was kept.
        late: a holder is slow, and the task was not given to a second actor yet.
        holders: the actors that play it and are not past the deadline.
        failures: the actors that failed at it, in order.
        barred: the actors that may not have it: those whose results an audit checks.
    """

    pending: bool = True
    done: bool = False
    late: bool = False
    holders: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()


_Alarm = tuple[float, bool, Task, str, float, float]
"""When to look at a lease again, and for what: the time, whether the deadline or only lateness is due then, the task,
the actor, when it was leased, its deadline. One at a time for each lease: most are over before the first."""


class Ledger:
    """See the module's head. Tasks are opened and closed by update; actors join, lease, answer and leave."""

    def __init__(self, timeout: float) -> None:
        """An empty ledger; `timeout` is the lease's deadline in seconds while no task's duration is known."""
        self.counts = Counts()
        self._timeout = timeout
        self._duration: float | None = None
        self._actors: dict[str, ActorRecord] = {}
        self._entries: dict[Task, _Entry] = {}
        self._open: dict[int, int] = {}
        self._pending: list[Task] = []
        self._alarms: list[_Alarm] = []
        self._late: list[Task] = []

    # -- tasks

    def open(self, tasks: Iterable[Task], barred: tuple[str, ...] = ()) -> None:
        """Make tasks available to be leased, to anybody but those `barred`."""
        for task in tasks:
            if task in self._entries:
                raise ValueError(f"{task} is open already")
            self._entries[task] = _Entry(barred=barred)
            self._open[task.update] = self._open.get(task.update, 0) + 1
            heapq.heappush(self._pending, task)

    def again(self, task: Task, barred: tuple[str, ...] = ()) -> None:
        """Have an open task that is done played once more, by anybody but those `barred`; its answer counts no more."""
        if not self._entries[task].done:
            raise ValueError(f"{task} is not done and cannot be played again")
        self._entries[task] = _Entry(barred=barred)
        self._open[task.update] += 1
        heapq.heappush(self._pending, task)

    def close(self, tasks: Iterable[Task]) -> None:
        """Forget tasks whose update is made; late answers to them count as repeated."""
        for task in tasks:
            if not self._entries.pop(task).done:
                raise ValueError(f"{task} is not done and cannot be closed")
            self._open.pop(task.update, None)

    def batch_ready(self, update: int) -> bool:
        """Whether every open task of an update is done."""
        return self._open.get(update) == 0

    def is_open(self, task: Task) -> bool:
        """Whether an answer to this task would be kept."""
        entry = self._entries.get(task)
        return entry is not None and not entry.done

    @property
    def pending(self) -> int:
        """Tasks that wait for an actor."""
        return len({task for task in self._pending if task in self._entries and self._entries[task].pending})

    @property
    def idle_work(self) -> bool:
        """Whether some task waits for an actor."""
        return any(self._entries[task].pending for task in self._pending if task in self._entries)

    # -- actors

    @property
    def actors(self) -> dict[str, ActorRecord]:
        """The actors that have joined and not left, by id."""
        return self._actors

    def join(self, actor: str, only_audits: bool = False, auditor: bool = True) -> None:
        """An actor is there and may lease."""
        if actor in self._actors:
            raise ValueError(f"actor {actor!r} has joined already")
        self._actors[actor] = ActorRecord(only_audits, auditor)

    def leave(self, actor: str) -> list[Task]:
        """An actor is gone; return the tasks that are pending again because of it."""
        record = self._actors.pop(actor)
        self.counts.outstanding -= len(record.leases)
        self.counts.requeued += len(record.leases)
        return [task for task in record.leases if self._release(actor, task)]

    # -- leases

    @property
    def may_lease(self) -> bool:
        """Whether there may be something to lease; if not, there is no need to ask for anybody."""
        return bool(self._pending or self._late)

    def lease(self, actor: str, now: float) -> Task | None:
        """Give the actor a task to play; None if there is none for it now.

        Tasks go out in order of update, then purpose, then index. A task that failed here goes to another actor first,
        if there is one that does not hang.
        """
        record = self._actors[actor]
        self.ring_alarms(now)
        task = self._take(self._pending, actor, pending=True) or self._take(self._late, actor, pending=False)
        if task is None:
            return None
        entry = self._entries[task]
        entry.pending = entry.late = False
        entry.holders += (actor,)
        record.leases[task] = now
        self.counts.issued += 1
        self.counts.outstanding += 1
        patience = self._patience(BACKUP_AFTER)
        deadline = now + max(patience, self._patience(DEADLINE_AFTER))
        heapq.heappush(self._alarms, (now + patience, False, task, actor, now, deadline))
        return task

    def complete(self, actor: str, task: Task, now: float) -> Verdict:
        """An actor played a task: KEPT if it was the first, REPEATED if an equal answer came before.

        Raises:
            NotLeased: the actor holds no lease on it.
        """
        record, since = self._end_lease(actor, task)
        if not self.is_open(task):
            self.counts.repeated += 1
            return Verdict.REPEATED
        entry = self._entries[task]
        entry.done, entry.pending = True, False
        self._open[task.update] -= 1
        self.counts.completed += 1
        record.completed += 1
        taken = now - since
        self._duration = taken if self._duration is None else self._duration + SMOOTHING * (taken - self._duration)
        return Verdict.KEPT

    def fail(self, actor: str, task: Task) -> Verdict:
        """An actor could not play a task: RETRIED elsewhere, or GIVEN_UP after three failures.

        Raises:
            NotLeased: the actor holds no lease on it.
        """
        self._end_lease(actor, task)
        self.counts.failed += 1
        if not self.is_open(task):
            return Verdict.REPEATED
        entry = self._entries[task]
        entry.failures += (actor,)
        self._release(actor, task)
        return Verdict.GIVEN_UP if len(entry.failures) >= FAILURES_ALLOWED else Verdict.RETRIED

    def suspect(self, actor: str, task: Task) -> Verdict:
        """An actor died of itself in a task and has left: as if the task had failed there, but that its lease is over.

        RETRIED elsewhere, GIVEN_UP after three failures, REPEATED if nothing waits for that task any more.
        """
        if not self.is_open(task):
            return Verdict.REPEATED
        entry = self._entries[task]
        entry.failures += (actor,)
        return Verdict.GIVEN_UP if len(entry.failures) >= FAILURES_ALLOWED else Verdict.RETRIED

    def stranded(self, task: Task) -> bool:
        """Whether a task waits and there is nobody who may have it."""
        entry = self._entries[task]
        return entry.pending and not any(self._eligible(actor, task, entry) for actor in self._actors)

    def next_alarm(self) -> float | None:
        """When a lease will next be late or past its deadline; idle actors should ask again then."""
        return self._alarms[0][0] if self._alarms else None

    # -- inside

    def _patience(self, factor: float) -> float:
        return self._timeout if self._duration is None else max(LEAST_PATIENCE, factor * self._duration)

    def _end_lease(self, actor: str, task: Task) -> tuple[ActorRecord, float]:
        record = self._actors.get(actor)
        if record is None or task not in record.leases:
            raise NotLeased(f"{actor!r} holds no lease on {task}")
        self.counts.outstanding -= 1
        if record.overdue:
            record.overdue -= {task}
        return record, record.leases.pop(task)

    def _release(self, actor: str, task: Task) -> bool:
        """Take the actor off the task's holders; make the task pending if that was the last."""
        entry = self._entries.get(task)
        if entry is None or entry.done:
            return False
        entry.holders = tuple(holder for holder in entry.holders if holder != actor)
        if entry.holders or entry.pending:
            return False
        entry.pending = True
        heapq.heappush(self._pending, task)
        return True

    def _take(self, queue: list[Task], actor: str, pending: bool) -> Task | None:
        """The first task of a queue that this actor may play; stale entries are dropped on the way."""
        passed: list[Task] = []
        found = None
        while queue and found is None:
            task = heapq.heappop(queue)
            entry = self._entries.get(task)
            if entry is None or entry.done or not (entry.pending if pending else entry.late):
                continue
            if self._welcome(actor, task, entry):
                found = task
            else:
                passed.append(task)
        for task in passed:
            heapq.heappush(queue, task)
        return found

    def _welcome(self, actor: str, task: Task, entry: _Entry) -> bool:
        """Whether an actor may have a task: it has not got it, nor failed at it while another might do better."""
        if task in self._actors[actor].leases or not self._eligible(actor, task, entry):
            return False
        return actor not in entry.failures or not any(
            name not in entry.failures and not record.overdue and self._eligible(name, task, entry)
            for name, record in self._actors.items()
        )

    def _eligible(self, actor: str, task: Task, entry: _Entry) -> bool:
        """Whether an actor is of the kind that such a task is for."""
        record = self._actors[actor]
        if task.purpose is Purpose.AUDIT:
            return record.auditor and actor not in entry.barred
        return not record.only_audits

    def ring_alarms(self, now: float) -> None:
        """See which leases are late or past their deadline by now; leasing does it by itself."""
        while self._alarms and self._alarms[0][0] <= now:
            _, deadline_due, task, actor, since, deadline = heapq.heappop(self._alarms)
            record, entry = self._actors.get(actor), self._entries.get(task)
            if record is None or record.leases.get(task) != since:
                continue
            if deadline_due:
                record.overdue |= {task}
                self._release(actor, task)
                continue
            heapq.heappush(self._alarms, (deadline, True, task, actor, since, deadline))
            if entry is not None and not entry.done:
                entry.late = True
                heapq.heappush(self._late, task)
