"""The learned baseline of one task: what its value is fitted to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from chorus.common.settings.config import Config
from chorus.learner.gradient.lives import Lives
from chorus.learner.gradient.network import Network
from chorus.learner.gradient.policy_data import PolicyData
from chorus.learner.gradient.returns import Values
from chorus.learner.gradient.targets import lambda_returns, step_returns


def slow_value(network: Network, inputs: Tensor, lives: Lives) -> Tensor:
    """What another network's value says of the same steps, `[step]`, without a gradient."""
    with torch.no_grad():
        value = network.forward(inputs, lives).value
    if value is None:
        raise ValueError("the slow copy has no value")
    return value


@dataclass(frozen=True)
class Targets:
    """What a learned value is fitted to, and what it is to explain; float64 `[time, row]` each.

    Attributes:
        fitted: lambda-returns or n-step returns.
        whole: returns to the end. Unlike `data.returns`, those of a life that a limit of time cut off go on by the
            value of its last look, as the value's own do: held against returns that stop there, the value of an agent
            that sees no clock would look wrong by all that it rightly expects of the time after the limit.
        known: `whole` without what lies beyond the limit.
        beyond: by how much the value of the last look counts in `whole`: gamma to the power of the steps until it; 0
            where no limit cut the life off.
    """

    fitted: Values
    whole: Values
    known: Values
    beyond: Values


def value_targets(data: PolicyData, values: tuple[Values, Values], config: Config) -> Targets:
    """What one task fits the value to.

    Args:
        data: of a task.
        values: `[time, row]` where somebody acted, and `[time, row]` of last looks.
        config: the run's.
    """
    trajectory, discount = data.trajectory, config.loss.discount
    acted, truncated = data.grid(trajectory.acted), data.grid(trajectory.truncated)
    ended = data.grid(trajectory.terminated) | truncated
    after_death = np.broadcast_to(data.team_tail, data.returns.shape).reshape(acted.shape)
    rewards, nothing = data.rewards.reshape(acted.shape), np.zeros(acted.shape)

    def whole(rewards: Values, tails: Values) -> Values:
        return lambda_returns(rewards, values[0], acted, ended, tails, discount, 1.0)

    tails = np.where(truncated, discount * values[1], after_death)
    if config.value.steps is not None:
        fitted = step_returns(rewards, values[0], acted, ended, tails, discount, config.value.steps)
    else:
        fitted = lambda_returns(rewards, values[0], acted, ended, tails, discount, config.value.trace)
    return Targets(
        fitted,
        whole(rewards, tails),
        whole(rewards, np.where(truncated, 0.0, after_death)),
        whole(nothing, np.where(truncated, discount, 0.0)),
    )
