"""Which estimates of the gradient are right on average, by adding up all that can happen in a problem small enough.

Two agents, at most three steps. A coin is tossed once and seen by both. Action 1 takes an agent out of the game, so
that lives and episodes are of random length, and the first to leave changes what the other can bring. There are 32
possible episodes; an expectation over a task of K episodes is a sum over all of their combinations, each gradient by
the learner's own code in float64, gamma = 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement, product
from math import factorial

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from chorus.common.environments.interface import AgentSpec, EnvironmentSpec
from chorus.common.policy.sharing import PolicySpec
from chorus.common.policy.weights import Tensors
from chorus.common.settings.config import Config
from chorus.common.settings.config import check as checked
from chorus.common.settings.sections import NetworkConfig
from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.gradient import advantage, reduction
from chorus.learner.gradient import reinforce as gradient
from chorus.learner.gradient.network import Network
from chorus.learner.gradient.returns import Values
from chorus.learner.gradient.running_statistics import Statistics
from tests import reference
from tests.playground import added, doubled, tensors_for, training_task

STEPS, AGENTS = 3, 2
COIN = (1 / 3, 2 / 3)
WEIGHTS = {"individual": 0.6, "team": 0.7}
ENVIRONMENT = EnvironmentSpec(
    "leaving", "leaving 1", tuple(AgentSpec(f"agent_{n}", (3,), (2,)) for n in range(AGENTS)), STEPS, team_reward=True
)
NETWORK = NetworkConfig(encoder=2, lstm=2, layer_norm=False)
SPEC = PolicySpec("all", (0, 1), ENVIRONMENT.agents[0], network=NETWORK)

Moves = tuple[tuple[int, ...], ...]
"""For each step the actions of those still there, in the order of agents."""


@dataclass(frozen=True)
class Episode:
    """One thing that can happen: the coin, and each agent's actions, as many as its life has steps."""

    coin: int
    actions: tuple[tuple[int, ...], tuple[int, ...]]

    @property
    def length(self) -> int:
        """Steps of the episode."""
        return max(len(own) for own in self.actions)

    @property
    def steps(self) -> int:
        """Agent-steps."""
        return sum(len(own) for own in self.actions)

    def individual(self, agent: int, step: int) -> float:
        """The agent's own reward."""
        return [1.0, -0.5][self.actions[agent][step]] * (step + 1) + 0.3 * agent - 0.8 * self.coin

    def team(self, step: int) -> float:
        """The team's: staying pays on one side of the coin, leaving on the other, and much if only one does."""
        left = sum(len(own) <= step or own[step] == 1 for own in self.actions)
        return [[0.2, 3.0, -1.0], [-0.5, 1.0, 0.7]][self.coin][left] + 0.1 * step

    def total(self, agent: int) -> float:
        """What an agent's actions are meant to make large: its own rewards and the team's, weighted."""
        own = sum(self.individual(agent, step) for step in range(len(self.actions[agent])))
        return WEIGHTS["individual"] * own + WEIGHTS["team"] * sum(self.team(step) for step in range(self.length))


def episodes() -> list[Episode]:
    """All that can happen: each agent stays for so many steps and leaves, or stays to the end."""
    ways = [(1,), (0, 1), (0, 0, 1), (0, 0, 0)]
    return [Episode(coin, (first, second)) for coin in (0, 1) for first, second in product(ways, ways)]


def played(task: tuple[Episode, ...]) -> Trajectory:
    """The trajectory of a task in which these episodes happened."""
    time, slots = max(episode.length for episode in task), (len(task), AGENTS)
    made = Trajectory(
        training_task(),
        0,
        observations=np.zeros((time, *slots, 3), np.float32),
        actions=np.zeros((time, *slots, 1), np.int32),
        log_probabilities=np.zeros((time, *slots), np.float32),
        acted=np.zeros((time, *slots), np.bool_),
        individual_rewards=np.zeros((time, *slots), np.float32),
        team_rewards=np.zeros((time, len(task)), np.float32),
        terminated=np.zeros((time, *slots), np.bool_),
        truncated=np.zeros((time, *slots), np.bool_),
        lengths=np.array([episode.length for episode in task], np.int32),
        action_masks=np.zeros((0, 0, 0, 0), np.bool_),
    )
    for number, episode in enumerate(task):
        for step in range(episode.length):
            made.team_rewards[step, number] = episode.team(step)
        for agent, own in enumerate(episode.actions):
            for step, action in enumerate(own):
                slot = step, number, agent
                made.acted[slot] = True
                made.observations[slot] = episode.coin, step / 2, agent
                made.actions[slot] = action
                made.individual_rewards[slot] = episode.individual(agent, step)
                made.terminated[slot] = action == 1
    return made


