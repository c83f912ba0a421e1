"""The averaged REINFORCE gradient, task by task: pure functions from (networks, trajectory) to sums.

One loss over all agents of all episodes, with one backward pass per task and one optimiser step per update:

    L = -(1/Z) sum_{episode, agent, t} w min(rho, c) A_t log pi(a_t | h_t)  -  beta (1/Z) sum w H(pi(. | h_t))

(Williams 1992). `rho` is the importance ratio pi/mu, detached, clipped at c (Espeholt et al. 2018) and 1 by definition
at lag 0; `w` is 1, or with `agent_mean` one over the length of the step's life. Since Z belongs to the whole batch, a
task yields its sum with Z = 1; `reduce` adds the sums up in the order of tasks, in float64, and divides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from common.config import Config
from common.environment import EnvironmentSpec
from common.schedule import value_at
from common.sharing import PolicySpec
from common.trajectory import Trajectory
from learner.lives import Lives, pack
from learner.network import Network
from learner.returns import Values, leave_one_out, mixed_returns, split_rewards


@dataclass(frozen=True)
class PolicySums:
    """What one task contributes to one policy's gradient and figures: plain sums, so that tasks add up.

    Attributes:
        gradient: flat, of the summed loss (Z = 1); None if nobody acted by this policy.
        steps: agent-steps.
        lives: sequences.
        loss: the summed loss.
        entropy: summed over agent-steps.
        advantage_square: squared advantages before normalisation, summed.
        ratio: importance ratios before the clip, summed.
        ratio_max: the greatest of them.
        disagreement: greatest |log pi by the learner - log pi by the actor| / max(1, |log pi|); a measure of policy
            agreement at lag 0.
    """

    gradient: Tensor | None
    steps: int = 0
    lives: int = 0
    loss: float = 0.0
    entropy: float = 0.0
    advantage_square: float = 0.0
    ratio: float = 0.0
    ratio_max: float = 0.0
    disagreement: float = 0.0


@dataclass(frozen=True)
class Figures:
    """What happened in a task's episodes, undiscounted and summed over episodes and agents."""

    episodes: int
    env_steps: int
    agent_steps: int
    individual_return: float
    team_return: float


def figures(trajectory: Trajectory, environment: EnvironmentSpec, config: Config) -> Figures:
    """Count what happened; the team return counts once for every agent of the team."""
    individual, team = split_rewards(trajectory, config.environment.single_reward, environment.team_reward)
    return Figures(
        episodes=len(trajectory.lengths),
        env_steps=trajectory.env_steps,
        agent_steps=trajectory.agent_steps,
        individual_return=float(individual.sum()),
        team_return=float(team.sum()) * len(environment.agents),
    )


def advantages(trajectory: Trajectory, environment: EnvironmentSpec, config: Config) -> Values:
    """`[time, episode, agent]`: what an action brought beyond the baseline, over all agents; not normalised."""
    update = trajectory.task.update
    individual, team = split_rewards(trajectory, config.environment.single_reward, environment.team_reward)
    weights = value_at(config.reward.individual, update), value_at(config.reward.team, update)
    ended = trajectory.terminated | trajectory.truncated
    return mixed_returns(individual, team, ended, weights, config.loss.discount)


def task_sums(
    trajectory: Trajectory,
    networks: Sequence[Network],
    scales: Sequence[float],
    environment: EnvironmentSpec,
    config: Config,
) -> list[PolicySums]:
    """One task's contribution to every policy's gradient, with Z = 1.

    Args:
        trajectory: the task's episodes.
        networks: one per policy, holding the weights that are differentiated.
        scales: one per policy, what advantages are divided by.
        environment: that the trajectory is from.
        config: the run's.
    """
    credit = advantages(trajectory, environment, config)
    return [
        _policy_sums(trajectory, credit, network, scale, config)
        for network, scale in zip(networks, scales, strict=True)
    ]


