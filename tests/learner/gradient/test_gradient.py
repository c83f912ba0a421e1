"""The gradient equals what a slow second computation gives, life by life and step by step, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from chorus.learner.gradient import reinforce as gradient
from chorus.learner.gradient.network import Network
from chorus.learner.gradient.reduction import divisor
from chorus.learner.gradient.running_statistics import Statistics
from chorus.learner.update.episode_totals import episode_totals
from tests import reference
from tests.playground import Game, Script, ScriptedTeam, added, doubled, scripts, training_task, write_script
from tests.playground import settings as configured

CPU = torch.device("cpu")

SHARING: list[dict[str, Any]] = [
    {"mode": "all"},
    {"mode": "all_with_id"},
    {"mode": "none"},
    {"mode": "groups", "groups": {"first": "agent_0", "others": "*"}},
]


def assert_equal(found: NDArray[np.float64], expected: NDArray[np.float64]) -> None:
    """To the rounding of float64."""
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)


@pytest.fixture
def script() -> Script:
    """Deaths, rebirths, absences, unequal lengths and masks."""
    return write_script(seed=5, time=7, episodes=4, agents=3, masked=True)


def test_the_gradient_of_a_shared_policy_is_the_sum_of_what_each_agents_copy_would_get(script: Script) -> None:
    game = Game.of(script, configured())
    batch = [game.play(training_task(index=index)) for index in range(2)]
    shared = game.gradients(batch)[0]
    z = sum(played.agent_steps for played in batch)
    total = np.zeros_like(shared)
    for agent in range(script.agents):
        alone = Game.of(script, configured(sharing={"mode": "none"}, loss={"reduction": "sum"}))
        spec = alone.policies[agent]
        copies = {f"{spec.name}/{name.removeprefix('all/')}": value for name, value in game.version.tensors().items()}
        network = Network.load(spec, alone.config, doubled(copies), CPU)
        statistics = [Statistics.read(spec, alone.config, copies)]
        for played in batch:
            own = gradient.task_sums(played, [network], statistics, alone.spec, alone.config)[0].step.gradient
            assert own is not None
            total += own.numpy()
    assert_equal(shared, total / z)


@pytest.mark.parametrize("reduction", ["mean", "sum", "fixed", "agent_mean"])
def test_the_gradient_is_the_slope_of_the_loss(script: Script, reduction: str) -> None:
    """Central differences of the loss along every parameter's axis."""
    small = {"encoder": 4, "lstm": 3}
    game = Game.of(script, configured(network=small, loss={"reduction": reduction}), max_steps=9)
    played = game.play()
    spec = game.policies[0]
    tensors = doubled(game.version.tensors())
    network = Network.load(spec, game.config, tensors, CPU)
    statistics = [Statistics.read(spec, game.config, tensors)]

    def loss() -> float:
        return gradient.task_sums(played, [network], statistics, game.spec, game.config)[0].step.loss

    sums = [part.step for part in gradient.task_sums(played, [network], statistics, game.spec, game.config)]
    steps, lives = sum(part.steps for part in sums), sum(part.lives for part in sums)
    z = divisor(spec, steps, lives, len(sums), game.spec, game.config)
    found = added(network, sums) / z
    flat = network.flat.detach()
    slope = np.zeros(len(flat))
    for number in range(len(flat)):
        middle, width = float(flat[number]), 1e-5
        flat[number] = middle + width
        above = loss()
        flat[number] = middle - width
        slope[number] = (above - loss()) / (2.0 * width) / z
        flat[number] = middle
    np.testing.assert_allclose(found, slope, rtol=1e-6, atol=1e-8)
    assert np.abs(found).max() > 1e-4


@settings(max_examples=80, deadline=None)
@given(
    script=scripts(),
    sharing=st.sampled_from(SHARING),
    reduction=st.sampled_from(["mean", "sum", "fixed", "agent_mean"]),
    baseline=st.sampled_from(["none", "leave_one_out"]),
    pool=st.sampled_from(["agent", "group"]),
    lag=st.sampled_from([0, 1]),
    clip=st.sampled_from([None, 0.5, 1.0, 1.3]),
    discount=st.sampled_from([0.0, 0.9, 1.0]),
    layer_norm=st.booleans(),
)
def test_the_gradient_equals_a_slow_one_for_every_pattern_of_lives(
    script: Script,
    sharing: dict[str, Any],
    reduction: str,
    baseline: str,
    pool: str,
    lag: int,
    clip: float | None,
    discount: float,
    layer_norm: bool,
) -> None:
    if sharing["mode"] == "groups" and script.agents == 1:
        sharing = {"mode": "all"}
    loss = {
        "reduction": reduction,
        "baseline": baseline,
        "pool": pool,
        "importance_clip": clip,
        "discount": discount,
        "entropy": 0.1,
    }
    config = configured(
        sharing=sharing,
        network={"layer_norm": layer_norm},
        loss=loss,
        lag=lag,
        reward={"individual": 0.7, "team": 0.4},
    )
    behaving = Game.of(script, config, seed=1, max_steps=8)
    game = Game.of(script, config, seed=2 if lag else 1, max_steps=8)
    batch = [behaving.play(training_task(index=index)) for index in range(2)]
    expected = reference.gradients(batch, game.version.tensors(), game.policies, game.spec, game.config)
    for found, slow in zip(game.gradients(batch), expected, strict=True):
        assert_equal(found, slow)


