"""The ledger by tables of events: who is given what, when a task goes to another, what is kept and what is dropped."""

from __future__ import annotations

from typing import Any

import pytest

from chorus.common.tasks.task import Purpose, Task
from chorus.learner.tasks.ledger import BACKUP_AFTER, DEADLINE_AFTER, LEAST_PATIENCE, Ledger, NotLeased, Verdict

TIMEOUT = 100.0


def task(index: int, update: int = 0, purpose: Purpose = Purpose.TRAINING) -> Task:
    return Task(update, purpose, index)


def ledger(tasks: int, *actors: str) -> Ledger:
    """A ledger with so many open tasks of update 0 and these actors."""
    made = Ledger(TIMEOUT)
    made.open(task(index) for index in range(tasks))
    for actor in actors:
        made.join(actor)
    return made


def experienced(tasks: int, *actors: str, seconds: float = 1.0) -> Ledger:
    """One that knows how long a task takes, having seen one in update 0; the open ones are of update 1."""
    made = ledger(1, *actors)
    made.lease(actors[0], -seconds)
    made.complete(actors[0], task(0), 0.0)
    made.open(task(index, 1) for index in range(tasks))
    return made


# Each story is a list of (event, actor, argument, what must come of it); a lease's argument is the time, and what comes
# of it is the index of the task given.
STORIES: dict[str, tuple[int, list[tuple[str, str, Any, Any]]]] = {
    "tasks go out in order, one each": (
        3,
        [("lease", "a", 0, 0), ("lease", "b", 0, 1), ("lease", "a", 0, 2), ("lease", "b", 0, None)],
    ),
    "the tasks of one who leaves go out again, first": (
        3,
        [
            ("lease", "a", 0, 0),
            ("lease", "b", 0, 1),
            ("leave", "a", None, [0]),
            ("lease", "b", 1, 0),
            ("lease", "b", 1, 2),
        ],
    ),
    "an answer of one who left and came back is refused": (
        1,
        [("lease", "a", 0, 0), ("leave", "a", None, [0]), ("join", "a", None, None), ("complete", "a", 0, NotLeased)],
    ),
    "the second answer is dropped": (
        1,
        [
            ("lease", "a", 0, 0),
            ("lease", "b", TIMEOUT, 0),
            ("complete", "a", 0, Verdict.KEPT),
            ("complete", "b", 0, Verdict.REPEATED),
            ("complete", "b", 0, NotLeased),
        ],
    ),
    "the answer of one past the deadline is kept if it comes first": (
        1,
        [
            ("lease", "a", 0, 0),
            ("lease", "b", TIMEOUT, 0),
            ("complete", "a", 0, Verdict.KEPT),
            ("lease", "c", 300, None),
        ],
    ),
    "nobody is given a task before its deadline that another plays": (
        1,
        [("lease", "a", 0, 0), ("lease", "b", TIMEOUT - 0.001, None), ("lease", "b", TIMEOUT, 0)],
    ),
    "one past its deadline is not given the task again while it holds it": (
        1,
        [("lease", "a", 0, 0), ("lease", "a", TIMEOUT, None), ("lease", "a", 10 * TIMEOUT, None)],
    ),
    "a task whose first player hangs survives that its second player leaves": (
        1,
        [("lease", "a", 0, 0), ("lease", "b", TIMEOUT, 0), ("leave", "b", None, [0]), ("lease", "c", TIMEOUT, 0)],
    ),
    "a task whose first player hangs survives that its second player fails": (
        1,
        [
            ("lease", "a", 0, 0),
            ("lease", "b", TIMEOUT, 0),
            ("fail", "b", 0, Verdict.RETRIED),
            ("lease", "b", TIMEOUT, None),
            ("lease", "c", TIMEOUT, 0),
        ],
    ),
    "a task that failed goes to another first": (
        2,
        [
            ("lease", "a", 0, 0),
            ("fail", "a", 0, Verdict.RETRIED),
            ("lease", "a", 0, 1),
            ("lease", "a", 0, None),
            ("lease", "b", 0, 0),
        ],
    ),
    "a task that failed goes back to the same if all others failed too": (
        1,
        [
            ("lease", "a", 0, 0),
            ("fail", "a", 0, Verdict.RETRIED),
            ("lease", "b", 0, 0),
            ("fail", "b", 0, Verdict.RETRIED),
            ("leave", "c", None, []),
            ("lease", "a", 0, 0),
            ("fail", "a", 0, Verdict.GIVEN_UP),
        ],
    ),
    "three actors that fail give a task up": (
        1,
        [
            ("lease", "a", 0, 0),
            ("fail", "a", 0, Verdict.RETRIED),
            ("lease", "b", 0, 0),
            ("fail", "b", 0, Verdict.RETRIED),
            ("lease", "c", 0, 0),
            ("fail", "c", 0, Verdict.GIVEN_UP),
        ],
    ),
    "a failure after another's answer is no failure of the task": (
        1,
        [
            ("lease", "a", 0, 0),
            ("lease", "b", TIMEOUT, 0),
            ("complete", "b", 0, Verdict.KEPT),
            ("fail", "a", 0, Verdict.REPEATED),
        ],
    ),
    "a task that failed does not wait for actors that hang": (
        3,
        [
            ("lease", "b", 0, 0),
            ("lease", "c", 0, 1),
            ("lease", "a", 1, 2),
            ("fail", "a", 2, Verdict.RETRIED),
            ("lease", "a", 2, None),
            ("complete", "a", 2, NotLeased),
            ("lease", "a", TIMEOUT, 0),
            ("lease", "a", TIMEOUT, 1),
            ("lease", "a", TIMEOUT, 2),
        ],
    ),
    "one that hung and answered after all is counted on again": (
        2,
        [
            ("lease", "b", 0, 0),
            ("leave", "c", None, []),
            ("lease", "a", TIMEOUT, 0),
            ("complete", "b", 0, Verdict.KEPT),
            ("lease", "a", TIMEOUT, 1),
            ("fail", "a", 1, Verdict.RETRIED),
            ("lease", "a", TIMEOUT, None),
            ("lease", "b", TIMEOUT, 1),
        ],
    ),
    "strangers are refused": (
        1,
        [("complete", "a", 0, NotLeased), ("fail", "a", 0, NotLeased), ("complete", "nobody", 0, NotLeased)],
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_what_happens_when(name: str) -> None:
    tasks, events = STORIES[name]
    book = ledger(tasks, "a", "b", "c")
    now = 0.0
    for number, (event, actor, argument, outcome) in enumerate(events):
        found: Any = None
        if event == "lease":
            now = float(argument)
            given = book.lease(actor, now)
            found = None if given is None else given.index
        elif event == "join":
            book.join(actor)
        elif event == "leave":
            found = [back.index for back in book.leave(actor)]
        else:
            try:
                found = (
                    book.complete(actor, task(argument), now)
                    if event == "complete"
                    else book.fail(actor, task(argument))
                )
            except NotLeased:
                found = NotLeased
        assert found == outcome, f"event {number}: {event} {actor} {argument}"
        assert book.counts.balanced


def test_tasks_go_out_by_update_then_purpose_then_index() -> None:
    book = Ledger(TIMEOUT)
    book.join("a")
    names = [
        task(update=update, purpose=purpose, index=index)
        for update in (0, 1)
        for purpose in (Purpose.TRAINING, Purpose.EVALUATION)
        for index in (0, 1, 10)
    ]
    for name in reversed(names):
        book.open([name])
    assert [book.lease("a", 0.0) for _ in names] == names


def test_a_straggler_is_helped_by_an_idle_actor_after_three_times_the_usual_duration_and_only_once() -> None:
    book = experienced(1, "a", "b", "c", "d", seconds=2.0)
    assert book.lease("a", 0.0) == task(0, 1)
    assert book.lease("b", 2.0 * BACKUP_AFTER - 0.01) is None
    assert book.next_alarm() == 2.0 * BACKUP_AFTER
    assert book.lease("b", 2.0 * BACKUP_AFTER) == task(0, 1)
    assert book.lease("c", 2.0 * BACKUP_AFTER) is None
    assert book.complete("b", task(0, 1), 7.0) is Verdict.KEPT
    assert book.complete("a", task(0, 1), 8.0) is Verdict.REPEATED


def test_helpers_are_sent_only_when_there_is_nothing_else_to_do() -> None:
    book = experienced(2, "a", "b")
    assert book.lease("a", 0.0) == task(0, 1)
    assert book.lease("b", 5.0) == task(1, 1)
    assert book.lease("b", 5.0) == task(0, 1)


def test_a_straggler_that_is_gone_is_no_reason_to_help_who_took_over() -> None:
    book = experienced(2, "a", "b", "c", "d")
    book.lease("a", 0.0)
    book.lease("b", 4.0)  # notices that a is late, and takes the other task
    book.leave("a")
    assert book.lease("c", 4.0) == task(0, 1)
    assert book.lease("d", 4.0) is None, "c has only just begun"


def test_the_deadline_follows_the_measured_durations() -> None:
    book = experienced(1, "a", "b", "c", seconds=2.0)
    book.lease("a", 0.0)
    book.lease("b", 2.0 * BACKUP_AFTER)
    assert book.lease("c", 2.0 * DEADLINE_AFTER - 0.01) == task(0, 1), "b is late too"
    assert not book.actors["a"].overdue
    book.lease("c", 2.0 * DEADLINE_AFTER)
    assert book.actors["a"].overdue == {task(0, 1)}


def test_very_short_tasks_are_not_played_twice_for_a_moment_of_delay() -> None:
    book = experienced(1, "a", "b", seconds=1e-4)
    book.lease("a", 0.0)
    assert book.lease("b", LEAST_PATIENCE - 0.01) is None
    assert book.lease("b", LEAST_PATIENCE) == task(0, 1)


def test_a_lease_taken_anew_is_not_judged_by_the_alarms_of_an_earlier_one() -> None:
    book = experienced(1, "a", "b", "c")
    book.lease("a", 0.0)
    book.leave("a")
    book.join("a")
    book.lease("a", 2.0)
    assert book.lease("b", 4.0) is None
    assert book.lease("b", 2.0 + BACKUP_AFTER) == task(0, 1)


def test_a_batch_is_ready_when_each_of_its_tasks_is_kept_and_late_answers_to_it_are_dropped() -> None:
    book = ledger(2, "a", "b")
    book.open([task(0, update=1)])
    book.lease("a", 0.0)
    book.lease("a", 0.0)
    assert not book.batch_ready(0)
    book.complete("a", task(1), 1.0)
    assert not book.batch_ready(0)
    book.lease("b", 1000.0)
    book.lease("b", 1000.0)
    book.complete("b", task(0), 1000.0)
    assert book.batch_ready(0) and not book.batch_ready(1) and not book.batch_ready(2)
    book.close([task(0), task(1)])
    assert not book.batch_ready(0), "it is closed"
    assert book.complete("a", task(0), 1001.0) is Verdict.REPEATED
    assert book.counts.completed == 2 and book.counts.repeated == 1 and book.counts.balanced


def test_programming_errors_are_not_swallowed() -> None:
    book = ledger(1, "a")
    with pytest.raises(ValueError, match="open already"):
        book.open([task(0)])
    with pytest.raises(ValueError, match="joined already"):
        book.join("a")
    with pytest.raises(ValueError, match="not done"):
        book.close([task(0)])


def test_idle_work_says_whether_somebody_is_needed() -> None:
    book = ledger(1, "a", "b")
    found = [book.idle_work]
    book.lease("a", 0.0)
    found.append(book.idle_work)
    book.leave("a")
    found.append(book.idle_work)
    book.lease("b", 0.0)
    book.complete("b", task(0), 1.0)
    found.append(book.idle_work)
    assert found == [True, False, True, False]