def _policy_sums(trajectory: Trajectory, credit: Values, network: Network, scale: float, config: Config) -> PolicySums:
    spec, device, precision = network.spec, network.flat.device, network.flat.dtype
    agents = list(spec.agents)
    own = credit[:, :, agents]
    if config.loss.baseline == "leave_one_out":
        own = own - leave_one_out(own, config.loss.pool)
    time, episodes = trajectory.team_rewards.shape
    rows = episodes * len(agents)
    ended = (trajectory.terminated | trajectory.truncated)[:, :, agents].reshape(time, rows)
    lives = pack(trajectory.acted[:, :, agents].reshape(time, rows), ended)
    if not lives.count:
        return PolicySums(None)

    def packed(values: np.ndarray, *shape: int) -> Tensor:
        flat = values.reshape(time * rows, *shape)
        ordered = flat if lives.steps is None else flat[lives.steps]
        tensor = torch.from_numpy(np.require(ordered, requirements=("C", "W")))  # what the wire brings is read-only
        return tensor.to(device, precision if tensor.is_floating_point() else tensor.dtype)

    advantage = packed(own)
    logits = network.forward(packed(spec.inputs(trajectory.observations), spec.input_size), lives)
    if trajectory.action_masks.size:
        allowed = packed(trajectory.action_masks[:, :, agents, : spec.output_size], spec.output_size)
        logits = logits.masked_fill(~allowed, -torch.inf)
    actions = packed(trajectory.actions[:, :, agents, : len(spec.agent.choices)], len(spec.agent.choices))
    log_probability, entropy = log_probability_and_entropy(logits, actions, spec.agent.choices)
    behaviour = packed(trajectory.log_probabilities[:, :, agents])
    ratio = torch.exp(log_probability.detach() - behaviour) if config.lag else torch.ones_like(behaviour)
    weight = life_weights(lives, config.loss.reduction).to(device, precision)
    clipped = torch.clamp(ratio, max=config.loss.importance_clip)
    objective = clipped * (advantage / scale) * log_probability
    bonus = value_at(config.loss.entropy, trajectory.task.update) * entropy
    loss = -((objective + bonus) * weight).sum()
    gap = (log_probability.detach() - behaviour).abs() / behaviour.abs().clamp(min=1.0)
    return PolicySums(
        gradient=network.gradient(loss),
        steps=lives.count,
        lives=len(lives.lengths),
        loss=float(loss.detach()),
        entropy=float(entropy.detach().sum()),
        advantage_square=float(advantage.double().square().sum()),
        ratio=float(ratio.double().sum()),
        ratio_max=float(ratio.max()),
        disagreement=float(gap.max()),
    )


def log_probability_and_entropy(logits: Tensor, actions: Tensor, choices: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Log-probability of the actions taken, and entropy, summed over components.

    Args:
        logits: `[step, output]`, -inf where a choice is masked.
        actions: int32 `[step, component]`.
        choices: number of choices of each component; they add up to `output`.

    Returns:
        two `[step]`, in the precision of the logits.
    """
    log_probability = logits.new_zeros(len(logits))
    entropy = logits.new_zeros(len(logits))
    start = 0
    for component, size in enumerate(choices):
        scores = torch.log_softmax(logits[:, start : start + size], dim=1)
        log_probability = log_probability + scores.gather(1, actions[:, component : component + 1].long())[:, 0]
        finite = scores.masked_fill(torch.isinf(scores), 0.0)
        entropy = entropy - (scores.exp() * finite).sum(dim=1)
        start += size
    return log_probability, entropy


def life_weights(lives: Lives, reduction: str) -> Tensor:
    """float64 `[step]`: 1, or with `agent_mean` one over the length of the step's life."""
    if reduction != "agent_mean":
        return torch.ones(1, dtype=torch.float64)
    return torch.from_numpy(1.0 / lives.lengths[lives.life_of_step])


def divisor(spec: PolicySpec, sums: Sequence[PolicySums], environment: EnvironmentSpec, config: Config) -> float:
    """Z: what a batch's summed loss is divided by.

    `mean`: its agent-steps (a ratio of two random numbers, so biased by O(1/episodes) where lengths vary);
    `agent_mean`: its lives; `fixed`: the most agent-steps it could have (unbiased); `sum`: 1.
    """
    reduction = config.loss.reduction
    if reduction == "mean":
        return float(max(1, sum(part.steps for part in sums)))
    if reduction == "agent_mean":
        return float(max(1, sum(part.lives for part in sums)))
    if reduction == "fixed":
        if environment.max_steps is None:
            raise ValueError("loss.reduction fixed needs an environment that states its longest episode")
        return float(config.episodes * config.tasks * len(spec.agents) * environment.max_steps)
    return 1.0


def reduce(network: Network, sums: Sequence[PolicySums], z: float) -> Tensor:
    """The batch's gradient, flat, as precise as the network: tasks summed in their order, in float64, over Z."""
    total = torch.zeros_like(network.flat, dtype=torch.float64)
    for part in sums:
        if part.gradient is not None:
            total += part.gradient
    return (total / z).to(network.flat.dtype)