@pytest.mark.parametrize("team_from", ["mean", "sum"])
def test_a_team_reward_made_of_the_agents_own_is_credited_to_all_who_live(script: Script, team_from: str) -> None:
    config = configured(environment={"single_reward": "team"}, reward={"team_from": team_from})
    game = Game.of(script, config, team=ScriptedTeam(script, team_reward=False))
    batch = [game.play()]
    expected = reference.gradients(batch, game.version.tensors(), game.policies, game.spec, game.config)
    assert_equal(game.gradients(batch)[0], expected[0])


def test_what_the_environment_leaves_where_nobody_is_never_reaches_the_gradient(script: Script) -> None:
    game = Game.of(script, configured())
    clean = game.gradients([game.play()])
    for array in (script.observations, script.rewards, script.team_rewards):
        array[array == 777.0] = -3e30
    np.testing.assert_array_equal(game.gradients([game.play()]), clean)


def test_reward_weights_and_entropy_follow_their_schedules(script: Script) -> None:
    fading = {"kind": "linear", "start": 1.0, "end": 0.0, "over": 4}
    game = Game.of(script, configured(reward={"individual": fading}, loss={"entropy": fading}))
    batch = [game.play(training_task(update=1))]
    then = Game.of(script, configured(reward={"individual": 0.75}, loss={"entropy": 0.75}))
    assert_equal(game.gradients(batch)[0], then.gradients(batch)[0])
    assert not np.allclose(game.gradients(batch)[0], game.gradients([game.play(training_task(update=2))])[0])


def test_ratios_are_clipped_from_above_only_and_are_one_at_lag_zero(script: Script) -> None:
    config = configured(lag=1, loss={"importance_clip": 1.2})
    behaving, game = Game.of(script, config, seed=1), Game.of(script, config, seed=2)
    played = behaving.play()
    spec = game.policies[0]
    ratios = []
    own = reference.parameters_of(game.version.tensors(), spec, game.config)
    for life in reference.lives_of(played):
        for step, (log_pi, _) in zip(life.steps, reference.judge(spec, own, played, life), strict=True):
            behaviour = float(played.log_probabilities[step, life.episode, life.agent])
            ratios.append(np.exp(float(log_pi.detach()) - behaviour))
    assert min(ratios) < 1.0 < 1.2 < max(ratios)
    tensors = game.version.tensors()
    network = Network.load(spec, game.config, doubled(tensors), CPU)
    sums = gradient.task_sums(played, [network], [Statistics.read(spec, config, tensors)], game.spec, game.config)[
        0
    ].step
    assert sums.ratio == pytest.approx(sum(ratios)) and sums.ratio_max == pytest.approx(max(ratios))
    strict = gradient.task_sums(
        played, [network], [Statistics.read(spec, config, tensors)], game.spec, Game.of(script, configured()).config
    )[0].step
    assert strict.ratio == strict.steps and strict.ratio_max == 1.0


def test_nobody_acting_by_a_policy_is_no_gradient_and_no_division_by_zero(script: Script) -> None:
    script.present[:, :, 1] = script.alive[:, :, 1] = False
    script.terminated[:, :, 1] = script.truncated[:, :, 1] = False
    game = Game.of(script, configured(sharing={"mode": "none"}))
    found = game.gradients([game.play()])
    assert not found[1].any() and found[0].any() and found[2].any()
    assert all(np.isfinite(part).all() for part in found)


def test_figures_count_undiscounted_returns_of_lives_and_the_team_once_per_agent(script: Script) -> None:
    game = Game.of(script, configured())
    played = game.play()
    found = episode_totals(played, game.spec, game.config)
    assert found.episodes == 4 and found.env_steps == script.lengths.sum()
    assert found.agent_steps == script.present.sum()
    own = sum(float(reward) for reward in script.rewards[script.alive])
    team = sum(float(reward) for reward in script.team_rewards[script.running])
    assert found.individual_return == pytest.approx(own)
    assert found.team_return == pytest.approx(3 * team)
