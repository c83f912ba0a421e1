"""One policy's steps in the order of the LSTM, and the way there and back between that order and the grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chorus.common.environments.interface import BoolArray
from chorus.common.policy.trunk import is_picture
from chorus.learner.gradient.lives import Lives, pack
from chorus.learner.gradient.policy_data import PolicyData
from chorus.learner.gradient.returns import Values


@dataclass(frozen=True, eq=False)
class PackedSteps:
    """The steps of a policy's lives in packed order.

    Attributes:
        lives: the sequences.
        acted: bool `[time, row]`.
        device: where tensors go.
    """

    lives: Lives
    acted: BoolArray
    device: torch.device

    @staticmethod
    def of(data: PolicyData, device: torch.device) -> PackedSteps:
        """Pack the rows of one policy's side of a task."""
        trajectory = data.trajectory
        acted = data.grid(trajectory.acted)
        return PackedSteps(pack(acted, data.grid(trajectory.terminated | trajectory.truncated)), acted, device)

    def inputs(self, data: PolicyData) -> Tensor:
        """The network's inputs `[step, input]`, not yet normalised, on the CPU; float32, but for pictures of bytes,
        which stay bytes until the network looks at them, a few at a time."""
        spec = data.spec
        observations = data.trajectory.observations[:, data.episodes]
        pictures = is_picture(spec.seen.shape, spec.network) and not spec.identified
        observed = spec.observed(observations) if pictures else spec.inputs(observations)
        if len(data.agents) != len(spec.agents):
            observed = observed[:, :, [spec.agents.index(agent) for agent in data.agents]]
        return self._ordered(data.rows_of(observed).reshape(-1, spec.input_size))

    def select(self, grid: NDArray[Any]) -> Tensor:
        """`[time, row, ...]` as `[step, ...]` in packed order."""
        return self._ordered(grid.reshape(self.acted.size, *grid.shape[2:])).to(self.device)

    def spread(self, packed: Tensor) -> Values:
        """`[step]` back on the grid `[time, row]`; zero where nobody acted."""
        values = packed.detach().double().cpu().numpy()
        if self.lives.steps is None:
            return values.reshape(self.acted.shape)
        grid = np.zeros(self.acted.shape)
        grid.ravel()[self.lives.steps] = values
        return grid

    def weights(self, reduction: str) -> Tensor:
        """`[step]`: 1, or with `agent_mean` one over the steps of the step's life."""
        if reduction != "agent_mean":
            return torch.ones(1, device=self.device)
        life = self.lives.life_of_step
        return torch.from_numpy(1.0 / np.bincount(life)[life]).to(self.device)

    def _ordered(self, flat: NDArray[Any]) -> Tensor:
        """A tensor in packed order; copied where the wire's bytes lie beneath, which nobody may write to."""
        ordered = flat if self.lives.steps is None else flat[self.lives.steps]
        return torch.from_numpy(np.require(ordered, requirements=("C", "W")))
