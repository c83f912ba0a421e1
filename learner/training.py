"""The state of a run between two updates, and the step from one to the next. No clock, no network, no files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import torch
from numpy.typing import NDArray

from common.config import Config
from common.environment import EnvironmentSpec
from common.errors import ConfigError, TrainingFault
from common.schedule import value_at
from common.sharing import PolicySpec
from common.task import version_for
from common.trajectory import Trajectory
from common.weights import PolicyVersion, Tensors, make
from learner import gradient, optimiser
from learner.gradient import Figures, PolicySums
from learner.network import Network, initialise

SCALE_MEMORY = 0.99
"""How much of the running mean of squared advantages an update keeps."""


@dataclass(frozen=True)
class TaskSums:
    """What one training task contributes to an update."""

    policies: list[PolicySums]
    figures: Figures


@dataclass(frozen=True)
class UpdateReport:
    """What an update did, for the record, the metrics and the live view. Means are over the batch's agent-steps.

    Attributes:
        update: counts from 0.
        version: of the weights that the update made.
        collected_by: the version that the batch was played by.
        figures: of the batch, episodes and tasks added up.
        individual_return, team_return, mixed_return: means over episodes, summed over agents.
        gradient_norm: of all policies together, before the clip.
        clipped: the share of policies whose gradient the clip shortened.
        entropy: of the policy.
        disagreement: greatest relative difference of log-probabilities between learner and actors (lag 0).
        ratio_mean, ratio_max: importance ratios before the clip.
        learning_rate: that the step was taken with.
    """

    update: int
    version: int
    collected_by: int
    figures: Figures
    individual_return: float
    team_return: float
    mixed_return: float
    gradient_norm: float
    clipped: float
    loss: float
    entropy: float
    disagreement: float
    ratio_mean: float
    ratio_max: float
    learning_rate: float


class Training:
    """Networks, optimiser states and running scales at one update.

    `sums` may be called from several threads at once; `apply` only when no `sums` is under way.
    """

    def __init__(
        self,
        config: Config,
        environment: EnvironmentSpec,
        policies: Sequence[PolicySpec],
        versions: Mapping[int, PolicyVersion],
        update: int = 0,
        optimiser_state: Tensors | None = None,
    ) -> None:
        """Stand at `update`, with the last `lag + 1` versions, the newest being `update`'s.

        Raises:
            ConfigError: the device is not there, or the weights do not fit the configuration.
        """
        self.config = config
        self.environment = environment
        self.update = update
        self.versions = dict(versions)
        self._device = find_device(config.device)
        tensors = self.versions[update].tensors()
        check_fit(policies, config, tensors)
        self._networks = [Network.load(spec, config.network, tensors, self._device) for spec in policies]
        self._scales = [tensors[f"{spec.name}/advantage"].astype(np.float64) for spec in policies]
        self._optimisers = [
            self._load_optimiser(network, optimiser_state, index) for index, network in enumerate(self._networks)
        ]

    def _load_optimiser(self, network: Network, stored: Tensors | None, index: int) -> optimiser.State:
        state = optimiser.fresh(self.config.optimiser, network.flat.detach())
        if stored is not None:
            for name, value in state.items():
                value.copy_(torch.from_numpy(stored[f"{network.spec.name}/{name}"].copy()))
        return state

    @property
    def optimiser_state(self) -> Tensors:
        """The optimisers' vectors as NumPy copies, named `POLICY/NAME`."""
        return {
            f"{network.spec.name}/{name}": value.cpu().numpy().copy()
            for network, state in zip(self._networks, self._optimisers, strict=True)
            for name, value in state.items()
        }

    @property
    def current(self) -> PolicyVersion:
        """The newest version."""
        return self.versions[self.update]

    def version_for(self, update: int) -> PolicyVersion:
        """The version that the batch of `update` is played by."""
        return self.versions[version_for(update, self.config.lag)]

    def sums(self, trajectory: Trajectory) -> TaskSums:
        """A training task's contribution to the present update."""
        scales = [_scale(state, self.config) for state in self._scales]
        return TaskSums(
            gradient.task_sums(trajectory, self._networks, scales, self.environment, self.config),
            gradient.figures(trajectory, self.environment, self.config),
        )

    def apply(self, tasks: Sequence[TaskSums]) -> UpdateReport:
        """Make the next version from the batch's tasks, given in the order of their index.

        Raises:
            TrainingFault: the gradient is not finite; nothing has been changed.
        """
        update, config = self.update, self.config
        rate = value_at(config.optimiser.learning_rate, update)
        clipped = []
        for number, network in enumerate(self._networks):
            sums = [task.policies[number] for task in tasks]
            z = gradient.divisor(network.spec, sums, self.environment, config)
            clipped.append(optimiser.clip(gradient.reduce(network, sums, z), config.optimiser.clip))
        norm = sqrt(sum(part.norm**2 for part in clipped))
        if not np.isfinite(norm):
            raise TrainingFault(self._name_culprit(tasks))
        for number, (network, part) in enumerate(zip(self._networks, clipped, strict=True)):
            state = self._optimisers[number]
            optimiser.step(config.optimiser, network.flat.detach(), part.gradient, state, update + 1, rate)
            self._scales[number] = _next_scale(self._scales[number], [task.policies[number] for task in tasks])
        self.update = update + 1
        self.versions[self.update] = make(self.update, self._tensors())
        for version in [old for old in self.versions if old < self.update - config.lag]:
            del self.versions[version]
        return self._report(tasks, norm, [part.shortened for part in clipped], rate)

    def _tensors(self) -> Tensors:
        tensors: Tensors = {}
        for network, scale in zip(self._networks, self._scales, strict=True):
            tensors |= network.tensors()
            tensors[f"{network.spec.name}/advantage"] = scale
        return tensors

    def _name_culprit(self, tasks: Sequence[TaskSums]) -> str:
        for index, task in enumerate(tasks):
            if any(part.gradient is not None and not bool(part.gradient.isfinite().all()) for part in task.policies):
                return f"the gradient of task ({self.update}, {index}) is not finite; the step was not taken"
        return f"the gradient of update {self.update} is not finite, though every task's is; the step was not taken"

    def _report(self, tasks: Sequence[TaskSums], norm: float, shortened: list[bool], rate: float) -> UpdateReport:
        parts = [part for task in tasks for part in task.policies]
        steps = max(1, sum(part.steps for part in parts))
        total = add_figures([task.figures for task in tasks])
        returns = mean_returns(total, self.config, self.update - 1)
        return UpdateReport(
            update=self.update - 1,
            version=self.update,
            collected_by=version_for(self.update - 1, self.config.lag),
            figures=total,
            individual_return=returns[0],
            team_return=returns[1],
            mixed_return=returns[2],
            gradient_norm=norm,
            clipped=sum(shortened) / len(shortened),
            loss=sum(part.loss for part in parts) / steps,
            entropy=sum(part.entropy for part in parts) / steps,
            disagreement=max(part.disagreement for part in parts),
            ratio_mean=sum(part.ratio for part in parts) / steps,
            ratio_max=max(part.ratio_max for part in parts),
            learning_rate=rate,
        )


