"""One policy's side of a task."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
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
        block: the rows that are looked at; None for all of them.
    """

    trajectory: Trajectory
    spec: PolicySpec
    agents: list[int]
    rewards: Values
    team_tail: Values
    returns: Values
    living: NDArray[np.bool_]
    block: slice | None = None

    @property
    def rows(self) -> int:
        """Episodes times agents."""
        return int(self.returns.shape[1]) * len(self.agents)

    def within(self, block: slice) -> PolicyData:
        """The same, looking at some rows only."""
        return replace(self, block=None if block == slice(0, self.rows) else block)

    @property
    def episodes(self) -> slice:
        """Those that the rows looked at are of."""
        if self.block is None:
            return slice(0, int(self.returns.shape[1]))
        return slice(self.block.start // len(self.agents), ceil(self.block.stop / len(self.agents)))

    def grid(self, values: NDArray[Any]) -> NDArray[Any]:
        """The rows of an array over `[time, episode, agent, ...]`, all agents being there, as `[time, row, ...]`."""
        near = values[:, self.episodes]
        return self.rows_of(near if len(self.agents) == values.shape[2] else near[:, :, self.agents])

    def own_grid(self, values: NDArray[Any]) -> NDArray[Any]:
        """The rows of an array over `[time, episode, own agent, ...]`, as `[time, row, ...]`."""
        return self.rows_of(values[:, self.episodes])

    def rows_of(self, near: NDArray[Any]) -> NDArray[Any]:
        """The rows of an array over `[time, episode, own agent, ...]` of `episodes` alone, as `[time, row, ...]`."""
        rows = near.reshape(len(near), near.shape[1] * near.shape[2], *near.shape[3:])
        if self.block is None:
            return rows
        first = self.episodes.start * len(self.agents)
        return rows[:, self.block.start - first : self.block.stop - first]
