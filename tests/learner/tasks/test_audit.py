"""Two runs that differ do not say who is wrong; a third does."""

import numpy as np
import pytest

from chorus.common.tasks.task import Purpose, Task
from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.tasks.audit import Audits, Decision, Difference, Run, audit_of
from chorus.learner.tasks.ledger import Ledger, Verdict

TASK = Task(0, Purpose.TRAINING, 0)
AUDIT = audit_of(TASK)
ACTORS = ("first", "second", "third")


def run(actor: str, reward: float) -> Run:
    flags = np.zeros((1, 1, 1), np.bool_)
    floats = np.zeros((1, 1, 1), np.float32)
    trajectory = Trajectory(
        task=TASK,
        version=0,
        observations=floats[..., None],
        actions=np.zeros((1, 1, 1, 1), np.int32),
        log_probabilities=floats,
        acted=~flags,
        individual_rewards=floats + np.float32(reward),
        team_rewards=floats[..., 0],
        terminated=flags,
        truncated=flags,
        lengths=np.ones(1, np.int32),
        action_masks=np.zeros((0, 0, 0, 0), np.bool_),
    )
    return Run(actor, f"digest of {reward}", trajectory)


def played(ledger: Ledger, actor: str, task: Task) -> None:
    assert ledger.lease(actor, 0.0) == task
    assert ledger.complete(actor, task, 1.0) is Verdict.KEPT


def decided(rewards: tuple[float, float, float]) -> tuple[Audits, Difference, Decision]:
    """What is said of the three runs of one task in which the actors got these rewards."""
    ledger = Ledger(timeout=60.0)
    ledger.open([TASK])
    for actor in ACTORS:
        ledger.join(actor)
    audits = Audits(0, 1.0, ledger)
    played(ledger, "first", TASK)
    assert audits.consider(run("first", rewards[0]))
    played(ledger, "second", AUDIT)
    difference = audits.compare(AUDIT, run("second", rewards[1]))
    assert isinstance(difference, Difference)
    assert not ledger.batch_ready(0), "the batch waits for who is right"
    assert ledger.lease("first", 2.0) is None
    assert ledger.lease("second", 2.0) is None
    played(ledger, "third", AUDIT)
    decision = audits.compare(AUDIT, run("third", rewards[2]))
    assert isinstance(decision, Decision)
    assert ledger.batch_ready(0)
    ledger.close([TASK, *audits.close(0)])
    assert ledger.counts.balanced
    return audits, difference, decision


@pytest.mark.parametrize(
    ("rewards", "liar", "true"), [((2.0, 1.0, 1.0), "first", "second"), ((1.0, 2.0, 1.0), "second", "first")]
)
def test_who_stands_alone_against_two_equal_runs_is_named(
    rewards: tuple[float, float, float], liar: str, true: str
) -> None:
    audits, difference, decision = decided(rewards)
    assert "individual_rewards[0, 0, 0] is" in difference.where
    assert decision.liar == liar
    assert audits.liars == [liar]
    assert decision.true is not None and decision.true.actor == true
    assert f"it is {liar!r} that is wrong" in str(decision)
    assert (audits.done, audits.unequal) == (1, 1), "one task was audited, however often it was run"


def test_where_all_three_differ_nobody_is_named() -> None:
    audits, _, decision = decided((1.0, 2.0, 3.0))
    assert decision.liar == "" and decision.true is None and audits.liars == []
    assert "like neither" in str(decision)
