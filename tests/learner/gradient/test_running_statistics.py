"""Running statistics are what a count over everything seen says, whoever was there and however it was divided."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.common.environments.interface import AgentSpec
from chorus.common.policy.sharing import PolicySpec
from chorus.common.policy.weights import make
from chorus.common.settings.config import Config
from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.gradient import reinforce as gradient
from chorus.learner.gradient.network import Network
from chorus.learner.gradient.running_statistics import (
    ADVANTAGE_MEMORY,
    LEAST_DEVIATION,
    Statistics,
    StatisticSums,
    power_sums,
)
from tests import reference
from tests.playground import Game, Script, scripts, training_task, write_script
from tests.playground import settings as configured

SPEC = PolicySpec("all", (0,), AgentSpec("agent_0", (3,), (2,)))
NORMALISED: dict[str, Any] = {"network": {"normalise_observations": True}, "reward": {"scale": "deviation"}}


def counted(game: Game, batch: list[Trajectory]) -> list[StatisticSums]:
    """What a batch adds to each policy's statistics, by the learner."""
    tensors = game.version.tensors()
    networks = [Network.load(spec, game.config, tensors, torch.device("cpu")) for spec in game.policies]
    statistics = [Statistics.read(spec, game.config, tensors) for spec in game.policies]
    tasks = [gradient.task_sums(played, networks, statistics, game.spec, game.config) for played in batch]
    return [reduce(add, (task[number].statistics for task in tasks)) for number in range(len(networks))]


def fresh(config: Config) -> Statistics:
    """Before anything was seen."""
    return Statistics.fresh(spec_of(config), config)


def spec_of(config: Config) -> PolicySpec:
    """The policy, by that configuration's network."""
    return replace(SPEC, network=config.network)


@settings(max_examples=60, deadline=None)
@given(script=scripts(agents=st.integers(2, 3)), sharing=st.sampled_from(["all", "none"]))
def test_what_was_seen_and_paid_is_counted_over_lives_and_nothing_else(script: Script, sharing: str) -> None:
    config = configured(sharing={"mode": sharing}, **NORMALISED)
    game = Game.of(script, config)
    batch = [game.play(training_task(index=index)) for index in range(2)]
    returns = [reference.credit(played, game.spec, game.config) for played in batch]
    for spec, found in zip(game.policies, counted(game, batch), strict=True):
        mine = list(spec.agents)
        seen = np.concatenate([played.observations[:, :, mine][played.acted[:, :, mine]] for played in batch])
        assert found.steps == len(seen)
        if len(seen):
            assert found.observation is not None
            size = seen.shape[1]
            np.testing.assert_allclose(found.observation[0], len(seen))
            np.testing.assert_allclose(found.observation[1 : 1 + size], seen.sum(axis=0, dtype=np.float64))
            np.testing.assert_allclose(found.observation[1 + size :], (seen.astype(np.float64) ** 2).sum(axis=0))
        individual, team = 0.5, 0.5
        paid = individual * script.rewards.astype(np.float64) + team * script.team_rewards[:, :, None]
        own = np.tile(paid[:, :, mine][script.alive[:, :, mine]], 2)
        np.testing.assert_allclose(found.reward, [len(own), own.sum(), (own**2).sum()], rtol=1e-6, atol=1e-6)
        credit = np.concatenate(
            [given[:, :, mine][played.acted[:, :, mine]] for given, played in zip(returns, batch, strict=True)]
        )
        counts = [len(credit), credit.sum(), (credit**2).sum()]
        np.testing.assert_allclose(found.credit, counts, atol=1e-9)


def test_a_task_in_which_nobody_acted_by_a_policy_does_not_wipe_out_what_others_saw() -> None:
    busy = write_script(seed=1, agents=2)
    idle = replace(
        busy, **{name: getattr(busy, name).copy() for name in ("present", "alive", "terminated", "truncated")}
    )
    for array in (idle.present, idle.alive, idle.terminated, idle.truncated):
        array[:, :, 1] = False
    config = configured(sharing={"mode": "none"}, **NORMALISED)
    game = Game.of(busy, config)
    batch = [game.play(), Game.of(idle, config).play()]
    for order in (batch, batch[::-1]):
        found = counted(game, order)[1]
        assert found.observation is not None and found.observation[0] == busy.present[:, :, 1].sum()


