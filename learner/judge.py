"""What follows when a task is played twice and the two runs differ: it is told, and a third run names who is wrong.

Whether and when a task is audited, and what two or three runs say, is `tasks/audit.py`; here is what is done about it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Protocol

from chorus.common.errors import TrainingFault
from chorus.common.monitoring.metrics import LearnerMetrics
from chorus.common.settings.config import Config
from chorus.common.tasks.task import Task
from chorus.learner.answers import Answers
from chorus.learner.tasks.audit import Audits, Decision, Run
from chorus.learner.tasks.dispatcher import Dispatcher
from chorus.learner.tasks.ledger import Ledger

log = logging.getLogger("chorus.learner")


class Court(Protocol):
    """What a judge asks of the run."""

    @property
    def applied(self) -> int:
        """The last update whose batch has been learned from, or is just being."""

    def keep(self, run: Run) -> None:
        """Learn from this answer to a task."""

    def mark_irreproducible(self, reason: str) -> None:
        """Say wherever the run is reported that it cannot be reproduced."""

    def stop_for(self, fault: BaseException) -> None:
        """End the run by this fault."""


@dataclass
class Judge:
    """Compares audits with the first runs, and acts on what comes of it.

    Attributes:
        barred: actors that play no more.
    """

    config: Config
    audits: Audits
    ledger: Ledger
    dispatcher: Dispatcher
    answers: Answers
    metrics: LearnerMetrics
    court: Court
    barred: set[str] = field(default_factory=set)

    def compare(self, audit: Task, run: Run) -> None:
        """See that a task came out equal on two actors; if not, say so, and have a third say which is wrong."""
        found = self.audits.compare(audit, run)
        if isinstance(found, Decision):
            self._decide(found)
            return
        self.metrics.audits.labels("unequal" if found else "equal").inc()
        if found is None:
            return
        log.error(
            "audit failed",
            extra={"task": str(found.task), "first": found.first, "second": found.second, "difference": found.where},
        )
        self.court.mark_irreproducible(f"audit: {found}")
        self.dispatcher.give_out()

    def _decide(self, decision: Decision) -> None:
        """A third run has said who is wrong, or that nobody is right: learn from the true one; bar, or stop."""
        log.error(
            "audit decided",
            extra={"task": str(decision.difference.task), "liar": decision.liar, "third": decision.third},
        )
        if decision.true is not None:
            self.metrics.audits.labels("named").inc()
            self.court.mark_irreproducible(f"audit: {decision}")
            if decision.true.actor != self.answers.players[decision.true.trajectory.task][0]:
                self.court.keep(decision.true)
            if self.config.audit.bar:
                self._bar(decision)
        if self.config.audit.stop:
            cause = f"{decision.liar!r} alters what it plays" if decision.liar else "the environment draws on its own"
            self.court.stop_for(TrainingFault(f"audit: {decision}; {cause}"))

    def _bar(self, decision: Decision) -> None:
        """Let an actor play no more, and others play what it played and nobody has learned from or checks."""
        self.barred.add(decision.liar)
        for task in self.answers.played_by(decision.liar, self.court.applied):
            if not self.audits.audits(task):
                self.answers.forget(task)
                self.ledger.again(task)
        self.dispatcher.bar(decision.liar, str(decision))
        self.dispatcher.give_out()
