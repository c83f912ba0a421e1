"""Tasks in which actors die count like tasks that fail; tasks that actors are killed in do not."""

from __future__ import annotations

import asyncio
import logging

import pytest

from chorus.common.errors import TrainingFault
from chorus.common.tasks.task import Purpose, Task
from chorus.learner.tasks import failures
from chorus.learner.tasks.failures import Failures
from chorus.learner.tasks.ledger import Ledger, Verdict

TASK = Task(3, Purpose.TRAINING, 1)


class Run:
    """A ledger with one task, and what became of it."""

    def __init__(self) -> None:
        self.ledger = Ledger(60.0)
        self.ledger.open([TASK])
        self.given_up: list[TrainingFault] = []
        self.failures = Failures(self.ledger, 7, lambda task: f"replay {task.update}", self.given_up.append)

    def begin(self, name: str) -> None:
        self.ledger.join(name)
        assert self.ledger.lease(name, 0.0) == TASK

    def die(self, name: str, task: Task | None = TASK) -> bool:
        self.failures.left(name)
        self.ledger.leave(name)
        return asyncio.run(self.failures.fell(name, task, "exit code 139"))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "POLL_SECONDS", 0.0)


def test_a_task_in_which_three_actors_died_is_given_up_and_named() -> None:
    run = Run()
    for name in ("a", "b"):
        run.begin(name)
        assert run.die(name) and not run.given_up
    run.begin("a")
    assert run.die("a")
    told = str(run.given_up[0])
    assert str(TASK) in told and "exit code 139" in told and "seed 7" in told and told.endswith("replay 3")
    assert run.ledger.counts.balanced


def test_deaths_and_failures_of_one_task_count_together() -> None:
    run = Run()
    run.begin("a")
    run.die("a")
    for name in ("b", "c"):
        run.begin(name)
        run.failures.failed(name, TASK, "RuntimeError: out", "")
        if name == "b":
            assert not run.given_up
            run.ledger.leave(name)
    assert len(run.given_up) == 1


def test_a_task_that_another_has_done_meanwhile_is_not_suspected() -> None:
    run = Run()
    run.begin("a")
    run.failures.left("a")
    run.ledger.leave("a")
    run.begin("b")
    assert run.ledger.complete("b", TASK, 1.0) is Verdict.KEPT
    for _ in range(3):
        assert asyncio.run(run.failures.fell("a", TASK, "SIGSEGV"))
    assert not run.given_up
    assert run.ledger.suspect("a", TASK) is Verdict.REPEATED


def test_actors_that_leave_as_if_killed_give_up_nothing_but_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody knows how an actor on another machine ended: it may be its environment, or whoever tends the machine."""
    run = Run()
    with caplog.at_level(logging.WARNING):
        for number in range(50):
            name = f"actor-{number}"
            run.begin(name)
            run.failures.left(name)
            run.ledger.leave(name)
    assert not run.given_up
    (warning,) = [record for record in caplog.records if "again and again" in record.message]
    assert "environment.isolation=process" in vars(warning)["remedy"]


def test_an_actor_that_died_between_tasks_accuses_none() -> None:
    run = Run()
    run.ledger.join("a")
    assert not run.die("a", None), "it had played nothing"
    run.begin("a")
    run.ledger.complete("a", TASK, 1.0)
    assert run.die("a", None), "it had played something"
    assert not run.given_up
