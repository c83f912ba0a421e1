"""One policy's side of a task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chorus.common.policy.sharing import PolicySpec
from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.gradient.returns import Values


@dataclass(frozen=True)
class PolicyData:
    """One policy's side of a task, every array over its own agents: K episodes of n agents are `rows = K n` rows.

    Attributes:
        trajectory: the whole task.
        spec: the policy.
        agents: its agents' places on the environment's agent axis; fewer for `sequential`.
        rewards: `[time, episode, agent]`, mixed and scaled.
        team_tail: `[time, episode, 1]`, discounted, mixed and scaled team rewards after each step.
        returns: `[time, episode, agent]`, of the mixed and scaled rewards.
        living: bool `[time, episode, agent]`.
    """

    trajectory: Trajectory
    spec: PolicySpec
    agents: list[int]
    rewards: Values
    team_tail: Values
    returns: Values
    living: NDArray[np.bool_]

    @property
    def rows(self) -> int:
        """Episodes times agents."""
        return int(self.returns.shape[1]) * len(self.agents)

    def grid(self, values: NDArray[Any]) -> NDArray[Any]:
        """This policy's part of an array over `[time, episode, agent, ...]`, as `[time, row, ...]`."""
        own = values if len(self.agents) == values.shape[2] else values[:, :, self.agents]
        return own.reshape(len(own), self.rows, *values.shape[3:])
