"""The learned baseline of one task: what it says, and what it is fitted to."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from chorus.common.settings.config import Config
from chorus.learner.gradient.lives import Lives
from chorus.learner.gradient.network import Network
from chorus.learner.gradient.policy_data import PolicyData
from chorus.learner.gradient.returns import Values
from chorus.learner.gradient.targets import lambda_returns, step_returns


def slow_value(network: Network, inputs: Tensor, seen: Tensor | None, lives: Lives) -> Tensor:
    """What another network's value says of the same steps, `[step]`, without a gradient."""
    with torch.no_grad():
        value = network.forward(inputs, lives, seen).value
    if value is None:
        raise ValueError("the slow copy has no value")
    return value


def value_targets(data: PolicyData, values: Values, config: Config) -> Values:
    """What one task fits the value to: lambda-returns, or n-step returns, `[time, row]`.

    A limit of time counts as the end, as it does without a learned value: what is learned is to earn the most within
    the episode. (Bootstrapped past the limit, a living agent would count a future that one who died for the team does
    not have, and dying for the team would look worse than it is.)

    Args:
        data: one policy's side of the task, or some rows of it.
        values: `[time, row]` where somebody acted.
        config: the run's.
    """
    trajectory, discount = data.trajectory, config.loss.discount
    acted = data.grid(trajectory.acted)
    ended = data.grid(trajectory.terminated | trajectory.truncated)
    after_death = data.own_grid(np.broadcast_to(data.team_tail, data.returns.shape))
    rewards = data.own_grid(data.rewards)
    if config.value.steps is not None:
        return step_returns(rewards, values, acted, ended, after_death, discount, config.value.steps)
    return lambda_returns(rewards, values, acted, ended, after_death, discount, config.value.trace)
