"""The slow, obvious way: every formula once more, step by step and row by row, in float64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, pi

import numpy as np
import torch
from torch import Tensor

from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.policy.layout import layout
from chorus.common.policy.sharing import PolicySpec
from chorus.common.policy.weights import Tensors
from chorus.common.settings.config import Config
from chorus.common.settings.schedule import value_at
from chorus.common.tasks.trajectory import Trajectory
from tests.reference_network import logits_of, values_of


@dataclass(frozen=True)
class Life:
    """One life: whose it is, the steps at which its agent acted, and the step at whose end it was over."""

    episode: int
    agent: int
    steps: list[int]
    end: int


def lives_of(trajectory: Trajectory) -> list[Life]:
    """Walk through every agent's episode, beginning a new life whenever it acts after its last life ended."""
    found: list[Life] = []
    _, episodes, agents = trajectory.acted.shape
    for episode in range(episodes):
        for agent in range(agents):
            steps: list[int] = []
            length = int(trajectory.lengths[episode])
            for step in range(length):
                if trajectory.acted[step, episode, agent]:
                    steps.append(step)
                over = trajectory.terminated[step, episode, agent] or trajectory.truncated[step, episode, agent]
                if steps and (over or step == length - 1):
                    found.append(Life(episode, agent, steps, step))
                    steps = []
    return found


def parameters_of(tensors: Tensors, spec: PolicySpec, config: Config) -> dict[str, Tensor]:
    """One policy's tensors as float64 leaves, in the order of the layout."""
    return {
        name: torch.from_numpy(tensors[f"{spec.name}/{name}"].astype(np.float64)).requires_grad_()
        for name in layout(spec, config)
    }


def probabilities_of(logits: Tensor, choices: Sequence[int], mask: np.ndarray | None) -> list[list[Tensor]]:
    """For every component the probabilities of its choices; masked ones are exactly 0."""
    found = []
    start = 0
    for count in choices:
        allowed = [mask is None or bool(mask[start + choice]) for choice in range(count)]
        shift = max(float(logits[start + choice].detach()) for choice in range(count) if allowed[choice])
        powers = [
            torch.exp(logits[start + choice] - shift) if allowed[choice] else torch.zeros((), dtype=torch.float64)
            for choice in range(count)
        ]
        total = sum(powers, torch.zeros((), dtype=torch.float64))
        found.append([power / total for power in powers])
        start += count
    return found


def outputs_of(spec: PolicySpec, own: dict[str, Tensor], trajectory: Trajectory, life: Life) -> list[Tensor]:
    """`[step][output]`: what a policy's network says at each step of one life."""
    return logits_of(own, inputs_of(spec, trajectory, life))


def inputs_of(spec: PolicySpec, trajectory: Trajectory, life: Life) -> list[Tensor]:
    """`[step][input]`: what the network is shown at each step of one life."""
    seen = [trajectory.observations[step, life.episode, life.agent] for step in life.steps]
    return [_input(spec, observation, life.agent) for observation in seen]


def team_inputs_of(
    spec: PolicySpec, policies: Sequence[PolicySpec], trajectory: Trajectory, life: Life
) -> list[Tensor]:
    """`[step][input]`: what a value that sees the team is shown at each step of one life: everybody's observation,
    zeros for who does not act, then who acts, then whose value is asked for."""
    sizes = {agent: policy.agent.observation_size for policy in policies for agent in policy.agents}
    found = []
    for step in life.steps:
        seen: list[float] = []
        for agent in sorted(sizes):
            acts = bool(trajectory.acted[step, life.episode, agent])
            observed = trajectory.observations[step, life.episode, agent, : sizes[agent]].tolist()
            seen += observed if acts else [0.0] * sizes[agent]
        flags = [float(trajectory.acted[step, life.episode, agent]) for agent in sorted(sizes)]
        asked = [float(agent == life.agent) for agent in spec.agents]
        found.append(torch.tensor([*seen, *flags, *asked], dtype=torch.float64))
    return found


