"""The averaged REINFORCE gradient, task by task: pure functions from (networks, trajectory) to sums.

One loss over all agents of all episodes, with one backward pass per task and one optimiser step per update:

    L = -(1/Z) sum_{episode, agent, t} w min(rho, c) A_t log pi(a_t | h_t)  -  beta (1/Z) sum w H(pi(. | h_t))
        + (1/Z) sum w v (V_t - target_t)^2 / 2          (with a learned baseline, in units of the returns' deviation)

(Williams 1992). `rho` is the importance ratio pi/mu, detached, clipped at c (Espeholt et al. 2018) and 1 by definition
at lag 0; `w` is 1, or with `agent_mean` one over the length of the step's life. Since Z belongs to the whole batch, a
task yields its sum with Z = 1; `reduce` adds the sums up in the order of tasks, in float64, and divides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from common.config import Config
from common.environment import EnvironmentSpec
from common.schedule import value_at
from common.sharing import PolicySpec
from common.trajectory import Trajectory
from learner.distribution import categorical, squashed_gaussian
from learner.lives import Lives, pack
from learner.network import Network
from learner.returns import Values, alive, discounted, leave_one_out, mixed_returns, split_rewards
from learner.statistics import Statistics, StatisticSums, observation_sums, power_sums
from learner.targets import lambda_returns, step_returns

Packing = Callable[[NDArray[Any]], Tensor]


@dataclass(frozen=True)
class Figures:
    """What happened in a task's episodes, undiscounted and summed over episodes and agents."""

    episodes: int
    env_steps: int
    agent_steps: int
    individual_return: float
    team_return: float


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
        residual: `[3]`, count, sum and sum of squares of returns less their baseline.
    """

    gradient: Tensor | None
    statistics: StatisticSums
    lives: int = 0
    loss: float = 0.0
    entropy: float = 0.0
    ratio: float = 0.0
    ratio_max: float = 0.0
    disagreement: float = 0.0
    residual: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))

    @property
    def steps(self) -> int:
        """Agent-steps."""
        return self.statistics.steps


@dataclass(frozen=True)
class Part:
    """One policy's side of a task, every array over its own agents: K episodes of n agents are `rows = K n` rows.

    Attributes:
        trajectory: the whole task.
        spec: the policy.
        agents: its agents' places on the environment's agent axis; fewer for `sequential`.
        rewards: `[time, episode, agent]`, mixed and scaled.
        team_tail: `[time, episode, 1]`, discounted, mixed and scaled team rewards after each step.
        returns: `[time, episode, agent]`, of the mixed and scaled rewards.
        living: bool `[time, episode, agent]`.
    """

    trajectory: Trajectory
    spec: PolicySpec
    agents: list[int]
    rewards: Values
    team_tail: Values
    returns: Values
    living: NDArray[np.bool_]

    @property
    def rows(self) -> int:
        """Episodes times agents."""
        return int(self.returns.shape[1]) * len(self.agents)

    def grid(self, values: NDArray[Any]) -> NDArray[Any]:
        """This policy's part of an array over `[time, episode, agent, ...]`, as `[time, row, ...]`."""
        own = values if len(self.agents) == values.shape[2] else values[:, :, self.agents]
        return own.reshape(len(own), self.rows, *values.shape[3:])


