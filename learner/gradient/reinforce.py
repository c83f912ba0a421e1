"""The averaged REINFORCE gradient, task by task: pure functions from (networks, trajectory) to sums.

One loss over all agents of all episodes, with one backward pass per task and one optimiser step per update:

    L = -(1/Z) sum_{episode, agent, t} w min(rho, c) A_t log pi(a_t | h_t)  -  beta (1/Z) sum w H(pi(. | h_t))
        + (1/Z) sum w v (V_t - target_t)^2 / 2          (with a learned baseline, in units of the returns' deviation)

(Williams 1992). `rho` is the importance ratio pi/mu, detached, clipped at c (Espeholt et al. 2018) and 1 by definition
at lag 0; `w` is 1, or with `agent_mean` one over the length of the step's life. Since Z belongs to the whole batch, a
task yields its sum with Z = 1; `reduce` adds the sums up in the order of tasks, in float64, and divides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.policy.sharing import PolicySpec
from chorus.common.settings.config import Config
from chorus.common.settings.schedule import value_at
from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.gradient.distribution import categorical, squashed_gaussian
from chorus.learner.gradient.network import Network
from chorus.learner.gradient.packed_steps import PackedSteps
from chorus.learner.gradient.policy_data import PolicyData
from chorus.learner.gradient.returns import alive, discounted, leave_one_out, mixed_returns, split_rewards
from chorus.learner.gradient.running_statistics import (
    Statistics,
    StatisticSums,
    Sums,
    observation_sums,
    power_sums,
    return_sums,
)
from chorus.learner.gradient.value import slow_value, value_targets


@dataclass(frozen=True)
class PolicySums:
    """What one task contributes to one policy's gradient and figures: plain sums, so that tasks add up.

    Attributes:
        gradient: flat, of the summed loss (Z = 1); None if nobody acted by this policy.
        statistics: for the version's running statistics.
        lives: sequences.
        loss: the summed loss.
        entropy: summed over agent-steps.
        ratio: importance ratios before the clip, summed.
        ratio_max: the greatest of them.
        disagreement: greatest |log pi by the learner - log pi by the actor| / max(1, |log pi|); a measure of policy
            agreement at lag 0.
        returns: `[3]`, count, sum and sum of squares of returns: with a learned baseline, of those it is to explain.
        residual: the same of returns less their baseline.
    """

    gradient: Tensor | None
    statistics: StatisticSums
    lives: int = 0
    loss: float = 0.0
    entropy: float = 0.0
    ratio: float = 0.0
    ratio_max: float = 0.0
    disagreement: float = 0.0
    returns: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    residual: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))

    @property
    def steps(self) -> int:
        """Agent-steps."""
        return self.statistics.steps


def task_sums(
    trajectory: Trajectory,
    networks: Sequence[Network],
    statistics: Sequence[Statistics],
    environment: EnvironmentSpec,
    config: Config,
    slow: Sequence[Network] | None = None,
    agents: Sequence[int] | None = None,
) -> list[PolicySums]:
    """One task's contribution to every policy's gradient, with Z = 1.

    Args:
        trajectory: the task's episodes.
        networks: one per policy, holding the weights that are differentiated.
        statistics: one per policy, at the version that is differentiated.
        environment: that the trajectory is from.
        config: the run's.
        slow: one per policy, the copies that value targets are read from; None for the networks themselves.
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
    sums = []
    for number, network in enumerate(networks):
        chosen = [agent for agent in network.spec.agents if agents is None or agent in agents]
        scale = statistics[number].reward_scale(config)
        part = PolicyData(
            trajectory,
            network.spec,
            chosen,
            rewards[:, :, chosen] / scale,
            tail[:, :, None] / scale,
            returns[:, :, chosen] / scale,
            living[:, :, chosen],
        )
        source = network if slow is None else slow[number]
        sums.append(_policy_sums(part, network, source, statistics[number], scale, config))
    return sums