def first_version(config: Config, policies: Sequence[PolicySpec], initial: Tensors | None = None) -> PolicyVersion:
    """Version 0: fresh weights, or those of another run."""
    tensors: Tensors = {}
    for number, spec in enumerate(policies):
        tensors |= initialise(spec, number, config.network, config.seed)
        tensors[f"{spec.name}/advantage"] = np.zeros(2, np.float64)
    if initial is not None:
        check_fit(policies, config, initial)
        tensors |= {name: value for name, value in initial.items() if not name.endswith("/advantage")}
    return make(0, tensors)


def check_fit(policies: Sequence[PolicySpec], config: Config, tensors: Tensors) -> None:
    """Refuse weights that are not of these policies, widths and precisions.

    Raises:
        ConfigError: names the first tensor that is missing, superfluous, or of another shape or type.
    """
    needed: Tensors = {}
    for number, spec in enumerate(policies):
        needed |= initialise(spec, number, config.network, 0)
        needed[f"{spec.name}/advantage"] = np.zeros(2, np.float64)
    for name in sorted(needed.keys() | tensors.keys()):
        ours, theirs = (
            f"{held[name].dtype} {list(held[name].shape)}" if name in held else None for held in (needed, tensors)
        )
        if ours != theirs:
            raise ConfigError(
                f"weights do not fit: {name} is {theirs or 'missing'}, the configuration needs {ours or 'none'}"
            )


def find_device(name: str) -> torch.device:
    """The device that gradients are computed on.

    Raises:
        ConfigError: it is not there.
    """
    device = torch.device(name)
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if (device.index or 0) >= count:
            raise ConfigError(f"device is {name!r}, but torch sees {count} CUDA devices here; use cpu")
        torch.use_deterministic_algorithms(True)
    return device


def add_figures(parts: Sequence[Figures]) -> Figures:
    """The figures of several tasks together."""
    return Figures(
        episodes=sum(part.episodes for part in parts),
        env_steps=sum(part.env_steps for part in parts),
        agent_steps=sum(part.agent_steps for part in parts),
        individual_return=sum(part.individual_return for part in parts),
        team_return=sum(part.team_return for part in parts),
    )


def mean_returns(total: Figures, config: Config, update: int) -> tuple[float, float, float]:
    """Individual, team and mixed return per episode, the last by the weights in force at `update`."""
    individual, team = total.individual_return / total.episodes, total.team_return / total.episodes
    mixed = value_at(config.reward.individual, update) * individual + value_at(config.reward.team, update) * team
    return individual, team, mixed


def _scale(state: NDArray[np.float64], config: Config) -> float:
    """The running standard deviation of advantages; 1 while there is none."""
    weight, total = state
    if not config.loss.normalise_advantages or weight == 0.0 or total / weight < 1e-16:
        return 1.0
    return sqrt(total / weight)


def _next_scale(state: NDArray[np.float64], parts: Sequence[PolicySums]) -> NDArray[np.float64]:
    """(weight, weighted sum of mean squares) after one more batch, older batches fading."""
    steps = sum(part.steps for part in parts)
    if not steps:
        return state
    square = sum(part.advantage_square for part in parts) / steps
    return SCALE_MEMORY * state + (1.0 - SCALE_MEMORY) * np.array([1.0, square])
