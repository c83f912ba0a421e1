"""The averaged REINFORCE gradient, task by task: pure functions from (networks, trajectory) to sums.

One loss over all agents of all episodes (`loss.py`), with one backward pass per task and one optimiser step per batch,
or several where the batch is used more than once:

    gradient = (1/Z) sum_task gradient of the task's summed loss

Since Z belongs to the whole batch, a task yields its sum with Z = 1 (`reduction.py` adds up and divides). What a task
is worth (returns, baselines, advantages, targets of a value) is found out once, by the weights that the update begins
with; later steps differentiate the same `Sample` again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chorus.common.environments.interface import EnvironmentSpec, FloatArray
from chorus.common.policy.sharing import PolicySpec
from chorus.common.settings.config import Config
from chorus.common.settings.schedule import value_at
from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.gradient.loss import Sample, StepSums, step_sums
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
from chorus.learner.gradient.team_view import everyone, team_inputs
from chorus.learner.gradient.value import slow_value
from chorus.learner.gradient.worth import worth_of


@dataclass(frozen=True)
class PolicySums:
    """What one task contributes to an update of one policy.

    Attributes:
        step: to its first step.
        statistics: to the version's running statistics.
        returns: `[time, 3]`, count, sum and sum of squares of returns at each step of the episode.
        residual: the same of returns less their baseline.
        sample: what further steps differentiate; None if nobody acted by this policy.
    """

    step: StepSums
    statistics: StatisticSums
    returns: Sums
    residual: Sums
    sample: Sample | None


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
    everybody = everyone(trajectory, specs, statistics) if _sees_team(config) else None
    sums = []
    for number, data in enumerate(policy_data(trajectory, specs, scales, environment, config, agents)):
        network = networks[number]
        source = network if slow is None else slow[number]
        known = statistics[number]
        sums.append(_policy_sums(data, network, source, known, scales[number], everybody, config, differentiate))
    return sums


def repeated_sums(networks: Sequence[Network], samples: Sequence[Sample | None], config: Config) -> list[StepSums]:
    """One task's contribution to a later step of the same update, by the weights that the steps before it left."""
    sums = []
    for network, sample in zip(networks, samples, strict=True):
        if sample is None:
            sums.append(StepSums())
        else:
            outputs = network.forward(sample.inputs, sample.lives, sample.seen)
            sums.append(step_sums(network, outputs, sample, config, surrogate=True, on_policy=False))
    return sums


def _sees_team(config: Config) -> bool:
    return config.loss.baseline == "value" and config.value.sees == "team"


def _policy_sums(
    data: PolicyData,
    network: Network,
    slow: Network,
    statistics: Statistics,
    reward_scale: float,
    everybody: FloatArray | None,
    config: Config,
    differentiate: bool,
) -> PolicySums:
    trajectory, device, dtype = data.trajectory, network.flat.device, network.flat.dtype
    acted = data.grid(trajectory.acted)
    reward_sums = power_sums(data.rewards[data.living] * reward_scale)
    if not acted.any():
        nothing = np.zeros((len(acted), 3))
        return PolicySums(StepSums(), StatisticSums.nothing(reward_sums), nothing, nothing, None)
    steps = PackedSteps.of(data, device)
    raw = steps.inputs(data)
    seen = None if everybody is None else _team_seen(everybody, data, steps).to(dtype)
    several = config.update.passes * config.minibatches > 1
    sample = Sample(
        lives=steps.lives,
        inputs=_normalise(raw, statistics).to(device, dtype),
        seen=seen,
        actions=steps.select(data.grid(trajectory.actions)[:, :, : data.spec.agent.action_size]),
        allowed=_allowed(data, steps),
        behaviour=steps.select(data.grid(trajectory.log_probabilities)).to(dtype),
        advantage=torch.empty(0),
        target=None,
        weights=steps.weights(config.loss.reduction).to(dtype),
        bonus=value_at(config.loss.entropy, trajectory.task.update),
    )
    outputs = network.forward(sample.inputs, sample.lives, sample.seen)
    source = outputs.value
    if source is not None and slow is not network:
        source = slow_value(slow, sample.inputs, sample.seen, sample.lives)
    worth = worth_of(data, steps, outputs.value, source, statistics, config)
    raw_advantage = steps.select(worth.credit - worth.baseline).to(dtype)
    sample = replace(
        sample,
        advantage=raw_advantage / statistics.advantage_scale(config),
        target=None if worth.target is None else steps.select(worth.target).to(dtype),
    )
    return PolicySums(
        step=step_sums(
            network,
            outputs,
            sample,
            config,
            surrogate=several and config.lag > 0,
            on_policy=config.lag == 0,
            differentiate=differentiate,
        ),
        statistics=StatisticSums(
            steps.lives.count,
            float(raw_advantage.double().square().sum()),
            power_sums(worth.returns[acted]),
            reward_sums,
            _observed(raw, data.spec, statistics),
        ),
        returns=_sums_of_steps(worth.returns, acted),
        residual=_sums_of_steps(worth.returns - worth.baseline, acted),
        sample=sample if several else None,
    )


def _team_seen(everybody: FloatArray, data: PolicyData, steps: PackedSteps) -> Tensor:
    shown = team_inputs(everybody, data.spec)
    if len(data.agents) != len(data.spec.agents):
        shown = shown[:, :, [data.spec.agents.index(agent) for agent in data.agents]]
    return steps.select(shown.reshape(len(shown), data.rows, -1))


def _allowed(data: PolicyData, steps: PackedSteps) -> Tensor | None:
    masks = data.trajectory.action_masks
    if data.spec.agent.bounds or not masks.size:
        return None
    return steps.select(data.grid(masks)[:, :, : data.spec.output_size])


def _sums_of_steps(values: Values, acted: NDArray[np.bool_]) -> Sums:
    """`[time, 3]`: count, sum and sum of squares of the values of those who acted, step by step."""
    held = np.where(acted, values, 0.0)
    return np.stack([acted.sum(axis=1), held.sum(axis=1), np.square(held).sum(axis=1)], axis=1).astype(np.float64)


def _observed(raw: Tensor, spec: PolicySpec, statistics: Statistics) -> Sums | None:
    if statistics.observation is None:
        return None
    return observation_sums(raw[:, : spec.agent.observation_size].numpy())


def _normalise(inputs: Tensor, statistics: Statistics) -> Tensor:
    """As the actor does: subtract the mean, multiply by the inverse deviation; an agent id behind it stays."""
    if statistics.observation is None:
        return inputs
    mean, scale = (torch.from_numpy(part) for part in statistics.normaliser())
    size = len(mean)
    return torch.cat([(inputs[:, :size] - mean) * scale, inputs[:, size:]], dim=1)
