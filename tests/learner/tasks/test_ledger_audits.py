"""Second runs, as the ledger sees them: leases of their own, for anybody but the one they check."""

from chorus.common.tasks.task import Purpose, Task
from chorus.learner.tasks.ledger import Ledger, Verdict

TASK = Task(0, Purpose.TRAINING, 0)
AUDIT = Task(0, Purpose.AUDIT, 0)


def audited(*actors: str) -> Ledger:
    """A ledger in which `first` has played the only task, which is to be audited."""
    ledger = Ledger(timeout=60.0)
    ledger.open([TASK])
    for actor in ("first", *actors):
        ledger.join(actor)
    assert ledger.lease("first", 0.0) == TASK
    assert ledger.complete("first", TASK, 1.0) is Verdict.KEPT
    ledger.open([AUDIT], barred=("first",))
    return ledger


def test_a_batch_waits_for_its_audits_and_they_go_to_another_actor() -> None:
    ledger = audited("second")
    assert not ledger.batch_ready(0)
    assert ledger.lease("first", 1.0) is None
    assert ledger.lease("second", 1.0) == AUDIT
    assert ledger.complete("second", AUDIT, 2.0) is Verdict.KEPT
    assert ledger.batch_ready(0)
    ledger.close([TASK, AUDIT])
    assert ledger.counts.balanced


def test_an_audit_that_nobody_may_play_is_stranded_until_somebody_comes() -> None:
    ledger = audited()
    assert ledger.stranded(AUDIT)
    ledger.join("unlike", auditor=False)
    assert ledger.stranded(AUDIT)
    assert ledger.lease("unlike", 1.0) is None
    ledger.join("auditor", only_audits=True)
    assert not ledger.stranded(AUDIT)
    ledger.open([Task(1, Purpose.TRAINING, 0)])
    assert ledger.lease("auditor", 1.0) == AUDIT
    assert ledger.lease("auditor", 1.0) is None, "it takes nothing but audits"


def test_an_audit_that_failed_is_tried_again_by_the_only_one_who_may() -> None:
    """The one that is audited has not failed at it, but that is no reason to wait for it."""
    ledger = audited("second")
    for verdict in (Verdict.RETRIED, Verdict.RETRIED, Verdict.GIVEN_UP):
        assert ledger.lease("second", 1.0) == AUDIT
        assert ledger.fail("second", AUDIT) is verdict
