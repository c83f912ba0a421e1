"""What is known of a policy's rewards and returns before its first step: measured on its very first batch.

Without it the first step would be taken in the environment's raw units: with rewards in thousands, a step as long as
the clip allows, and running scales that begin with what that step was worth. Measured first, rewards of any unit are
learned from alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.policy.sharing import PolicySpec
from chorus.common.settings.config import Config
from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.gradient.policy_data import PolicyData
from chorus.learner.gradient.reinforce import policy_data
from chorus.learner.gradient.returns import leave_one_out
from chorus.learner.gradient.running_statistics import Statistics, StatisticSums, power_sums

Add = Callable[[Sequence[Sequence[StatisticSums]]], list[StatisticSums]]
"""Adds up what tasks contribute, task by task and policy by policy, over the whole batch."""


def measured(
    batch: Sequence[Trajectory],
    specs: Sequence[PolicySpec],
    statistics: Sequence[Statistics],
    environment: EnvironmentSpec,
    config: Config,
    add: Add,
) -> list[Statistics]:
    """The statistics that the first batch is differentiated with: the scales of rewards, returns and advantages are
    those of the batch itself; observations are normalised as the actors did, so theirs stay. A
    policy whose statistics are not empty keeps them.

    The advantages of a value that has learned nothing are taken to be the returns less their mean.
    """
    rewards = add(_tasks(batch, specs, [1.0] * len(specs), environment, config))
    scaled = [known.after(replace(sums, observation=None)) for known, sums in zip(statistics, rewards, strict=True)]
    totals = add(_tasks(batch, specs, [known.reward_scale(config) for known in scaled], environment, config))
    found = []
    for known, sums in zip(statistics, totals, strict=True):
        if config.loss.baseline == "value" and sums.steps:
            count, total, squares = sums.credit
            sums = replace(sums, advantage_square=max(0.0, float(squares - total * total / count)))
        found.append(known.after(sums) if known.empty else known)
    return found


def _tasks(
    batch: Sequence[Trajectory],
    specs: Sequence[PolicySpec],
    scales: Sequence[float],
    environment: EnvironmentSpec,
    config: Config,
) -> list[list[StatisticSums]]:
    return [
        [
            _sums(data, scale, config)
            for data, scale in zip(policy_data(trajectory, specs, scales, environment, config), scales, strict=True)
        ]
        for trajectory in batch
    ]


def _sums(data: PolicyData, scale: float, config: Config) -> StatisticSums:
    rewards = power_sums(data.rewards[data.living] * scale)
    acted = data.trajectory.acted[:, :, data.agents]
    if not acted.any():
        return StatisticSums.nothing(rewards)
    returns = data.returns
    baseline = (
        leave_one_out(returns, config.loss.pool) if config.loss.baseline == "leave_one_out" else np.zeros_like(returns)
    )
    square = float(np.square((returns - baseline)[acted]).sum())
    return StatisticSums(int(acted.sum()), square, power_sums(returns[acted]), rewards, None)