def figures(trajectory: Trajectory, environment: EnvironmentSpec, config: Config) -> Figures:
    """Count what happened; the team return counts once for every agent of the team."""
    individual, team = split_rewards(trajectory, config, environment.team_reward)
    return Figures(
        episodes=len(trajectory.lengths),
        env_steps=trajectory.env_steps,
        agent_steps=trajectory.agent_steps,
        individual_return=float(individual.sum()),
        team_return=float(team.sum()) * len(environment.agents),
    )


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
        part = Part(
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
    part: Part, network: Network, slow: Network, statistics: Statistics, reward_scale: float, config: Config
) -> PolicySums:
    spec, trajectory = part.spec, part.trajectory
    device, dtype = network.flat.device, network.flat.dtype
    acted = part.grid(trajectory.acted)
    observed = spec.inputs(trajectory.observations)
    if len(part.agents) != len(spec.agents):
        observed = observed[:, :, [spec.agents.index(agent) for agent in part.agents]]
    observed = observed.reshape(-1, spec.input_size)
    reward_sums = power_sums(part.rewards[part.living] * reward_scale)
    if not acted.any():
        return PolicySums(None, StatisticSums(0, 0.0, np.zeros(3), reward_sums, None))
    learned = config.loss.baseline == "value"
    looks = part.grid(trajectory.truncated & alive(trajectory)) if learned else None
    lives = pack(acted, part.grid(trajectory.terminated | trajectory.truncated), looks)
    if looks is not None and looks.any():
        observed = np.concatenate([observed, _look_inputs(part, looks)])
    order = lives.steps
    real = np.ones(lives.count, np.bool_) if order is None else order < acted.size

    def packed(values: NDArray[Any]) -> Tensor:
        """`[time, row, ...]` as `[acted step, ...]` in packed order, writable: what the wire brings is read-only."""
        flat = values.reshape(acted.size, *values.shape[2:])
        return torch.from_numpy(np.require(flat if order is None else flat[order[real]], requirements=("C", "W"))).to(
            device
        )

    inputs = torch.from_numpy(np.require(observed if order is None else observed[order], requirements=("C", "W")))
    statistic = (
        None
        if statistics.observation is None
        else observation_sums(inputs[torch.from_numpy(real)][:, : spec.agent.observation_size].numpy())
    )
    inputs = _normalise(inputs, statistics).to(device, dtype)
    outputs = network.forward(inputs, lives)
    keep = slice(None) if real.all() else torch.from_numpy(real).to(device)
    log_probability, entropy = _judge(part, network, outputs.policy[keep], packed)
    behaviour = packed(part.grid(trajectory.log_probabilities)).to(dtype)
    ratio = torch.exp(log_probability.detach() - behaviour) if config.lag else torch.ones_like(behaviour)
    weight = life_weights(lives, real, config.loss.reduction).to(device, dtype)
    credit, baseline, target = part.returns.reshape(acted.shape), np.zeros(acted.shape), None
    mean, deviation = 0.0, 1.0
    if config.loss.baseline == "leave_one_out":
        baseline = leave_one_out(part.returns, config.loss.pool).reshape(acted.shape)
    elif outputs.value is not None:
        mean, deviation = statistics.value_terms()
        seen = outputs.value.detach() if slow is network else _no_grad_value(slow, inputs, lives)
        target = _targets(part, _spread(mean + deviation * seen, lives, real, acted, looks), acted, config)
        baseline = _spread(mean + deviation * outputs.value.detach(), lives, real, acted, None)[0]
        credit = target
    advantage = packed(credit - baseline).to(dtype)
    scale = statistics.advantage_scale(config)
    limit = config.loss.importance_clip
    correction = torch.ones_like(ratio) if limit is None else torch.clamp(ratio, max=limit)
    objective = correction * (advantage / scale) * log_probability
    objective = objective + value_at(config.loss.entropy, trajectory.task.update) * entropy
    if target is not None and outputs.value is not None:
        error = outputs.value[keep] - packed((target - mean) / deviation).to(dtype)
        objective = objective - config.value.weight * 0.5 * error.square()
    loss = -(objective * weight).sum()
    gap = (log_probability.detach() - behaviour).abs() / behaviour.abs().clamp(min=1.0)
    returns = part.returns.reshape(acted.shape)[acted]
    square = float(advantage.double().square().sum())
    return PolicySums(
        gradient=network.gradient(loss),
        statistics=StatisticSums(int(real.sum()), square, power_sums(returns), reward_sums, statistic),
        lives=len(lives.lengths),
        loss=float(loss.detach()),
        entropy=float(entropy.detach().sum()),
        ratio=float(ratio.double().sum()),
        ratio_max=float(ratio.max()),
        disagreement=float(gap.max()),
        residual=power_sums(returns - baseline[acted]),
    )


def _normalise(inputs: Tensor, statistics: Statistics) -> Tensor:
    """As the actor does: subtract the mean, multiply by the inverse deviation; an agent id behind it stays."""
    if statistics.observation is None:
        return inputs
    mean, scale = (torch.from_numpy(part) for part in statistics.normaliser())
    size = len(mean)
    return torch.cat([(inputs[:, :size] - mean) * scale, inputs[:, size:]], dim=1)


def _judge(part: Part, network: Network, outputs: Tensor, packed: Packing) -> tuple[Tensor, Tensor]:
    """Log-probabilities of the actions taken, and entropies, both `[acted step]`."""
    trajectory, agent, size = part.trajectory, part.spec.agent, part.spec.agent.action_size
    actions = packed(part.grid(trajectory.actions)[:, :, :size])
    if agent.bounds:
        return squashed_gaussian(outputs, network.parameters["log_std"], actions.to(outputs.dtype), agent.bounds)
    if trajectory.action_masks.size:
        allowed = packed(part.grid(trajectory.action_masks)[:, :, : part.spec.output_size])
        outputs = outputs.masked_fill(~allowed, -torch.inf)
    return categorical(outputs, actions, agent.choices)


