"""The learned baseline of one task: what its value is fitted to."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from common.config import Config
from learner.lives import Lives
from learner.network import Network
from learner.part import Part
from learner.returns import Values
from learner.targets import lambda_returns, step_returns


def slow_value(network: Network, inputs: Tensor, lives: Lives) -> Tensor:
    """What another network's value says of the same steps, `[step]`, without a gradient."""
    with torch.no_grad():
        value = network.forward(inputs, lives).value
    if value is None:
        raise ValueError("the slow copy has no value")
    return value


def value_targets(part: Part, values: tuple[Values, Values], config: Config) -> Values:
    """Lambda-returns or n-step returns, `[time, row]`.

    Args:
        part: of a task.
        values: `[time, row]` where somebody acted, and `[time, row]` of last looks.
        config: the run's.
    """
    trajectory, discount = part.trajectory, config.loss.discount
    acted, truncated = part.grid(trajectory.acted), part.grid(trajectory.truncated)
    ended = part.grid(trajectory.terminated) | truncated
    after_death = np.broadcast_to(part.team_tail, part.returns.shape).reshape(acted.shape)
    tails = np.where(truncated, discount * values[1], after_death)
    rewards = part.rewards.reshape(acted.shape)
    if config.value.steps is not None:
        return step_returns(rewards, values[0], acted, ended, tails, discount, config.value.steps)
    return lambda_returns(rewards, values[0], acted, ended, tails, discount, config.value.trace)