def settings(reduction: str, baseline: str, pool: str, number: int) -> Config:
    """Of a run with one task of so many episodes per update."""
    return checked(
        {
            "network": {"encoder": NETWORK.encoder, "lstm": NETWORK.lstm, "layer_norm": NETWORK.layer_norm},
            "task": {"episodes": number},
            "update": {"tasks": 1, "passes": 1, "minibatches": 1},
            "reward": WEIGHTS | {"scale": "none"},
            "loss": {"discount": 1.0, "entropy": 0.0, "reduction": reduction, "baseline": baseline, "pool": pool},
        }
    )


POLICIES = {"leaves early": 3, "stays a while": 0, "hardly ever leaves": 4}
"""Three policies, by the seeds of their weights; they take 2.7, 4.4 and 5.4 agent-steps per episode."""


@cache
def tensors(policy: str) -> Tensors:
    """The weights of one of the policies."""
    return tensors_for([SPEC], settings("sum", "none", "agent", 1), seed=POLICIES[policy], scale=2.0)


@cache
def truth(policy: str) -> tuple[list[float], NDArray[np.float64]]:
    """The probability of every episode, and the exact gradient: each agent's expected total by its own actions alone.

    Rewards enter as the float32 numbers that a trajectory holds.
    """
    own = reference.parameters_of(tensors(policy), SPEC, settings("sum", "none", "agent", 1))
    probabilities, expected = [], torch.zeros((), dtype=torch.float64)
    for episode in episodes():
        trajectory = played((episode,))
        lives = {life.agent: life for life in reference.lives_of(trajectory)}
        logs = [
            torch.stack([log_pi for log_pi, _ in reference.judge(SPEC, own, trajectory, lives[agent])]).sum()
            for agent in range(AGENTS)
        ]
        chance = [torch.exp(log) for log in logs]
        probabilities.append(COIN[episode.coin] * float((chance[0] * chance[1]).detach()))
        for agent in range(AGENTS):
            paid = trajectory.individual_rewards[:, 0, agent].astype(np.float64).sum() * WEIGHTS["individual"]
            paid += trajectory.team_rewards[:, 0].astype(np.float64).sum() * WEIGHTS["team"]
            assert paid == pytest.approx(episode.total(agent), abs=1e-6)
            expected = expected + COIN[episode.coin] * chance[agent] * chance[1 - agent].detach() * paid
    parts = torch.autograd.grad(expected, list(own.values()))
    return probabilities, np.concatenate([part.numpy().ravel() for part in parts])


def combinations(policy: str, number: int) -> Iterator[tuple[float, tuple[Episode, ...]]]:
    """Every combination of so many episodes with its probability; their order changes no gradient."""
    probabilities, every = truth(policy)[0], episodes()
    for chosen in combinations_with_replacement(range(len(every)), number):
        orders = factorial(number)
        for episode in set(chosen):
            orders //= factorial(chosen.count(episode))
        chance = orders * float(np.prod([probabilities[episode] for episode in chosen]))
        yield chance, tuple(every[episode] for episode in chosen)


@cache
def mean_gradients(
    reductions: tuple[str, ...], baseline: str, pool: str, policy: str = "stays a while", number: int = 2
) -> list[NDArray[np.float64]]:
    """The expected gradient of an update of one task, for each of several reductions that sum up alike."""
    configs = [settings(reduction, baseline, pool, number) for reduction in reductions]
    network = Network.load(SPEC, configs[0], doubled(tensors(policy)), torch.device("cpu"))
    statistics = Statistics.read(SPEC, configs[0], tensors(policy))
    found = [np.zeros(len(network.flat)) for _ in reductions]
    for chance, task in combinations(policy, number):
        tasks = gradient.task_sums(played(task), [network], [statistics], ENVIRONMENT, configs[0])
        sums = [part.step for part in tasks]
        for config, total in zip(configs, found, strict=True):
            steps, lives = sum(part.steps for part in sums), sum(part.lives for part in sums)
            z = reduction.divisor(SPEC, steps, lives, len(sums), ENVIRONMENT, config)
            total += chance * added(network, sums) / z
    return found


