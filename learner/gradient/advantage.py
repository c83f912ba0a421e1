"""The advantage of every step of a task: what its action is credited with, minus a baseline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from chorus.common.settings.config import Config
from chorus.learner.gradient.packed_steps import PackedSteps
from chorus.learner.gradient.policy_data import PolicyData
from chorus.learner.gradient.returns import Values, leave_one_out
from chorus.learner.gradient.running_statistics import Statistics
from chorus.learner.gradient.value import value_targets


@dataclass(frozen=True, eq=False)
class Estimate:
    """Float64 `[time, row]` each.

    Attributes:
        credit: what an action is credited with: its Monte-Carlo return; with a learned value what that is fitted to.
        returns: Monte-Carlo returns.
        baseline: of the credit.
        target: what the value is fitted to, in units of the returns' deviation; None without a value.
    """

    credit: Values
    returns: Values
    baseline: Values
    target: Values | None


def plain_baseline(data: PolicyData, config: Config) -> Values:
    """The baseline of returns that nothing has to be learned for, of a whole task: `[time, episode, agent]`."""
    if config.loss.baseline == "leave_one_out":
        return leave_one_out(data.returns, config.loss.pool)
    return np.broadcast_to(0.0, data.returns.shape)


def estimate_advantage(
    data: PolicyData,
    steps: PackedSteps,
    plain: Values,
    value: Tensor | None,
    source: Tensor | None,
    statistics: Statistics,
    config: Config,
) -> Estimate:
    """Of one policy's side of a task, or of some rows of it.

    Args:
        data: it.
        steps: its steps in packed order.
        plain: what `plain_baseline` says of the whole task.
        value: `[step]`, what the learned value says; None without one.
        source: `[step]`, what the value says that targets are read from; None without one.
        statistics: the policy's, at the version that is differentiated.
        config: the run's.
    """
    returns = data.own_grid(data.returns)
    if value is not None and source is not None:
        mean, deviation = statistics.value_terms()
        credit = value_targets(data, mean + deviation * steps.spread(source), config)
        return Estimate(credit, returns, mean + deviation * steps.spread(value), (credit - mean) / deviation)
    return Estimate(returns, returns, data.own_grid(plain), None)
