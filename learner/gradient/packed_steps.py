"""One policy's steps in the order of the LSTM, and the way there and back between that order and the grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chorus.common.environments.interface import BoolArray, FloatArray, as_seen
from chorus.learner.gradient.lives import Lives, pack
from chorus.learner.gradient.policy_data import PolicyData
from chorus.learner.gradient.returns import Values, alive


@dataclass(frozen=True, eq=False)
class PackedSteps:
    """The steps of a policy's lives in packed order.

    Attributes:
        lives: the sequences.
        acted: bool `[time, row]`.
        looks: bool `[time, row]`, where a life was cut off and its agent's last look follows as a step of its own.
        real: bool `[step]`, which steps were acted at; the others are last looks.
        device: where tensors go.
    """

    lives: Lives
    acted: BoolArray
    looks: BoolArray
    real: BoolArray
    device: torch.device

    @staticmethod
    def of(data: PolicyData, with_looks: bool, device: torch.device) -> PackedSteps:
        """Pack a part of a task; with the last looks of truncated lives if a value is to bootstrap from them."""
        trajectory = data.trajectory
        acted = data.grid(trajectory.acted)
        looks = data.grid(trajectory.truncated & alive(trajectory)) if with_looks else np.zeros_like(acted)
        lives = pack(acted, data.grid(trajectory.terminated | trajectory.truncated), looks)
        real = np.ones(lives.count, np.bool_) if lives.steps is None else lives.steps < acted.size
        return PackedSteps(lives, acted, looks, real, device)

    def inputs(self, data: PolicyData) -> Tensor:
        """The network's inputs `[step, input]`, last looks included, not yet normalised; float32, on the CPU."""
        spec, trajectory = data.spec, data.trajectory
        observed = spec.inputs(trajectory.observations)
        if len(data.agents) != len(spec.agents):
            observed = observed[:, :, [spec.agents.index(agent) for agent in data.agents]]
        rows = observed.reshape(-1, spec.input_size)
        if self.looks.any():
            rows = np.concatenate([rows, self._last_looks(data)])
        return _tensor(rows if self.lives.steps is None else rows[self.lives.steps])

    def select(self, grid: NDArray[Any]) -> Tensor:
        """`[time, row, ...]` as `[acted step, ...]` in packed order."""
        flat = grid.reshape(self.acted.size, *grid.shape[2:])
        return _tensor(flat if self.lives.steps is None else flat[self.lives.steps[self.real]]).to(self.device)

    def acted_at(self, packed: Tensor) -> Tensor:
        """`[step, ...]` without the last looks."""
        return packed if self.real.all() else packed[torch.from_numpy(self.real).to(packed.device)]

    def spread(self, packed: Tensor) -> tuple[Values, Values]:
        """`[step]` back on the grid: `[time, row]` where somebody acted, and `[time, row]` of the last looks."""
        values = packed.detach().double().cpu().numpy()
        at_steps, at_looks = np.zeros(self.acted.shape), np.zeros(self.acted.shape)
        if self.lives.steps is None:
            return values.reshape(self.acted.shape), at_looks
        at_steps.ravel()[self.lives.steps[self.real]] = values[self.real]
        in_order = np.zeros(np.count_nonzero(self.looks))
        in_order[self.lives.steps[~self.real] - self.acted.size] = values[~self.real]
        at_looks[self.looks] = in_order
        return at_steps, at_looks

    def weights(self, reduction: str) -> Tensor:
        """`[acted step]`: 1, or with `agent_mean` one over the acted steps of the step's life."""
        if reduction != "agent_mean":
            return torch.ones(1, device=self.device)
        life = self.lives.life_of_step[self.real]
        return torch.from_numpy(1.0 / np.bincount(life)[life]).to(self.device)

    def _last_looks(self, data: PolicyData) -> FloatArray:
        """The inputs `[look, input]` of what the truncated saw last, in the order of `np.argwhere(looks)`."""
        trajectory, spec = data.trajectory, data.spec
        numbers = (np.cumsum(trajectory.truncated) - 1).reshape(trajectory.truncated.shape)
        final = as_seen(trajectory.final_observations[data.grid(numbers)[self.looks]])
        final = final[:, : spec.agent.observation_size]
        if not spec.identified:
            return final
        agent = np.argwhere(self.looks)[:, 1] % len(data.agents)
        places = np.array([spec.agents.index(number) for number in data.agents])[agent]
        return np.concatenate([final, np.eye(len(spec.agents), dtype=np.float32)[places]], axis=1)


def _tensor(array: NDArray[Any]) -> Tensor:
    """A tensor of the array; copied where the wire's bytes lie beneath, which nobody may write to."""
    return torch.from_numpy(np.require(array, requirements=("C", "W")))
