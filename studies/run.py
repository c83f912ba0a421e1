"""One training run by the pure core alone: play, differentiate, step, in one process and one thread.

What comes out is, byte for byte, what a learner and its actors would have made of the same configuration, so that a
study measures learning and not scheduling.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np

from chorus.actor.rollout import Player
from chorus.common.environments import make
from chorus.common.errors import TrainingFault
from chorus.common.policy.sharing import divide
from chorus.common.settings import config as configuration
from chorus.common.settings.config import Config
from chorus.common.tasks.task import Purpose, Task
from chorus.learner.update.episode_totals import episode_totals, mean_returns
from chorus.learner.update.report import UpdateReport
from chorus.learner.update.training import Training, first_version

Json = dict[str, Any]

WATCHED = (
    "gradient_norm",
    "clipped",
    "explained_variance",
    "entropy",
    "ratio_mean",
    "ratio_max",
    "kl",
    "surrogate_clipped",
)
"""What a curve keeps of the reports of updates: their means between one evaluation and the next."""


@dataclass
class Spent:
    """What a run has used so far.

    Attributes:
        updates: done.
        env_steps: played to learn from.
        seconds: of this process's own processor time, in playing and learning; evaluations are left out.
        reports: of the updates since the last evaluation.
    """

    updates: int = 0
    env_steps: int = 0
    seconds: float = 0.0
    reports: list[UpdateReport] = field(default_factory=list)


def train(
    config: Config, every: int = 0, on_evaluation: Callable[[Training, Player, Spent], None] | None = None
) -> Training:
    """Train from update 0 to the last.

    Args:
        config: of the run, resolved or not.
        every: updates between calls of `on_evaluation`; it is also called before the first and after the last.
        on_evaluation: told how the run stands; the time that it takes is not counted.

    Raises:
        TrainingFault: a gradient is not finite.
    """
    environment = make(config.environment.spec)
    try:
        spec = environment.spec
        config = configuration.resolve(config, spec)
        policies = divide(spec, config.sharing, config.network)
        training = Training(config, spec, policies, {0: first_version(config, policies)})
        player = Player(environment, policies, config.seed, instances=config.instances)
        spent = Spent()
        while True:
            done = spent.updates == config.updates
            if on_evaluation is not None and (done or (every and spent.updates % every == 0)):
                on_evaluation(training, player, spent)
                spent.reports.clear()
            if done:
                return training
            began = time.process_time()
            report = update(training, player)
            spent.seconds += time.process_time() - began
            spent.updates += 1
            spent.env_steps += report.totals.env_steps
            spent.reports.append(report)
    finally:
        environment.close()


def update(training: Training, player: Player) -> UpdateReport:
    """Play one batch by the version that it is due to, and learn from it."""
    config, number = training.config, training.update
    policy = training.version_for(number)
    tasks = [Task(number, Purpose.TRAINING, index) for index in range(config.tasks)]
    return training.apply([training.sums(player.play(policy, task, config.episodes)) for task in tasks])


def curve(settings: Json, every: int, episodes: int) -> Json:
    """A run as a worker reports it: how good its policy is, and what that cost, at each of its evaluations.

    Returns:
        lists of equal length by name: `updates`, `env_steps`, `seconds`, `individual` and `team` (mean undiscounted
        returns of `episodes` fresh episodes by the sampling policy, summed over agents, unweighted), and `WATCHED`; and
        `diverged`, whether the run was ended early by a gradient that was not finite.
    """
    config = configuration.check(settings)
    points: dict[str, list[float | None]] = {
        name: [] for name in ("updates", "env_steps", "seconds", "individual", "team", *WATCHED)
    }

    def on_evaluation(training: Training, player: Player, spent: Spent) -> None:
        task = Task(spent.updates, Purpose.EVALUATION, 0)
        played = episode_totals(player.play(training.current, task, episodes), training.environment, training.config)
        individual, team, _ = mean_returns(played, training.config, 0)
        values = {
            "updates": spent.updates,
            "env_steps": spent.env_steps,
            "seconds": spent.seconds,
            "individual": individual,
            "team": team,
        }
        for name in WATCHED:
            values[name] = float(np.mean([getattr(report, name) for report in spent.reports] or [np.nan]))
        for name, value in values.items():
            points[name].append(float(f"{value:.6g}") if isfinite(value) else None)

    diverged = False
    with np.errstate(all="ignore"):  # a learning rate may be too large: that is what the trials are to find out
        try:
            train(config, every, on_evaluation)
        except TrainingFault:
            diverged = True
    return {**points, "diverged": diverged}
