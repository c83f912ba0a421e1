"""What the loss reads of a block of rows, made from the trajectory anew at every step of an update.

Held over a whole batch, what the networks are shown would be a second copy of all observations, and for a value that
sees the team one more for every agent. What is expensive, and small, is kept: the order of steps and their advantages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from chorus.common.policy.sharing import PolicySpec
from chorus.common.settings.config import Config
from chorus.common.settings.schedule import value_at
from chorus.learner.gradient.loss import Sample
from chorus.learner.gradient.packed_steps import PackedSteps
from chorus.learner.gradient.policy_data import PolicyData
from chorus.learner.gradient.running_statistics import Statistics
from chorus.learner.gradient.team_view import everyone, team_inputs


@dataclass(frozen=True, eq=False)
class Normalisation:
    """By what everybody's observations are normalised at one version, and whether the value sees them all.

    Attributes:
        policies: all of the run.
        statistics: one per policy.
        team: whether the value sees the team.
    """

    policies: Sequence[PolicySpec]
    statistics: Sequence[Statistics]
    team: bool


@dataclass(frozen=True, eq=False)
class Material:
    """Some rows of one policy's side of a task.

    Attributes:
        data: the rows.
        steps: theirs, in packed order.
        normalisation: of the version that the update began with.
        statistics: the policy's own.
        dtype: of the network.
        advantage: `[step]`, in units of the advantages' deviation; empty before it is known.
        target: `[step]`, what the value is fitted to; None without a value, or before it is known.
    """

    data: PolicyData
    steps: PackedSteps
    normalisation: Normalisation
    statistics: Statistics
    dtype: torch.dtype
    advantage: Tensor
    target: Tensor | None = None

    def raw(self) -> Tensor:
        """What the policy is shown, `[step, input]`, before it is normalised; float32 or bytes, on the CPU."""
        return self.steps.inputs(self.data)

    def sample(self, config: Config, raw: Tensor | None = None) -> Sample:
        """All that the loss reads; `raw` is what `raw()` gave, if it is at hand."""
        data, steps, dtype = self.data, self.steps, self.dtype
        trajectory = data.trajectory
        return Sample(
            lives=steps.lives,
            inputs=_moved(_normalise(self.raw() if raw is None else raw, self.statistics), steps.device, dtype),
            seen=self._team_seen(),
            actions=steps.select(data.grid(trajectory.actions)[:, :, : data.spec.agent.action_size]),
            allowed=self._allowed(),
            behaviour=steps.select(data.grid(trajectory.log_probabilities)).to(dtype),
            advantage=self.advantage,
            target=self.target,
            weights=steps.weights(config.loss.reduction).to(dtype),
            bonus=value_at(config.loss.entropy, trajectory.task.update),
        )

    def _team_seen(self) -> Tensor | None:
        if not self.normalisation.team:
            return None
        data, spec = self.data, self.data.spec
        everybody = everyone(data.trajectory, self.normalisation.policies, self.normalisation.statistics, data.episodes)
        shown = team_inputs(everybody, spec)
        if len(data.agents) != len(spec.agents):
            shown = shown[:, :, [spec.agents.index(agent) for agent in data.agents]]
        return self.steps.select(data.rows_of(shown)).to(self.dtype)

    def _allowed(self) -> Tensor | None:
        masks = self.data.trajectory.action_masks
        if self.data.spec.agent.bounds or not masks.size:
            return None
        return self.steps.select(self.data.grid(masks)[:, :, : self.data.spec.output_size])


def _moved(inputs: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """In the network's type, but for bytes (`packed_steps.py`)."""
    return inputs.to(device) if inputs.dtype == torch.uint8 else inputs.to(device, dtype)


def _normalise(inputs: Tensor, statistics: Statistics) -> Tensor:
    """As the actor does: subtract the mean, multiply by the inverse deviation; an agent id behind it stays."""
    if statistics.observation is None:
        return inputs
    mean, scale = (torch.from_numpy(part) for part in statistics.normaliser())
    size = len(mean)
    return torch.cat([(inputs[:, :size] - mean) * scale, inputs[:, size:]], dim=1)