def _input(spec: PolicySpec, observation: np.ndarray, agent: int) -> Tensor:
    identity = [float(other == agent) for other in spec.agents] if spec.identified else []
    return torch.tensor([*observation[: spec.agent.observation_size].tolist(), *identity], dtype=torch.float64)


def gaussian_log_probability(mean: Tensor, log_std: Tensor, x: float, bounds: tuple[float, float]) -> Tensor:
    """Of one continuous action, given before the squash `a = low + (tanh(x) + 1) (high - low) / 2`: the density of x
    over the slope da/dx, with `1 - tanh(x)^2 = 4 / (e^x + e^-x)^2`."""
    place = torch.tensor(x, dtype=torch.float64)
    density = -((place - mean) ** 2) / (2.0 * torch.exp(log_std) ** 2) - log_std - 0.5 * log(2.0 * pi)
    slope = log(4.0) - 2.0 * torch.log(torch.exp(place) + torch.exp(-place)) + log((bounds[1] - bounds[0]) / 2.0)
    return density - slope


def squashed_entropy(mean: Tensor, log_std: Tensor, x: float, bounds: tuple[float, float]) -> Tensor:
    """One sample's estimate of the entropy of a squashed action: the Gaussian's own, and the logarithm of the slope at
    `x = mean + std z`, z being the noise that was drawn."""
    noise = (x - float(mean)) / float(torch.exp(log_std))
    place = mean + torch.exp(log_std) * noise
    slope = log(4.0) - 2.0 * torch.log(torch.exp(place) + torch.exp(-place)) + log((bounds[1] - bounds[0]) / 2.0)
    return 0.5 + 0.5 * log(2.0 * pi) + log_std + slope


def judge(spec: PolicySpec, own: dict[str, Tensor], trajectory: Trajectory, life: Life) -> list[tuple[Tensor, Tensor]]:
    """For each step of a life the log-probability of the action taken, and the entropy."""
    found = []
    for step, outputs in zip(life.steps, outputs_of(spec, own, trajectory, life), strict=True):
        taken = trajectory.actions[step, life.episode, life.agent]
        if spec.agent.bounds:
            parts = [
                gaussian_log_probability(mean, log_std, float(x), bounds)
                for mean, log_std, x, bounds in zip(outputs, own["log_std"], taken, spec.agent.bounds, strict=True)
            ]
            spreads = [
                squashed_entropy(mean, log_std, float(x), bounds)
                for mean, log_std, x, bounds in zip(outputs, own["log_std"], taken, spec.agent.bounds, strict=True)
            ]
            total = torch.stack(spreads).sum()
            found.append((torch.stack(parts).sum(), total))
        else:
            masks = trajectory.action_masks
            mask = masks[step, life.episode, life.agent] if masks.size else None
            chances = probabilities_of(outputs, spec.agent.choices, mask)
            found.append((log_probability(chances, taken), entropy(chances)))
    return found


def log_probability(probabilities: list[list[Tensor]], actions: np.ndarray) -> Tensor:
    """Of the actions taken, summed over components."""
    parts = [torch.log(choices[int(action)]) for choices, action in zip(probabilities, actions, strict=False)]
    return sum(parts, torch.zeros((), dtype=torch.float64))


def entropy(probabilities: list[list[Tensor]]) -> Tensor:
    """Summed over components."""
    total = torch.zeros((), dtype=torch.float64)
    for choices in probabilities:
        for probability in choices:
            if float(probability.detach()) > 0.0:
                total = total - probability * torch.log(probability)
    return total