@given(seed=st.integers(0, 2**32))
def test_observations_are_normalised_by_the_mean_and_deviation_of_all_that_was_seen(seed: int) -> None:
    config = configured(**NORMALISED)
    rows = np.random.Generator(np.random.Philox(key=seed)).normal(size=(50, 3)) * [1.0, 20.0, 0.0] + [0.0, 5.0, 7.0]
    statistics = fresh(config)
    mean, scale = statistics.normaliser()
    assert (mean == 0.0).all() and (scale == 1.0).all(), "before anything was seen, nothing is changed"
    for part in (rows[:10], rows[10:]):
        sums = np.concatenate([[len(part)], part.sum(axis=0), (part**2).sum(axis=0)])
        statistics = statistics.after(StatisticSums(len(part), 1.0, np.ones(3), np.zeros(3), sums))
    mean, scale = statistics.normaliser()
    np.testing.assert_allclose(mean, rows.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(scale[:2], 1.0 / rows.std(axis=0)[:2], rtol=1e-4)
    assert scale[2] == 1.0, "what never changes is not blown up"
    tensors = statistics.tensors(spec_of(config))
    np.testing.assert_array_equal(tensors["all/observation.mean"], mean)
    np.testing.assert_array_equal(tensors["all/observation.scale"], scale)
    again = Statistics.read(spec_of(config), config, tensors)
    assert again.observation is not None and statistics.observation is not None
    np.testing.assert_array_equal(again.observation, statistics.observation)


def test_deviations_near_zero_divide_nothing() -> None:
    config = configured(**NORMALISED)
    statistics = replace(fresh(config), advantage=np.array([1.0, 0.0]), reward=np.array([9.0, 18.0, 36.0]))
    assert statistics.advantage_scale(config) == 1.0 and statistics.reward_scale(config) == 1.0
    barely = np.array([2.0, 0.0, 0.0, 0.0, *[2.0 * (0.5 * LEAST_DEVIATION) ** 2] * 3])
    np.testing.assert_array_equal(replace(statistics, observation=barely).normaliser()[1], np.ones(3))


def test_advantages_are_divided_by_a_running_deviation_that_forgets() -> None:
    config = configured()
    statistics = fresh(config)
    assert statistics.advantage_scale(config) == 1.0
    squares = [4.0, 9.0, 1.0]
    for square in squares:
        statistics = statistics.after(StatisticSums(10, 10 * square, np.array([10.0, 0.0, 0.0]), np.zeros(3), None))
    weights = [ADVANTAGE_MEMORY ** (len(squares) - 1 - number) for number in range(len(squares))]
    mean = sum(weight * square for weight, square in zip(weights, squares, strict=True)) / sum(weights)
    assert statistics.advantage_scale(config) == pytest.approx(mean**0.5)
    assert statistics.advantage_scale(configured(loss={"normalise_advantages": False})) == 1.0
    unchanged = statistics.after(StatisticSums(0, 0.0, np.zeros(3), np.zeros(3), None))
    np.testing.assert_array_equal(unchanged.advantage, statistics.advantage)


@given(seed=st.integers(0, 2**32))
def test_the_terms_of_a_value_are_the_mean_and_the_deviation_of_returns(seed: int) -> None:
    returns = np.random.Generator(np.random.Philox(key=seed)).normal(3.0, 2.0, 40)
    statistics = fresh(configured())
    assert statistics.value_terms() == (0.0, 1.0) and statistics.empty
    for _ in range(3):
        statistics = statistics.after(StatisticSums(40, 1.0, power_sums(returns), np.zeros(3), None))
        assert statistics.value_terms() == pytest.approx((returns.mean(), returns.std())) and not statistics.empty


def test_rewards_are_divided_by_the_deviation_of_all_that_was_paid() -> None:
    config = configured(**NORMALISED)
    paid = np.array([1.0, 5.0, -3.0, 2.0])
    sums = np.array([4.0, paid.sum(), (paid**2).sum()])
    statistics = fresh(config).after(StatisticSums(4, 1.0, np.ones(3), sums, None))
    assert statistics.reward_scale(config) == pytest.approx(paid.std())
    assert statistics.reward_scale(configured()) == 1.0


def test_scales_divide_what_the_gradient_is_made_of() -> None:
    script = write_script(seed=5, time=7, episodes=4, agents=3)
    config = configured(reward={"scale": "deviation"}, loss={"entropy": 0.0})
    game = Game.of(script, config)
    tensors = game.version.tensors()
    plain = game.gradients([game.play()])[0]
    tensors["all/advantage"] = np.array([1.0, 9.0])
    tensors["all/reward"] = np.array([1.0, 0.0, 4.0])
    scaled = replace(game, version=make(0, tensors))
    np.testing.assert_allclose(scaled.gradients([scaled.play()])[0], plain / (3.0 * 2.0), rtol=1e-9, atol=1e-12)
