"""What is written down of an update: a row for `metrics.csv`, a line for `batches.jsonl`, and the exported metrics."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from chorus.common.monitoring.metrics import LearnerMetrics
from chorus.common.tasks.task import Purpose, Task
from chorus.learner.storage.checkpoint import Counters
from chorus.learner.update.report import UpdateReport


def row(
    report: UpdateReport, counters: Counters, rate: float, evaluation: float | None, spent: tuple[float, float]
) -> dict[str, Any]:
    """An update's row by column (`chorus.learner.storage.run_folder.COLUMNS`).

    Args:
        report: of the update.
        counters: with this update counted.
        rate: agent-steps a second of this update.
        evaluation: mean mixed return of its evaluation; None if there was none.
        spent: seconds that the update waited for its batch, and that its step took.
    """
    total = report.totals
    return {
        "update": report.update,
        "env_steps": counters.env_steps,
        "agent_steps": counters.agent_steps,
        "seconds": round(counters.seconds, 3),
        "individual_return": report.individual_return,
        "team_return": report.team_return,
        "mixed_return": report.mixed_return,
        "episode_length": total.env_steps / total.episodes,
        "policy_version": report.version,
        "policy_lag": report.update - report.collected_by,
        "agent_steps_per_second": round(rate, 1),
        "evaluation_return": "" if evaluation is None else evaluation,
        "gradient_norm": report.gradient_norm,
        "clipped": report.clipped,
        "signal_to_noise": report.signal_to_noise,
        "loss": report.loss,
        "entropy": report.entropy,
        "explained_variance": report.explained_variance,
        "policy_disagreement": report.disagreement,
        "passes": report.passes,
        "kl": report.kl,
        "surrogate_clipped": report.surrogate_clipped,
        "importance_ratio_mean": report.ratio_mean,
        "importance_ratio_max": report.ratio_max,
        "learning_rate": report.learning_rate,
        "batch_seconds": round(spent[0], 6),
        "step_seconds": round(spent[1], 6),
    }


def batch(update: int, played: Mapping[Task, tuple[str, str]]) -> dict[str, Any]:
    """An update's line: every task with its actor and digest, and one digest over those that were trained on.

    Args:
        update: which.
        played: the update's tasks in order, each with the actor whose answer was kept and that answer's digest.
    """
    trained = "".join(digest for task, (_, digest) in played.items() if task.purpose is Purpose.TRAINING)
    return {
        "update": update,
        "digest": hashlib.sha256(trained.encode()).hexdigest(),
        "tasks": [
            {"purpose": task.purpose.name.lower(), "index": task.index, "actor": actor, "digest": digest}
            for task, (actor, digest) in played.items()
        ],
    }


def export(report: UpdateReport, evaluation: float | None, metrics: LearnerMetrics) -> None:
    """Bring the exported metrics up to date."""
    total = report.totals
    metrics.updates.inc()
    metrics.policy_version.set(report.version)
    metrics.policy_lag.set(report.update - report.collected_by)
    metrics.env_steps.inc(total.env_steps)
    metrics.agent_steps.inc(total.agent_steps)
    metrics.episodes.inc(total.episodes)
    metrics.returns.labels("individual").set(report.individual_return)
    metrics.returns.labels("team").set(report.team_return)
    metrics.returns.labels("mixed").set(report.mixed_return)
    metrics.episode_length.set(total.env_steps / total.episodes)
    metrics.gradient_norm.set(report.gradient_norm)
    metrics.clipped.set(report.clipped)
    metrics.signal_to_noise.set(report.signal_to_noise)
    metrics.entropy.set(report.entropy)
    metrics.explained_variance.set(report.explained_variance)
    metrics.disagreement.set(report.disagreement)
    metrics.passes.set(report.passes)
    metrics.kl.set(report.kl)
    metrics.surrogate_clipped.set(report.surrogate_clipped)
    metrics.ratio_mean.set(report.ratio_mean)
    metrics.ratio_max.set(report.ratio_max)
    metrics.learning_rate.set(report.learning_rate)
    if evaluation is not None:
        metrics.evaluation_return.set(evaluation)