def credit(trajectory: Trajectory, environment: EnvironmentSpec, config: Config) -> np.ndarray:
    """`[time, episode, agent]`: the mixed return of every slot, each summed up on its own from its first reward on.

    The individual part ends with the life at whose end (or before whose birth) the slot lies, the team part with the
    episode; beyond the episode's end all is zero.
    """
    time, episodes, agents = trajectory.acted.shape
    gamma, update = config.loss.discount, trajectory.task.update
    individual_weight = value_at(config.reward.individual, update)
    team_weight = value_at(config.reward.team, update)
    living = np.zeros((time, episodes, agents), np.bool_)
    for life in lives_of(trajectory):
        living[life.steps[0] : life.end + 1, life.episode, life.agent] = True
    found = np.zeros((time, episodes, agents))
    for episode in range(episodes):
        length = int(trajectory.lengths[episode])
        team = []
        for step in range(length):
            paid = [
                float(trajectory.individual_rewards[step, episode, n])
                for n in range(agents)
                if living[step, episode, n]
            ]
            if environment.team_reward:
                team.append(float(trajectory.team_rewards[step, episode]))
            elif config.environment.single_reward == "team":
                count = 1 if config.reward.team_from == "sum" else len(paid)
                team.append(sum(paid) / count if paid else 0.0)
            else:
                team.append(float(trajectory.team_rewards[step, episode]))
        split = not environment.team_reward and config.environment.single_reward == "team"
        for agent in range(agents):
            for step in range(length):
                total = sum(gamma ** (later - step) * team[later] for later in range(step, length)) * team_weight
                for later in range(step, length):
                    if living[later, episode, agent] and not split:
                        reward = float(trajectory.individual_rewards[later, episode, agent])
                        total += individual_weight * gamma ** (later - step) * reward
                    if trajectory.terminated[later, episode, agent] or trajectory.truncated[later, episode, agent]:
                        break
                found[step, episode, agent] = total
    return found


def baseline(returns: np.ndarray, agents: Sequence[int], pool: str) -> np.ndarray:
    """`[time, episode, agent]`: for each slot of the given agents the mean return of other episodes at that step."""
    time, episodes, _ = returns.shape
    found = np.zeros_like(returns)
    for step in range(time):
        for episode in range(episodes):
            for agent in agents:
                others = [
                    returns[step, other, mate]
                    for other in range(episodes)
                    if other != episode
                    for mate in (agents if pool == "group" else [agent])
                ]
                found[step, episode, agent] = sum(others) / len(others)
    return found


def targets(
    trajectory: Trajectory, environment: EnvironmentSpec, config: Config, life: Life, values: list[float]
) -> list[float]:
    """What the value of each step of a life is fitted to: a weighted sum of n-step returns, each written out.

    Between two actions lie as many steps of the environment as the agent was away, whose rewards are summed up. After a
    life's end comes what the team is still paid.
    """
    gamma, update = config.loss.discount, trajectory.task.update
    weights = value_at(config.reward.individual, update), value_at(config.reward.team, update)
    assert environment.team_reward
    slots = life.episode, life.agent

    def paid(begin: int, end: int) -> float:
        """Mixed rewards of the steps from `begin` to `end`, discounted to `begin`; the team's goes on after death."""
        total = 0.0
        for step in range(begin, end):
            own = float(trajectory.individual_rewards[step, *slots]) if step <= life.end else 0.0
            total += gamma ** (step - begin) * (
                weights[0] * own + weights[1] * float(trajectory.team_rewards[step, life.episode])
            )
        return total

    def bootstrapped(first: int, number: int) -> float:
        """The return of so many actions from the life's `first` on, and the value of what comes after them."""
        begin = life.steps[first]
        if first + number < len(life.steps):
            then = life.steps[first + number]
            return paid(begin, then) + gamma ** (then - begin) * values[first + number]
        return paid(begin, int(trajectory.lengths[life.episode]))

    found = []
    for first in range(len(life.steps)):
        left = len(life.steps) - first
        if config.value.steps is not None:
            found.append(bootstrapped(first, config.value.steps))
            continue
        trace = config.value.trace
        total = trace ** (left - 1) * bootstrapped(first, left)
        found.append(total + sum((1 - trace) * trace ** (n - 1) * bootstrapped(first, n) for n in range(1, left)))
    return found