def off(found: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """How far a vector is from the right one, relative to its length."""
    return float(np.linalg.norm(found - right) / np.linalg.norm(right))


def angle(found: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Between two vectors, in degrees: a bias that no learning rate makes good."""
    cosine = found @ right / (np.linalg.norm(found) * np.linalg.norm(right))
    return float(np.degrees(np.arccos(min(1.0, float(cosine)))))


def test_all_that_can_happen_adds_up_to_one() -> None:
    assert len(episodes()) == 32
    assert {episode.length for episode in episodes()} == {1, 2, 3}
    for policy in POLICIES:
        assert sum(truth(policy)[0]) == pytest.approx(1.0, abs=1e-12)
        assert sum(chance for chance, _ in combinations(policy, 2)) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    ("baseline", "pool"), [("none", "agent"), ("leave_one_out", "agent"), ("leave_one_out", "group")]
)
def test_sum_and_fixed_are_right_on_average_whatever_the_baseline(baseline: str, pool: str) -> None:
    total, fixed, _ = mean_gradients(("sum", "fixed", "mean"), baseline, pool)
    _, right = truth("stays a while")
    np.testing.assert_allclose(-total / 2, right, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(-fixed * AGENTS * STEPS, right, rtol=1e-9, atol=1e-12)


def test_a_baseline_from_the_same_episode_would_not_be_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean return of the episode's other agent, which depends on what one does oneself."""

    def other_agent(values: Values, pool: str) -> Values:
        return values[:, :, ::-1]

    monkeypatch.setattr(advantage, "leave_one_out", other_agent)
    (total,) = mean_gradients.__wrapped__(("sum",), "leave_one_out", "agent")
    assert off(-total / 2, truth("stays a while")[1]) > 0.04


def mean_by_lengths(policy: str, number: int, reduction: str) -> NDArray[np.float64]:
    """The expected gradient of `mean` or `agent_mean` without a baseline, for any number of episodes.

    The sums add up episode by episode, so only the distribution of the other episodes' count is needed, a convolution.
    """
    config = settings(reduction, "none", "agent", 1)
    network = Network.load(SPEC, config, doubled(tensors(policy)), torch.device("cpu"))
    statistics = Statistics.read(SPEC, config, tensors(policy))
    counts, sums = [], []
    for episode in episodes():
        part = gradient.task_sums(played((episode,)), [network], [statistics], ENVIRONMENT, config)[0].step
        assert part.gradient is not None
        sums.append(part.gradient.numpy())
        counts.append(part.lives if reduction == "agent_mean" else part.steps)
    one = np.zeros(max(counts) + 1)
    for chance, count in zip(truth(policy)[0], counts, strict=True):
        one[count] += chance
    others = np.ones(1)
    for _ in range(number - 1):
        others = np.convolve(others, one)
    found = np.zeros(len(network.flat))
    for chance, count, own in zip(truth(policy)[0], counts, sums, strict=True):
        share = sum(weight / (count + rest) for rest, weight in enumerate(others))
        found += number * chance * share * own
    return found


def bias(policy: str, number: int, reduction: str) -> tuple[float, float]:
    """How far the mean of `mean` or `agent_mean` is from the true gradient over the mean of Z (relative to the latter's
    length), and the angle between them."""
    probabilities, exact = truth(policy)
    steps = sum(chance * episode.steps for chance, episode in zip(probabilities, episodes(), strict=True))
    right = -exact / (steps if reduction == "mean" else AGENTS)
    found = mean_by_lengths(policy, number, reduction)
    return off(found, right), angle(found, right)


# What the bias of `mean` comes to: relative size by the number of episodes in an update, and the angle with two.
MEAN = {
    "leaves early": ({2: 0.133, 8: 0.0365, 32: 0.0093, 128: 0.0023}, 0.5),
    "stays a while": ({2: 0.0368, 8: 0.0086, 32: 0.0021, 128: 0.0005}, 0.2),
    "hardly ever leaves": ({2: 0.0994, 8: 0.0232, 32: 0.0057, 128: 0.0014}, 0.4),
}


@pytest.mark.parametrize("policy", POLICIES)
def test_mean_is_biased_by_one_over_the_number_of_episodes(policy: str) -> None:
    sizes, degrees = MEAN[policy]
    found = {number: round(bias(policy, number, "mean")[0], 4) for number in sizes}
    assert found == pytest.approx(sizes, abs=1e-4), "the figures written down here"
    assert bias(policy, 2, "mean")[1] == pytest.approx(degrees, abs=0.05)
    assert bias(policy, 64, "mean")[0] / bias(policy, 128, "mean")[0] == pytest.approx(2.0, abs=0.05)


# The angle between the mean of `agent_mean` and the true gradient: another objective, whatever the number of episodes.
AGENT_MEAN = {"leaves early": 0.6, "stays a while": 12.2, "hardly ever leaves": 171.0}


@pytest.mark.parametrize("policy", POLICIES)
def test_agent_mean_follows_another_objective_however_many_the_episodes(policy: str) -> None:
    for number in (2, 128):
        assert bias(policy, number, "agent_mean")[1] == pytest.approx(AGENT_MEAN[policy], abs=0.05)


def test_the_bias_found_by_lengths_is_that_of_adding_up_every_combination() -> None:
    mean = mean_gradients(("sum", "fixed", "mean"), "none", "agent")[2]
    np.testing.assert_allclose(mean, mean_by_lengths("stays a while", 2, "mean"), rtol=1e-9, atol=1e-12)
