"""What the steps of a task are worth: what an action is credited with, and the baseline that is taken off."""

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
class Worth:
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


def worth_of(
    data: PolicyData,
    steps: PackedSteps,
    value: Tensor | None,
    source: Tensor | None,
    statistics: Statistics,
    config: Config,
) -> Worth:
    """Of one policy's side of a task.

    Args:
        data: it.
        steps: its steps in packed order.
        value: `[step]`, what the learned value says; None without one.
        source: `[step]`, what the value says that targets are read from; None without one.
        statistics: the policy's, at the version that is differentiated.
        config: the run's.
    """
    returns = data.returns.reshape(steps.acted.shape)
    if value is not None and source is not None:
        mean, deviation = statistics.value_terms()
        credit = value_targets(data, mean + deviation * steps.spread(source), config)
        return Worth(credit, returns, mean + deviation * steps.spread(value), (credit - mean) / deviation)
    if config.loss.baseline == "leave_one_out":
        baseline = leave_one_out(data.returns, config.loss.pool).reshape(steps.acted.shape)
        return Worth(returns, returns, baseline, None)
    return Worth(returns, returns, np.zeros_like(returns), None)