def gradients(
    trajectories: Sequence[Trajectory],
    tensors: Tensors,
    policies: Sequence[PolicySpec],
    environment: EnvironmentSpec,
    config: Config,
    scale: float = 1.0,
    terms: tuple[float, float] = (0.0, 1.0),
    slow: Tensors | None = None,
) -> list[np.ndarray]:
    """Each policy's gradient of a whole batch, flat, from one loss that adds up every step of every life.

    Args:
        trajectories: the batch.
        tensors: the weights.
        policies: who acts by which.
        environment: that the batch is from.
        config: the run's.
        scale: what advantages are divided by.
        terms: a learned value is the first plus the second times the network's output.
        slow: the weights that targets are read from; None for `tensors`.
    """
    found = []
    for spec in policies:
        own = parameters_of(tensors, spec, config)
        loss = torch.zeros((), dtype=torch.float64)
        steps = lives = 0
        for trajectory in trajectories:
            returns = credit(trajectory, environment, config)
            if config.loss.baseline == "leave_one_out":
                returns = returns - baseline(returns, spec.agents, config.loss.pool)
            bonus = value_at(config.loss.entropy, trajectory.task.update)
            for life in lives_of(trajectory):
                if life.agent not in spec.agents:
                    continue
                lives += 1
                steps += len(life.steps)
                term = torch.zeros((), dtype=torch.float64)
                if config.loss.baseline == "value":
                    said = values_of(own, value_inputs_of(spec, policies, trajectory, life, config))
                    aims = _targets(
                        trajectory, spec, policies, tensors if slow is None else slow, environment, config, life, terms
                    )
                    for step, value, aim in zip(life.steps, said, aims, strict=True):
                        returns[step, life.episode, life.agent] = aim - (terms[0] + terms[1] * float(value.detach()))
                        error = value - (aim - terms[0]) / terms[1]
                        term = term - config.value.weight * 0.5 * error**2
                for step, (log_pi, spread) in zip(life.steps, judge(spec, own, trajectory, life), strict=True):
                    slot = step, life.episode, life.agent
                    rho = 1.0
                    if config.lag:
                        rho = float(torch.exp(log_pi.detach() - float(trajectory.log_probabilities[slot])))
                    clipped = 1.0 if config.loss.importance_clip is None else min(rho, config.loss.importance_clip)
                    term = term + clipped * returns[slot] / scale * log_pi + bonus * spread
                loss = loss - (term / len(life.steps) if config.loss.reduction == "agent_mean" else term)
        longest = environment.max_steps or 0
        z = {
            "mean": steps,
            "sum": 1,
            "fixed": config.episodes * len(trajectories) * len(spec.agents) * longest,
            "agent_mean": lives,
        }[config.loss.reduction]
        parts = (
            torch.autograd.grad(loss / max(z, 1), list(own.values()), allow_unused=True, materialize_grads=True)
            if steps
            else [torch.zeros_like(value) for value in own.values()]
        )
        found.append(np.concatenate([part.numpy().ravel() for part in parts]))
    return found


def value_inputs_of(
    spec: PolicySpec, policies: Sequence[PolicySpec], trajectory: Trajectory, life: Life, config: Config
) -> list[Tensor]:
    """`[step][input]`: what the value is shown at each step of one life."""
    if config.value.sees == "team":
        return team_inputs_of(spec, policies, trajectory, life)
    return inputs_of(spec, trajectory, life)


def _targets(
    trajectory: Trajectory,
    spec: PolicySpec,
    policies: Sequence[PolicySpec],
    tensors: Tensors,
    environment: EnvironmentSpec,
    config: Config,
    life: Life,
    terms: tuple[float, float],
) -> list[float]:
    own = parameters_of(tensors, spec, config)
    shown = value_inputs_of(spec, policies, trajectory, life, config)
    values = [terms[0] + terms[1] * float(value.detach()) for value in values_of(own, shown)]
    return targets(trajectory, environment, config, life, values)
