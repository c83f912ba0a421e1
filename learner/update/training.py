"""The state of a run between two updates, and the step from one to the next. No clock, no network, no files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import sqrt
from operator import add

import numpy as np
import torch
from torch import Tensor

from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.errors import ConfigError, GradientFault
from chorus.common.policy.sharing import PolicySpec
from chorus.common.policy.weights import PolicyVersion, Tensors, make
from chorus.common.settings.config import Config
from chorus.common.settings.schedule import value_at
from chorus.common.tasks.task import version_for
from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.gradient import reinforce as gradient
from chorus.learner.gradient.kernels import choose_kernels
from chorus.learner.gradient.network import Network, initialise
from chorus.learner.gradient.reinforce import PolicySums
from chorus.learner.gradient.running_statistics import Statistics
from chorus.learner.update import optimiser, quality
from chorus.learner.update.episode_totals import EpisodeTotals, add_totals, episode_totals, mean_returns
from chorus.learner.update.optimiser import Clipped


@dataclass(frozen=True)
class TaskSums:
    """What one training task contributes to an update."""

    policies: list[PolicySums]
    totals: EpisodeTotals
    trajectory: Trajectory | None = None
    """Kept for `sequential` alone, which differentiates again after every agent's step."""


@dataclass(frozen=True)
class UpdateReport:
    """What an update did, for the record, the metrics and the live view. Means are over the batch's agent-steps.

    Attributes:
        update: counts from 0.
        version: of the weights that the update made.
        collected_by: the version that the batch was played by.
        totals: of the batch, episodes and tasks added up.
        individual_return, team_return, mixed_return: means over episodes, summed over agents.
        gradient_norm: of all policies together, before the clip.
        clipped: the share of policies whose gradient the clip shortened.
        signal_to_noise: of the batch's gradient, judged from its tasks', mean over policies.
        explained_variance: of returns by their baseline, mean over policies.
        entropy: of the policy.
        disagreement: greatest relative difference of log-probabilities between learner and actors (lag 0).
        ratio_mean, ratio_max: importance ratios before the clip.
        learning_rate: that the step was taken with.
    """

    update: int
    version: int
    collected_by: int
    totals: EpisodeTotals
    individual_return: float
    team_return: float
    mixed_return: float
    gradient_norm: float
    clipped: float
    signal_to_noise: float
    loss: float
    entropy: float
    explained_variance: float
    disagreement: float
    ratio_mean: float
    ratio_max: float
    learning_rate: float


