"""The state of a run between two updates, and the way from one to the next. No clock, no network, no files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import torch
from torch import Tensor

from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.errors import ConfigError, GradientFault, TrainingFault
from chorus.common.policy.opponents import Opponents, needed
from chorus.common.policy.sharing import PolicySpec
from chorus.common.policy.weights import PolicyVersion, Tensors, make
from chorus.common.settings.config import Config
from chorus.common.settings.defaults import HEAVIEST_UNKNOWN_LENGTH
from chorus.common.settings.schedule import value_at
from chorus.common.tasks.task import Task, version_for
from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.gradient import reduction, reinforce
from chorus.learner.gradient.blocks import block_bytes
from chorus.learner.gradient.first_statistics import measured
from chorus.learner.gradient.kernels import choose_kernels
from chorus.learner.gradient.loss import StepSums
from chorus.learner.gradient.network import Network, initialise
from chorus.learner.gradient.reinforce import PolicySums
from chorus.learner.gradient.running_statistics import Statistics, StatisticSums
from chorus.learner.group.agreement import see_equal
from chorus.learner.group.exact_sum import Work
from chorus.learner.group.group import ALONE, Group, own
from chorus.learner.update import optimiser, quality
from chorus.learner.update.batch import (
    BatchTotals,
    StepTotals,
    added_statistics,
    batch_totals,
    greatest_of,
    minibatches,
    squared,
    step_totals,
)
from chorus.learner.update.device import find_device
from chorus.learner.update.episode_totals import EpisodeTotals, episode_totals, mean_returns
from chorus.learner.update.report import Step, UpdateReport


@dataclass(frozen=True)
class TaskSums:
    """What one training task contributes to an update.

    Attributes:
        policies: to each policy's; empty where the batch has to be there as a whole first.
        totals: of its episodes.
        trajectory: kept where it is differentiated again: by `sequential` after every agent's step, and by the first
            update once the batch's own statistics are known.
    """

    policies: list[PolicySums]
    totals: EpisodeTotals
    trajectory: Trajectory | None = None


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
        group: Group = ALONE,
    ) -> None:
        """Stand at `update`, with the last `lag + 1` versions, the newest being `update`'s; one of the processes of a
        group, which must all stand there.

        Raises:
            ConfigError: the device is not there, or the weights do not fit the configuration.
        """
        choose_kernels()
        self.config = config
        self.environment = environment
        self.update = update
        self.versions = dict(versions)
        self.group = group
        self._opponents = Opponents(config, environment, tuple(policies))
        self._device = device = find_device(config.device)
        tensors = self.versions[update].tensors()
        check_fit(policies, config, tensors)
        self._networks = [Network.load(spec, config, tensors, device) for spec in policies]
        self._statistics = [Statistics.read(spec, config, tensors) for spec in policies]
        self._optimisers = [optimiser.fresh(config.optimiser, network.flat.detach()) for network in self._networks]
        self._slow = [network.with_flat(network.flat.detach().clone()) for network in self._networks]
        self._has_slow = config.loss.baseline == "value" and config.value.slow < 1.0
        self._signals = [torch.zeros(2, dtype=torch.float64) for _ in policies]
        if optimiser_state is not None:
            for name, value in self._state():
                value.copy_(torch.from_numpy(optimiser_state[name].copy()))

    def _state(self) -> Iterator[tuple[str, Tensor]]:
        """Every vector beside the weights that an update changes, by name."""
        for number, network in enumerate(self._networks):
            for name, value in self._optimisers[number].items():
                yield f"{network.spec.name}/{name}", value
            yield f"{network.spec.name}/signal", self._signals[number]
            if self._has_slow:
                yield f"{network.spec.name}/slow", self._slow[number].flat.detach()

    @property
    def optimiser_state(self) -> Tensors:
        """The optimisers' vectors, slow copies and running means of signal and noise as NumPy copies, `POLICY/NAME`."""
        return {name: value.cpu().numpy().copy() for name, value in self._state()}

    @property
    def current(self) -> PolicyVersion:
        """The newest version."""
        return self.versions[self.update]

    def version_for(self, update: int) -> PolicyVersion:
        """The version that the batch of `update` is played by."""
        return self.versions[version_for(update, self.config.lag)]

    def past_for(self, task: Task) -> list[PolicyVersion]:
        """The older versions that opponents in a task play by."""
        return [self.versions[version] for version in self._opponents.past(task)]

    # -- a task

    def side_by_side(self, workers: int) -> int:
        """How many of so many threads may call `sums` at once, within `learner.memory`; at least one."""
        if self.config.learner.memory is None:
            return workers
        steps = self.environment.max_steps or HEAVIEST_UNKNOWN_LENGTH
        block = block_bytes([network.spec for network in self._networks], self.config, steps)
        return max(1, min(workers, (self.config.learner.memory << 20) // block))

    def sums(self, trajectory: Trajectory, agents: Sequence[int] | None = None) -> TaskSums:
        """A training task's contribution to the present update; of some agents only, if they are named."""
        totals = episode_totals(trajectory, self.environment, self.config)
        if self._unmeasured:
            return TaskSums([], totals, trajectory)
        kept = trajectory if self.config.loss.reduction == "sequential" else None
        return TaskSums(self._differentiated(trajectory, self._statistics, agents), totals, kept)

    @property
    def _unmeasured(self) -> bool:
        """Whether a scale that the gradient is taken in is unknown as yet: the batch is then measured as a whole
        first."""
        config = self.config
        scaled = config.reward.scale != "none" or config.loss.normalise_advantages or config.loss.baseline == "value"
        return scaled and any(known.empty for known in self._statistics)

    def _differentiated(
        self, trajectory: Trajectory, statistics: Sequence[Statistics], agents: Sequence[int] | None = None
    ) -> list[PolicySums]:
        found = reinforce.task_sums(
            trajectory,
            self._networks,
            statistics,
            self.environment,
            self.config,
            self._slow if self._has_slow else None,
            self._opponents.learners(trajectory.task) if agents is None else agents,
            not any(trajectory.task.index in later for later in self._groups()[1:]),
        )
        return [replace(sums, step=squared(sums.step)) for sums in found]

    def _groups(self) -> list[range]:
        return minibatches(self.config.tasks, self.config.minibatches)

    # -- an update

    def apply(self, tasks: Sequence[TaskSums], work: Work = map) -> UpdateReport:
        """Make the next version from the batch's tasks, together with the other processes of the group.

        Args:
            tasks: those that this process owns, in the order of their index; the whole batch if it is alone.
            work: what differentiates tasks side by side.

        Raises:
            GradientFault: a gradient is not finite; the update is undone.
            TrainingFault: the processes have made unlike versions; the update is undone.
            GroupFault: another process is gone or does not answer.
        """
        statistics = self._statistics
        if self._unmeasured:
            batch = [task.trajectory for task in tasks if task.trajectory is not None]
            specs = [network.spec for network in self._networks]
            statistics = measured(batch, specs, self._statistics, self.environment, self.config, self._add_statistics)
            found = work(lambda trajectory: self._differentiated(trajectory, statistics), batch)
            kept = batch if self.config.loss.reduction == "sequential" else [None] * len(batch)
            tasks = [
                TaskSums(policies, task.totals, trajectory)
                for policies, task, trajectory in zip(found, tasks, kept, strict=True)
            ]
        before = [network.flat.detach().clone() for network in self._networks], self.optimiser_state, self._statistics
        try:
            steps = self._sequence(tasks, statistics, work) if self._one_by_one else self._passes(tasks, work)
            report = self._learn(tasks, steps, work)
            version = make(self.update + 1, self._tensors())
            see_equal(self.group, f"version {self.update + 1}", version.sha256)
        except TrainingFault:
            self._undo(*before)
            raise
        self.update += 1
        self.versions[self.update] = version
        for old in [old for old in self.versions if not needed(self.config, self.update, old)]:
            del self.versions[old]
        return report

    def _learn(self, tasks: Sequence[TaskSums], steps: Sequence[Step], work: Work) -> UpdateReport:
        """What changes once the steps are made: running statistics, slow copies, means of signal and noise."""
        batch, episodes = [task.policies for task in tasks], [task.totals for task in tasks]
        sizes, everything = self._observed, self.config.tasks
        total = batch_totals(batch, episodes, steps[-1].ratio_max, sizes, everything, self.group)
        first = steps[0].totals
        if self._one_by_one:
            first = self._added([[part.step for part in task] for task in batch], everything, work)
        signals = []
        self._statistics = list(self._statistics)
        for place, network in enumerate(self._networks):
            self._statistics[place] = self._statistics[place].after(total.statistics[place])
            if self._has_slow:
                self._slow[place].flat.detach().lerp_(network.flat.detach(), self.config.value.slow)
            told = quality.signal_and_noise(first[place])
            self._signals[place].lerp_(torch.from_numpy(told), 1.0 - quality.SIGNAL_MEMORY)
            signals.append(quality.ratio(*self._signals[place].tolist()))
        return self._report(total, steps, float(np.mean(signals)))

    @property
    def _observed(self) -> list[int]:
        """How many numbers the statistics of each policy's observations have."""
        return [0 if known.observation is None else len(known.observation) for known in self._statistics]

    def _add_statistics(self, tasks: Sequence[Sequence[StatisticSums]]) -> list[StatisticSums]:
        return added_statistics(tasks, self._observed, self.config.tasks, self.group)

    def _added(self, sums: Sequence[Sequence[StepSums]], tasks: int, work: Work) -> list[StepTotals]:
        lengths = [len(network.flat) for network in self._networks]
        return step_totals(sums, lengths, tasks, self.group, self._device, work)

    @property
    def _one_by_one(self) -> bool:
        return self.config.loss.reduction == "sequential"

    def _passes(self, tasks: Sequence[TaskSums], work: Work) -> list[Step]:
        """Go through the batch `update.passes` times, a step for each minibatch, unless the policy is far enough from
        the one that acted before that."""
        steps: list[Step] = []
        mine = dict(zip(own(self.group, self.config.tasks), tasks, strict=True))
        for _, group in product(range(self.config.update.passes), self._groups()):
            chosen = {index: mine[index] for index in group if index in mine}
            if steps:
                sums = list(work(self._again, chosen.values()))
            else:
                sums = [[part.step for part in task.policies] for task in chosen.values()]
            step = self._step(sums, list(chosen), len(group), work, go_on=self._near if steps else None)
            if step is None:
                break
            steps.append(step.without_gradients() if steps else step)
        return steps

    def _again(self, task: TaskSums) -> list[StepSums]:
        return reinforce.repeated_sums(self._networks, [part.material for part in task.policies], self.config)

    def _near(self, step: Step) -> bool:
        limit = self.config.loss.target_kl
        return limit is None or step.mean("divergence") <= limit

    def _sequence(self, tasks: Sequence[TaskSums], statistics: Sequence[Statistics], work: Work) -> list[Step]:
        """One step for every agent, each by its own mean on the weights that the agent before it left."""
        played = [task.trajectory for task in tasks if task.trajectory is not None]
        steps = []
        for agent in range(len(self.environment.agents)):
            found = [self._differentiated(trajectory, statistics, [agent]) for trajectory in played]
            sums = [[part.step for part in policies] for policies in found]
            step = self._step(sums, own(self.group, self.config.tasks), self.config.tasks, work, agent=agent)
            if step is not None:
                steps.append(step)
        return steps

    def _step(
        self,
        sums: Sequence[Sequence[StepSums]],
        indices: Sequence[int],
        tasks: int,
        work: Work,
        agent: int | None = None,
        go_on: Callable[[Step], bool] | None = None,
    ) -> Step | None:
        """One optimiser step for every policy, or for the policy of one agent; None if `go_on` is against it.

        `sums` are those of this process's tasks, which have these indices, among so many tasks.
        """
        clipped: dict[int, optimiser.Clipped] = {}
        totals = self._added(sums, tasks, work)
        for place, (network, total) in enumerate(zip(self._networks, totals, strict=True)):
            if agent is None or agent in network.spec.agents:
                z = reduction.divisor(network.spec, total.steps, total.lives, tasks, self.environment, self.config)
                mean = (total.gradient / z).to(network.flat.dtype)
                clipped[place] = optimiser.clip(mean, self.config.optimiser.clip)
        if not all(np.isfinite(part.norm) for part in clipped.values()):
            raise self._fault(sums, indices)
        step = Step(totals, list(clipped.values()), greatest_of(sums, "ratio_max"))
        if go_on is not None and not go_on(step):
            return None
        rate = self._learning_rate(self.update)
        for place, part in clipped.items():
            weights, state = self._networks[place].flat.detach(), self._optimisers[place]
            optimiser.step(self.config.optimiser, weights, part.gradient, state, rate)
        return step

    def _undo(self, weights: Sequence[Tensor], state: Tensors, statistics: Sequence[Statistics]) -> None:
        """Stand where the update began."""
        self._statistics = list(statistics)
        for network, flat in zip(self._networks, weights, strict=True):
            network.flat.detach().copy_(flat)
        for name, value in self._state():
            value.copy_(torch.from_numpy(state[name]))

    def _learning_rate(self, update: int) -> float:
        settings = self.config.optimiser
        rise = min(1.0, (update + 1) / (settings.warm_up + 1))
        return rise * value_at(settings.learning_rate, update)

    def _tensors(self) -> Tensors:
        tensors: Tensors = {}
        for network, statistics in zip(self._networks, self._statistics, strict=True):
            tensors |= network.tensors() | statistics.tensors(network.spec)
        return tensors

    def _fault(self, sums: Sequence[Sequence[StepSums]], indices: Sequence[int]) -> GradientFault:
        """Which task it was: the first of all processes' that is to blame."""
        guilty = [
            index
            for index, task in zip(indices, sums, strict=True)
            if any(part.gradient is not None and not bool(part.gradient.isfinite().all()) for part in task)
        ]
        found = torch.tensor([-min(guilty, default=self.config.tasks)])
        first = -int(self.group.largest(found))
        if first < self.config.tasks:
            told = f"the gradient of task ({self.update}, {first}) is not finite; the step was not taken"
            return GradientFault(told, first)
        told = f"the gradient of update {self.update} is not finite, though every task's is; the step was not taken"
        return GradientFault(told)

    def _report(self, total: BatchTotals, steps: Sequence[Step], signal_to_noise: float) -> UpdateReport:
        done, last = self.update, steps[-1]
        returns = mean_returns(total.episodes, self.config, done)
        gradients = [part for step in steps for part in step.clipped]
        explained = map(quality.explained_variance, total.returns, total.residual)
        return UpdateReport(
            update=done,
            version=done + 1,
            collected_by=version_for(done, self.config.lag),
            totals=total.episodes,
            individual_return=returns[0],
            team_return=returns[1],
            mixed_return=returns[2],
            gradient_norm=steps[0].norm,
            clipped=sum(part.shortened for part in gradients) / len(gradients),
            signal_to_noise=signal_to_noise,
            loss=total.loss / max(1, total.steps),
            entropy=total.entropy / max(1, total.steps),
            explained_variance=float(np.mean(list(explained))),
            disagreement=total.disagreement,
            passes=1.0 if self._one_by_one else len(steps) / self.config.minibatches,
            kl=last.mean("divergence"),
            surrogate_clipped=last.mean("shortened"),
            ratio_mean=last.mean("ratio"),
            ratio_max=total.ratio_max,
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