# -- the learned baseline


def _look_inputs(part: Part, looks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The inputs `[look, input]` of what the truncated saw last, in the order of `np.argwhere(looks)`."""
    trajectory, spec = part.trajectory, part.spec
    numbers = (np.cumsum(trajectory.truncated) - 1).reshape(trajectory.truncated.shape)
    final: NDArray[np.float32] = trajectory.final_observations[part.grid(numbers)[looks]]
    final = final[:, : spec.agent.observation_size]
    if not spec.identified:
        return final
    agent = np.argwhere(looks)[:, 1] % len(part.agents)
    places = np.array([spec.agents.index(number) for number in part.agents])[agent]
    return np.concatenate([final, np.eye(len(spec.agents), dtype=np.float32)[places]], axis=1)


def _no_grad_value(network: Network, inputs: Tensor, lives: Lives) -> Tensor:
    with torch.no_grad():
        value = network.forward(inputs, lives).value
    if value is None:
        raise ValueError("the slow copy has no value")
    return value


def _spread(
    values: Tensor, lives: Lives, real: NDArray[np.bool_], acted: NDArray[np.bool_], looks: NDArray[np.bool_] | None
) -> tuple[Values, Values]:
    """Packed values back on the grid: `[time, row]` at the steps acted at, and `[time, row]` at the last looks."""
    exact = values.double().cpu().numpy()
    at_steps, at_looks = np.zeros(acted.shape), np.zeros(acted.shape)
    if lives.steps is None:
        return exact.reshape(acted.shape), at_looks
    at_steps.ravel()[lives.steps[real]] = exact[real]
    if looks is not None and looks.any():
        flat = np.zeros(int(looks.sum()))
        flat[lives.steps[~real] - acted.size] = exact[~real]
        at_looks[looks] = flat
    return at_steps, at_looks


def _targets(part: Part, values: tuple[Values, Values], acted: NDArray[np.bool_], config: Config) -> Values:
    """What the value is fitted to, `[time, row]`."""
    discount = config.loss.discount
    truncated = part.grid(part.trajectory.truncated)
    ended = part.grid(part.trajectory.terminated) | truncated
    after_death = np.broadcast_to(part.team_tail, part.returns.shape).reshape(acted.shape)
    tails = np.where(truncated, discount * values[1], after_death)
    rewards = part.rewards.reshape(acted.shape)
    if config.value.steps is not None:
        return step_returns(rewards, values[0], acted, ended, tails, discount, config.value.steps)
    return lambda_returns(rewards, values[0], acted, ended, tails, discount, config.value.trace)


# -- from tasks to a batch


def life_weights(lives: Lives, real: NDArray[np.bool_], reduction: str) -> Tensor:
    """`[acted step]`: 1, or with `agent_mean` one over the acted steps of the step's life."""
    if reduction != "agent_mean":
        return torch.ones(1)
    life = lives.life_of_step[real]
    return torch.from_numpy(1.0 / np.bincount(life)[life])


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


def signal_to_noise(sums: Sequence[PolicySums]) -> float:
    """`|mean|^2 / variance of the mean` of the tasks' gradients: below 1 an update is mostly noise; NaN for one
    task."""
    gradients = [part.gradient.double() for part in sums if part.gradient is not None]
    if len(gradients) < 2:
        return float("nan")
    stacked = torch.stack(gradients)
    variance = float(stacked.var(dim=0).sum()) / len(gradients)
    return float(stacked.mean(dim=0).square().sum()) / max(variance, 1e-300)


def explained_variance(sums: Sequence[PolicySums]) -> float:
    """`1 - Var(return - baseline) / Var(return)`: 1 for a perfect baseline, 0 for none."""
    credit, residual = (
        sum(parts, np.zeros(3)) for parts in zip(*((p.statistics.credit, p.residual) for p in sums), strict=True)
    )
    variance = [total[2] / max(total[0], 1.0) - (total[1] / max(total[0], 1.0)) ** 2 for total in (credit, residual)]
    return float(1.0 - variance[1] / variance[0]) if variance[0] > 0.0 else float("nan")
