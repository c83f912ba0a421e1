"""What is written down of a run as it goes on: a row for each update, who played its tasks, and checkpoints.

Not here: the files themselves (`storage/`), nor when anything is due (`coordinator.py`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import msgspec

from chorus.common.monitoring.metrics import LearnerMetrics
from chorus.common.policy.weights import PolicyVersion
from chorus.common.settings.config import Config
from chorus.common.tasks.task import Purpose, Task
from chorus.learner.answers import Answers
from chorus.learner.storage import record
from chorus.learner.storage.checkpoint import Checkpoint, Counters
from chorus.learner.storage.elsewhere import Elsewhere
from chorus.learner.storage.run_folder import RunFolder
from chorus.learner.update.episode_totals import add_totals, mean_returns
from chorus.learner.update.report import UpdateReport
from chorus.learner.update.symptoms import Symptoms
from chorus.learner.update.training import Training


@dataclass(frozen=True)
class Progress:
    """The state of the run after an update."""

    report: UpdateReport
    row: dict[str, Any]
    actors: int
    warnings: tuple[str, ...] = ()
    """Signs that training goes wrong, each told once."""


class Bookkeeper:
    """Keeps the record of one run, in its folder; process 0 of a group alone has one."""

    def __init__(
        self, config: Config, folder: RunFolder | Elsewhere, counters: Counters, metrics: LearnerMetrics
    ) -> None:
        """Go on from `counters`."""
        self._config = config
        self._folder = folder
        self._counters = counters
        self._metrics = metrics
        self._symptoms = Symptoms(config)
        self._began = time.monotonic() - counters.seconds
        self._last_update = time.monotonic()
        self._saved = -1

    def note(
        self,
        report: UpdateReport,
        tasks: list[Task],
        answers: Answers,
        spent: tuple[float, float],
        version: PolicyVersion,
        actors: int,
    ) -> Progress:
        """Write down an update; its answers are taken out of `answers`.

        Args:
            report: of the update.
            tasks: all of the update, of every process.
            answers: to them.
            spent: seconds that its batch and its step took.
            version: that it made.
            actors: how many are connected.
        """
        now = time.monotonic()
        counters, total = self._counters, report.totals
        rate = total.agent_steps / max(now - self._last_update, 1e-9)
        self._last_update = now
        self._counters = msgspec.structs.replace(
            counters,
            update=report.version,
            env_steps=counters.env_steps + total.env_steps,
            agent_steps=counters.agent_steps + total.agent_steps,
            seconds=now - self._began,
        )
        evaluations = [answers.evaluated.pop(task) for task in tasks if task.purpose is Purpose.EVALUATION]
        evaluation = mean_returns(add_totals(evaluations), self._config, report.update)[2] if evaluations else None
        row = record.row(report, self._counters, rate, evaluation, spent)
        played = {task: answers.players.pop(task) for task in tasks}
        if isinstance(self._folder, RunFolder):
            self._folder.add(row, record.batch(report.update, played))
        record.export(report, evaluation, self._metrics)
        return Progress(report, row, actors, self._symptoms.look(report, version))

    def checkpoint(self, training: Training) -> Checkpoint | None:
        """What to save of where the training stands; None if that is saved, or another process's to save."""
        if self._saved == training.update or isinstance(self._folder, Elsewhere):
            return None
        metrics_bytes, batches_bytes = self._folder.record_lengths()
        counters = msgspec.structs.replace(
            self._counters, update=training.update, metrics_bytes=metrics_bytes, batches_bytes=batches_bytes
        )
        return Checkpoint(counters, dict(training.versions), training.optimiser_state)

    def saved(self, checkpoint: Checkpoint) -> None:
        """It lies in the run folder."""
        self._saved = checkpoint.counters.update
        self._metrics.checkpoint_time.set_to_current_time()