class Training:
    """Networks, optimiser states and running statistics at one update.

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
        choose_kernels()
        self.config = config
        self.environment = environment
        self.update = update
        self.versions = dict(versions)
        device = find_device(config.device)
        tensors = self.versions[update].tensors()
        check_fit(policies, config, tensors)
        self._networks = [Network.load(spec, config, tensors, device) for spec in policies]
        self._statistics = [Statistics.read(spec, config, tensors) for spec in policies]
        self._optimisers = [optimiser.fresh(config.optimiser, network.flat.detach()) for network in self._networks]
        self._slow = [network.with_flat(network.flat.detach().clone()) for network in self._networks]
        self._has_slow = config.loss.baseline == "value" and config.value.slow < 1.0
        if optimiser_state is not None:
            for name, value in self._state():
                value.copy_(torch.from_numpy(optimiser_state[name].copy()))

    def _state(self) -> Iterator[tuple[str, Tensor]]:
        """Every vector beside the weights that an update changes, by name."""
        for number, network in enumerate(self._networks):
            for name, value in self._optimisers[number].items():
                yield f"{network.spec.name}/{name}", value
            if self._has_slow:
                yield f"{network.spec.name}/slow", self._slow[number].flat.detach()

    @property
    def optimiser_state(self) -> Tensors:
        """The optimisers' vectors and slow copies as NumPy copies, named `POLICY/NAME`."""
        return {name: value.cpu().numpy().copy() for name, value in self._state()}

    @property
    def current(self) -> PolicyVersion:
        """The newest version."""
        return self.versions[self.update]

    def version_for(self, update: int) -> PolicyVersion:
        """The version that the batch of `update` is played by."""
        return self.versions[version_for(update, self.config.lag)]

    def sums(self, trajectory: Trajectory, agents: Sequence[int] | None = None) -> TaskSums:
        """A training task's contribution to the present update; of some agents only, if they are named."""
        return TaskSums(
            gradient.task_sums(
                trajectory,
                self._networks,
                self._statistics,
                self.environment,
                self.config,
                self._slow if self._has_slow else None,
                agents,
            ),
            episode_totals(trajectory, self.environment, self.config),
            trajectory if self.config.loss.reduction == "sequential" else None,
        )

    def apply(self, tasks: Sequence[TaskSums]) -> UpdateReport:
        """Make the next version from the batch's tasks, given in the order of their index.

        Raises:
            GradientFault: the gradient is not finite; the step was not taken.
        """
        if self.config.loss.reduction == "sequential":
            played = [task.trajectory for task in tasks if task.trajectory is not None]
            steps = []
            for agent in range(len(self.environment.agents)):
                steps += self._step([self.sums(trajectory, [agent]) for trajectory in played], agent)
        else:
            steps = self._step(tasks)
        for number in range(len(self._networks)):
            total = reduce(add, (task.policies[number].statistics for task in tasks))
            self._statistics[number] = self._statistics[number].after(total)
            if self._has_slow:
                self._slow[number].flat.detach().lerp_(self._networks[number].flat.detach(), self.config.value.slow)
        self.update += 1
        self.versions[self.update] = make(self.update, self._tensors())
        for version in [old for old in self.versions if old < self.update - self.config.lag]:
            del self.versions[version]
        return self._report(tasks, steps)

    def _step(self, tasks: Sequence[TaskSums], agent: int | None = None) -> list[Clipped]:
        """One optimiser step for every policy, or, in `sequential`, for the policy of one agent."""
        config = self.config
        clipped: dict[int, Clipped] = {}
        for place, network in enumerate(self._networks):
            if agent is None or agent in network.spec.agents:
                sums = [task.policies[place] for task in tasks]
                z = gradient.divisor(network.spec, sums, self.environment, config)
                clipped[place] = optimiser.clip(gradient.reduce(network, sums, z), config.optimiser.clip)
        if not all(np.isfinite(part.norm) for part in clipped.values()):
            raise GradientFault(self._name_culprit(tasks))
        rate = self._learning_rate(self.update)
        for place, part in clipped.items():
            network, members = self._networks[place], self._networks[place].spec.agents
            number = self.update + 1 if agent is None else self.update * len(members) + members.index(agent) + 1
            state = self._optimisers[place]
            optimiser.step(config.optimiser, network.flat.detach(), part.gradient, state, number, rate)
        return list(clipped.values())

    def _learning_rate(self, update: int) -> float:
        settings = self.config.optimiser
        rise = min(1.0, (update + 1) / (settings.warm_up + 1))
        return rise * value_at(settings.learning_rate, update)

    def _tensors(self) -> Tensors:
        tensors: Tensors = {}
        for network, statistics in zip(self._networks, self._statistics, strict=True):
            tensors |= network.tensors() | statistics.tensors(network.spec)
        return tensors

    def _name_culprit(self, tasks: Sequence[TaskSums]) -> str:
        for index, task in enumerate(tasks):
            if any(part.gradient is not None and not bool(part.gradient.isfinite().all()) for part in task.policies):
                return f"the gradient of task ({self.update}, {index}) is not finite; the step was not taken"
        return f"the gradient of update {self.update} is not finite, though every task's is; the step was not taken"

    def _report(self, tasks: Sequence[TaskSums], steps: list[Clipped]) -> UpdateReport:
        done = self.update - 1
        parts = [part for task in tasks for part in task.policies]
        count = max(1, sum(part.steps for part in parts))
        total = add_totals([task.totals for task in tasks])
        returns = mean_returns(total, self.config, done)
        per_policy = [[task.policies[place] for task in tasks] for place in range(len(self._networks))]
        return UpdateReport(
            update=done,
            version=self.update,
            collected_by=version_for(done, self.config.lag),
            totals=total,
            individual_return=returns[0],
            team_return=returns[1],
            mixed_return=returns[2],
            gradient_norm=sqrt(sum(step.norm**2 for step in steps)),
            clipped=sum(step.shortened for step in steps) / len(steps),
            signal_to_noise=float(np.mean([quality.signal_to_noise(sums) for sums in per_policy])),
            loss=sum(part.loss for part in parts) / count,
            entropy=sum(part.entropy for part in parts) / count,
            explained_variance=float(np.mean([quality.explained_variance(sums) for sums in per_policy])),
            disagreement=max(part.disagreement for part in parts),
            ratio_mean=sum(part.ratio for part in parts) / count,
            ratio_max=max(part.ratio_max for part in parts),
            learning_rate=self._learning_rate(done),
        )


def first_version(config: Config, policies: Sequence[PolicySpec], initial: Tensors | None = None) -> PolicyVersion:
    """Version 0: fresh weights, or those of another run."""
    tensors: Tensors = {}
    for number, spec in enumerate(policies):
        tensors |= initialise(spec, number, config, config.seed)
        tensors |= Statistics.fresh(spec, config).tensors(spec)
    if initial is not None:
        check_fit(policies, config, initial)
        tensors |= initial
    return make(0, tensors)


def check_fit(policies: Sequence[PolicySpec], config: Config, tensors: Tensors) -> None:
    """Refuse weights that are not of these policies, widths and precisions.

    Raises:
        ConfigError: names the first tensor that is missing, superfluous, or of another shape or type.
    """
    needed: Tensors = {}
    for number, spec in enumerate(policies):
        needed |= initialise(spec, number, config, 0) | Statistics.fresh(spec, config).tensors(spec)
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
