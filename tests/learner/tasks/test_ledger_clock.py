"""Time that jumps, as the ledger sees it: a machine that slept, a process that was stopped."""

from chorus.common.tasks.task import Purpose, Task
from chorus.learner.tasks.ledger import Ledger, Verdict

TASKS = [Task(0, Purpose.TRAINING, index) for index in range(4)]


def test_a_jump_forward_gives_every_task_out_again_and_still_keeps_each_answer_once() -> None:
    ledger = Ledger(timeout=60.0)
    ledger.open(TASKS)
    for actor in ("first", "second"):
        ledger.join(actor)
    held = [ledger.lease("first", 0.0) for _ in range(4)]
    again = [ledger.lease("second", 1e9) for _ in range(4)]
    assert held == again == TASKS
    for task in TASKS:
        assert ledger.complete("first", task, 1e9) is Verdict.KEPT
        assert ledger.complete("second", task, 1e9) is Verdict.REPEATED
    assert ledger.counts.balanced
    assert ledger.counts.completed == ledger.counts.repeated == 4


def test_one_that_comes_back_after_a_jump_alone_is_not_given_what_it_holds() -> None:
    ledger = Ledger(timeout=60.0)
    ledger.open(TASKS)
    ledger.join("only")
    assert [ledger.lease("only", 0.0) for _ in range(4)] == TASKS
    assert ledger.lease("only", 1e9) is None
    assert all(ledger.complete("only", task, 1e9) is Verdict.KEPT for task in TASKS)
    assert ledger.batch_ready(0)


def test_time_that_stands_still_or_runs_back_loses_nothing() -> None:
    ledger = Ledger(timeout=60.0)
    ledger.open(TASKS)
    ledger.join("only")
    for now, task in zip((100.0, 100.0, 50.0, -1e6), TASKS, strict=True):
        assert ledger.lease("only", now) == task
        assert ledger.complete("only", task, now - 1.0) is Verdict.KEPT
    assert ledger.counts.balanced
    assert ledger.batch_ready(0)
