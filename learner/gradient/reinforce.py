"""The averaged REINFORCE gradient, task by task: pure functions from (networks, trajectory) to sums.

One loss over all agents of all episodes (`loss.py`), with one backward pass per task and one optimiser step per batch,
or several where the batch is used more than once:

    gradient = (1/Z) sum_task gradient of the task's summed loss

Since Z belongs to the whole batch, a task yields its sum with Z = 1 (`reduction.py` adds up and divides). Large tasks
are differentiated block by block (`blocks.py`). Returns, baselines, advantages and value targets are estimated
once, by the weights that the update begins with; later steps differentiate the same `Material` again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.policy.sharing import PolicySpec
from chorus.common.settings.config import Config
from chorus.common.settings.schedule import value_at
from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.gradient.advantage import estimate_advantage, plain_baseline
from chorus.learner.gradient.blocks import blocks, step_bytes
from chorus.learner.gradient.loss import StepSums, step_sums
from chorus.learner.gradient.material import Material, Normalisation
from chorus.learner.gradient.network import Network
from chorus.learner.gradient.packed_steps import PackedSteps
from chorus.learner.gradient.policy_data import PolicyData
from chorus.learner.gradient.returns import (
    Values,
    alive,
    discounted,
    mixed_returns,
    split_rewards,
)
from chorus.learner.gradient.running_statistics import Statistics, StatisticSums, Sums, observation_sums, power_sums
from chorus.learner.gradient.value import slow_value


@dataclass(frozen=True)
class PolicySums:
    """What one task contributes to an update of one policy.

    Attributes:
        step: to its first step.
        statistics: to the version's running statistics.
        returns: `[time, 3]`, count, sum and sum of squares of returns at each step of the episode.
        residual: the same of returns less their baseline.
        material: what further steps differentiate, block by block; nothing if there are none, or nobody acted by this
            policy.
    """

    step: StepSums
    statistics: StatisticSums
    returns: Sums
    residual: Sums
    material: tuple[Material, ...]

    def __add__(self, other: PolicySums) -> PolicySums:
        """Of two blocks of one task, the first one first."""
        return PolicySums(
            self.step + other.step,
            self.statistics + other.statistics,
            self.returns + other.returns,
            self.residual + other.residual,
            self.material + other.material,
        )


def policy_data(
    trajectory: Trajectory,
    specs: Sequence[PolicySpec],
    scales: Sequence[float],
    environment: EnvironmentSpec,
    config: Config,
    agents: Sequence[int] | None = None,
) -> list[PolicyData]:
    """Every policy's side of a task: rewards and returns, mixed and scaled.

    Args:
        trajectory: the task's episodes.
        specs: the policies.
        scales: what each policy's rewards are divided by.
        environment: that the trajectory is from.
        config: the run's.
        agents: leave all other agents out; None for everybody.
    """
    individual, team = split_rewards(trajectory, config, environment.team_reward)
    update = trajectory.task.update
    weights = value_at(config.reward.individual, update), value_at(config.reward.team, update)
    ended = trajectory.terminated | trajectory.truncated
    living = alive(trajectory)
    returns = mixed_returns(individual, team, ended, weights, config.loss.discount)
    rewards = weights[0] * individual + np.where(living, weights[1] * team[:, :, None], 0.0)
    rest = discounted(team, config.loss.discount)
    tail = weights[1] * config.loss.discount * np.concatenate([rest[1:], np.zeros_like(rest[:1])])
    found = []
    for spec, scale in zip(specs, scales, strict=True):
        chosen = [agent for agent in spec.agents if agents is None or agent in agents]
        found.append(
            PolicyData(
                trajectory,
                spec,
                chosen,
                rewards[:, :, chosen] / scale,
                tail[:, :, None] / scale,
                returns[:, :, chosen] / scale,
                living[:, :, chosen],
            )
        )
    return found


def task_sums(
    trajectory: Trajectory,
    networks: Sequence[Network],
    statistics: Sequence[Statistics],
    environment: EnvironmentSpec,
    config: Config,
    slow: Sequence[Network] | None = None,
    agents: Sequence[int] | None = None,
    differentiate: bool = True,
) -> list[PolicySums]:
    """One task's contribution to every policy's update and its first step, with Z = 1.

    Args:
        trajectory: the task's episodes.
        networks: one per policy, holding the weights that are differentiated.
        statistics: one per policy, at the version that is differentiated.
        environment: that the trajectory is from.
        config: the run's.
        slow: one per policy, the copies that value targets are read from; None for the networks themselves.
        agents: leave all other agents out; None for everybody.
        differentiate: whether the task takes part in the first step.
    """
    specs = [network.spec for network in networks]
    scales = [known.reward_scale(config) for known in statistics]
    normalisation = Normalisation(specs, statistics, config.loss.baseline == "value" and config.value.sees == "team")
    sums = []
    for number, data in enumerate(policy_data(trajectory, specs, scales, environment, config, agents)):
        network = networks[number]
        source = network if slow is None else slow[number]
        sums.append(_policy_sums(data, network, source, number, scales[number], normalisation, config, differentiate))
    return sums


def repeated_sums(
    networks: Sequence[Network], materials: Sequence[Sequence[Material]], config: Config
) -> list[StepSums]:
    """One task's contribution to a later step of the same update, by the weights that the steps before it left.

    Args:
        networks: one per policy.
        materials: what `task_sums` left of each policy's blocks.
        config: the run's.
    """
    found = []
    for network, blocks_of in zip(networks, materials, strict=True):
        steps = (_repeated(network, material, config) for material in blocks_of)
        found.append(reduce(add, steps, StepSums()).rounded(network.flat.dtype))
    return found


def _repeated(network: Network, material: Material, config: Config) -> StepSums:
    sample = material.sample(config)
    outputs = network.forward(sample.inputs, sample.lives, sample.seen)
    return step_sums(network, outputs, sample, config, surrogate=True, on_policy=False)


def _policy_sums(
    data: PolicyData,
    network: Network,
    slow: Network,
    number: int,
    reward_scale: float,
    normalisation: Normalisation,
    config: Config,
    differentiate: bool,
) -> PolicySums:
    acted = data.grid(data.trajectory.acted)
    reward_sums = power_sums(data.rewards[data.living] * reward_scale)
    if not acted.any():
        nothing = np.zeros((len(acted), 3))
        return PolicySums(StepSums(), StatisticSums.nothing(reward_sums), nothing, nothing, ())
    plain = plain_baseline(data, config)
    steps, rows = acted.shape
    found = (
        _block_sums(data.within(block), plain, network, slow, number, normalisation, config, differentiate)
        for block in blocks(steps, rows, step_bytes(network.spec, config))
        if acted[:, block].any()
    )
    total = reduce(add, found)
    return replace(
        total,
        step=total.step.rounded(network.flat.dtype),
        statistics=replace(total.statistics, reward=reward_sums),
    )


def _block_sums(
    data: PolicyData,
    plain: Values,
    network: Network,
    slow: Network,
    number: int,
    normalisation: Normalisation,
    config: Config,
    differentiate: bool,
) -> PolicySums:
    """What some rows contribute, but for rewards."""
    device, dtype = network.flat.device, network.flat.dtype
    statistics = normalisation.statistics[number]
    acted = data.grid(data.trajectory.acted)
    steps = PackedSteps.of(data, device)
    several = config.update.passes * config.minibatches > 1
    material = Material(data, steps, normalisation, statistics, dtype, torch.empty(0))
    raw = material.raw()
    sample = material.sample(config, raw)
    outputs = network.forward(sample.inputs, sample.lives, sample.seen)
    source = outputs.value
    if source is not None and slow is not network:
        source = slow_value(slow, sample.inputs, sample.seen, sample.lives)
    estimate = estimate_advantage(data, steps, plain, outputs.value, source, statistics, config)
    raw_advantage = steps.select(estimate.credit - estimate.baseline).to(dtype)
    advantage = raw_advantage / statistics.advantage_scale(config)
    target = None if estimate.target is None else steps.select(estimate.target).to(dtype)
    return PolicySums(
        step=step_sums(
            network,
            outputs,
            replace(sample, advantage=advantage, target=target),
            config,
            surrogate=several and config.lag > 0,
            on_policy=config.lag == 0,
            differentiate=differentiate,
        ),
        statistics=StatisticSums(
            steps.lives.count,
            float(raw_advantage.double().square().sum()),
            power_sums(estimate.returns[acted]),
            np.zeros(3),
            _observed(raw, data.spec, statistics),
        ),
        returns=_sums_of_steps(estimate.returns, acted),
        residual=_sums_of_steps(estimate.returns - estimate.baseline, acted),
        material=(replace(material, advantage=advantage, target=target),) if several else (),
    )


def _sums_of_steps(values: Values, acted: NDArray[np.bool_]) -> Sums:
    """`[time, 3]`: count, sum and sum of squares of the values of those who acted, step by step."""
    held = np.where(acted, values, 0.0)
    return np.stack([acted.sum(axis=1), held.sum(axis=1), np.square(held).sum(axis=1)], axis=1).astype(np.float64)


def _observed(raw: Tensor, spec: PolicySpec, statistics: Statistics) -> Sums | None:
    if statistics.observation is None:
        return None
    return observation_sums(raw[:, : spec.agent.observation_size].numpy())