def _policy_sums(
    part: PolicyData, network: Network, slow: Network, statistics: Statistics, reward_scale: float, config: Config
) -> PolicySums:
    trajectory, device, dtype = part.trajectory, network.flat.device, network.flat.dtype
    acted = part.grid(trajectory.acted)
    reward_sums = power_sums(part.rewards[part.living] * reward_scale)
    if not acted.any():
        return PolicySums(None, StatisticSums(0, 0.0, np.zeros(6), reward_sums, None))
    steps = PackedSteps.of(part, config.loss.baseline == "value", device)
    raw = steps.inputs(part)
    inputs = _normalise(raw, statistics).to(device, dtype)
    outputs = network.forward(inputs, steps.lives)
    log_probability, entropy = _judge(part, network, steps.acted_at(outputs.policy), steps)
    behaviour = steps.select(part.grid(trajectory.log_probabilities)).to(dtype)

    returns = part.returns.reshape(acted.shape)
    credit, known, baseline, beyond = returns, returns, np.zeros_like(returns), np.zeros_like(returns)
    value_loss = entropy.new_zeros(())
    weight = steps.weights(config.loss.reduction).to(dtype)
    if config.loss.baseline == "leave_one_out":
        baseline = leave_one_out(part.returns, config.loss.pool).reshape(acted.shape)
    elif outputs.value is not None:
        mean, deviation = statistics.value_terms()
        baseline = mean + deviation * steps.spread(outputs.value)[0]
        seen = outputs.value if slow is network else slow_value(slow, inputs, steps.lives)
        at_steps, at_looks = steps.spread(seen)
        targets = value_targets(part, (mean + deviation * at_steps, mean + deviation * at_looks), config)
        credit, returns, known, beyond = targets.fitted, targets.whole, targets.known, targets.beyond
        error = steps.acted_at(outputs.value) - steps.select((credit - mean) / deviation).to(dtype)
        value_loss = config.value.weight * 0.5 * (error.square() * weight).sum()

    advantage = steps.select(credit - baseline).to(dtype)
    ratio = torch.exp(log_probability.detach() - behaviour) if config.lag else torch.ones_like(behaviour)
    limit = config.loss.importance_clip
    trust = torch.ones_like(ratio) if limit is None else torch.clamp(ratio, max=limit)
    objective = trust * (advantage / statistics.advantage_scale(config)) * log_probability
    objective = objective + value_at(config.loss.entropy, trajectory.task.update) * entropy
    loss = value_loss - (objective * weight).sum()
    gap = (log_probability.detach() - behaviour).abs() / behaviour.abs().clamp(min=1.0)
    return PolicySums(
        gradient=network.gradient(loss),
        statistics=StatisticSums(
            int(steps.real.sum()),
            float(advantage.double().square().sum()),
            return_sums(known[acted], beyond[acted]),
            reward_sums,
            _observed(raw, steps, part.spec, statistics),
        ),
        lives=len(steps.lives.lengths),
        loss=float(loss.detach()),
        entropy=float(entropy.detach().sum()),
        ratio=float(ratio.double().sum()),
        ratio_max=float(ratio.max()),
        disagreement=float(gap.max()),
        returns=power_sums(returns[acted]),
        residual=power_sums((returns - baseline)[acted]),
    )


def _observed(raw: Tensor, steps: PackedSteps, spec: PolicySpec, statistics: Statistics) -> Sums | None:
    if statistics.observation is None:
        return None
    return observation_sums(steps.acted_at(raw)[:, : spec.agent.observation_size].numpy())


def _normalise(inputs: Tensor, statistics: Statistics) -> Tensor:
    """As the actor does: subtract the mean, multiply by the inverse deviation; an agent id behind it stays."""
    if statistics.observation is None:
        return inputs
    mean, scale = (torch.from_numpy(part) for part in statistics.normaliser())
    size = len(mean)
    return torch.cat([(inputs[:, :size] - mean) * scale, inputs[:, size:]], dim=1)


def _judge(part: PolicyData, network: Network, outputs: Tensor, steps: PackedSteps) -> tuple[Tensor, Tensor]:
    """Log-probabilities of the actions taken, and entropies, both `[acted step]`."""
    trajectory, agent, size = part.trajectory, part.spec.agent, part.spec.agent.action_size
    actions = steps.select(part.grid(trajectory.actions)[:, :, :size])
    if agent.bounds:
        return squashed_gaussian(outputs, network.parameters["log_std"], actions.to(outputs.dtype), agent.bounds)
    if trajectory.action_masks.size:
        allowed = steps.select(part.grid(trajectory.action_masks)[:, :, : part.spec.output_size])
        outputs = outputs.masked_fill(~allowed, -torch.inf)
    return categorical(outputs, actions, agent.choices)


def divisor(spec: PolicySpec, sums: Sequence[PolicySums], environment: EnvironmentSpec, config: Config) -> float:
    """Z: what a batch's summed loss is divided by.

    `mean`, `sequential`: its agent-steps (a ratio of two random numbers, so biased by O(1/episodes) where lengths
    vary); `agent_mean`: its lives; `fixed`: the most agent-steps it could have (unbiased); `sum`: 1.
    """
    reduction = config.loss.reduction
    if reduction in ("mean", "sequential"):
        return float(max(1, sum(part.steps for part in sums)))
    if reduction == "agent_mean":
        return float(max(1, sum(part.lives for part in sums)))
    if reduction == "fixed":
        if environment.max_steps is None:
            raise ValueError("loss.reduction fixed needs an environment that states its longest episode")
        return float(config.episodes * config.tasks * len(spec.agents) * environment.max_steps)
    return 1.0


def reduce(network: Network, sums: Sequence[PolicySums], z: float) -> Tensor:
    """The batch's gradient, flat: the tasks' sums in the order of tasks, in float64, over Z."""
    total = torch.zeros_like(network.flat, dtype=torch.float64)
    for part in sums:
        if part.gradient is not None:
            total += part.gradient
    return (total / z).to(network.flat.dtype)
