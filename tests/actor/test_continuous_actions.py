"""Continuous actions: Gaussian, squashed to their bounds; how likely they were is right however far out they are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from chorus.actor.rollout import Player
from chorus.actor.sampling import gaussian_score, sample_gaussian, squash
from chorus.common.environments.interface import ActionArray, Frame, Outcome
from chorus.common.policy.sharing import divide
from chorus.common.policy.weights import make
from chorus.common.tasks.checking import validate
from chorus.learner.gradient.distribution import squashed_gaussian
from tests.playground import settings, tensors_for, training_task
from tests.worlds import Gallery

BOUNDS = ((-1.0, 1.0), (0.0, 4.0), (-2.0, 0.5))
ULP = 2.0**-24
"""What rounding a number to float32 may change of it."""


def reference(mean: float, log_std: float, action: float, low: float, high: float) -> float:
    """The log-density of `low + (tanh(x) + 1) (high - low) / 2` where x is Gaussian: by the rule for densities of
    functions, with the hyperbolic cosine as the books have it, in float64."""
    density = -((action - mean) ** 2) / (2.0 * math.exp(log_std) ** 2) - math.log(math.sqrt(2.0 * math.pi))
    slope = math.log((high - low) / 2.0) - 2.0 * math.log(math.cosh(action))
    return density - log_std - slope


def scores(
    means: np.ndarray, log_std: np.ndarray, actions: np.ndarray, bounds: tuple[tuple[float, float], ...]
) -> tuple[np.ndarray, np.ndarray]:
    """By actor and by learner."""
    ours = gaussian_score(means.T, log_std, bounds, actions)
    tensors = [torch.from_numpy(array) for array in (means, log_std, actions)]
    theirs = squashed_gaussian(tensors[0], tensors[1], tensors[2], bounds)[0]
    return ours, theirs.numpy()


@pytest.mark.parametrize("deviation", [-4.0, -0.5, 1.0])
def test_log_probabilities_agree_with_float64_up_to_twenty_on_either_side(deviation: float) -> None:
    actions = np.concatenate([np.linspace(-20, 20, 401), [0.0, 1e-6, -1e-3]]).astype(np.float32)[:, None]
    log_std = np.array([deviation], np.float32)
    for offset in (-2.0, 0.0, 0.3, 2.0):
        means = (actions + np.float32(offset * math.exp(deviation))).astype(np.float32)
        for bounds in BOUNDS:
            expected = [
                reference(float(mean), deviation, float(action), *bounds)
                for mean, action in zip(means[:, 0], actions[:, 0], strict=True)
            ]
            for found in scores(means, log_std, actions, (bounds,)):
                assert np.isfinite(found).all()
                np.testing.assert_allclose(found, expected, rtol=1e-6, atol=0.0)


def test_torchs_own_squash_fails_where_this_one_is_right() -> None:
    """Why there is a formula of our own: the inverse of a tanh that has rounded to 1 is not a number one can use."""
    means, action = np.zeros((1, 1), np.float32), np.full((1, 1), 12.0, np.float32)
    log_std = np.zeros(1, np.float32)
    expected = reference(0.0, 0.0, 12.0, -1.0, 1.0)
    normal = torch.distributions.Normal(torch.zeros(1), torch.ones(1))
    plain: Any = torch.distributions.TransformedDistribution(normal, [torch.distributions.TanhTransform()])
    theirs = float(plain.log_prob(torch.tanh(torch.tensor([12.0]))))
    assert not abs(theirs - expected) < 1.0
    for found in scores(means, log_std, action, BOUNDS[:1]):
        assert found[0] == pytest.approx(expected, rel=1e-6)


@given(
    st.lists(st.tuples(*(st.floats(-20, 20, width=32) for _ in range(6))), min_size=1, max_size=5),
    st.tuples(*(st.floats(-5, 2, width=32) for _ in range(3))),
)
def test_components_add_up_and_actor_and_learner_say_the_same(
    rows: list[tuple[float, ...]], deviations: tuple[float, ...]
) -> None:
    values = np.array(rows, np.float32)
    actions, means, log_std = values[:, :3], values[:, 3:], np.array(deviations, np.float32)
    expected = [
        [reference(float(m), float(d), float(a), *b) for m, d, a, b in zip(mean, log_std, action, BOUNDS, strict=True)]
        for mean, action in zip(means, actions, strict=True)
    ]
    scale = np.abs(expected).max(axis=1)
    for found in scores(means, log_std, actions, BOUNDS):
        assert (np.abs(found - np.sum(expected, axis=1)) <= 1e-6 * scale).all()


def test_the_density_of_squashed_actions_adds_up_to_one() -> None:
    """Over the bounds, by a sum over small steps of the action as the environment gets it."""
    before = np.linspace(-9, 9, 20_001, dtype=np.float32)[:, None]
    mean, log_std = np.full_like(before, 0.4), np.array([-0.3], np.float32)
    for bounds in BOUNDS:
        middle = 0.5 * (bounds[0] + bounds[1])
        after = middle + 0.5 * (bounds[1] - bounds[0]) * np.tanh(before[:, 0].astype(np.float64))
        density = np.exp(gaussian_score(mean.T, log_std, (bounds,), before).astype(np.float64))
        assert np.trapezoid(density, after) == pytest.approx(1.0, abs=1e-4)


class Witnessed(Gallery):
    """A gallery that remembers what was done in it."""

    def reset(self, episodes: int, generator: np.random.Generator) -> Frame:
        self.taken: list[ActionArray] = []
        return super().reset(episodes, generator)

    def step(self, actions: ActionArray) -> Outcome:
        self.taken.append(actions.copy())
        return super().step(actions)


def test_what_is_taken_lies_within_its_bounds_and_what_is_kept_is_before_the_squash() -> None:
    world = Witnessed((4,), bounds=BOUNDS)
    config = settings(task={"episodes": 4})
    policies = divide(world.spec, config.sharing, config.network)
    tensors = tensors_for(policies, config, scale=30.0)
    tensors["all/log_std"] = np.full(3, 2.0, np.float32)
    played = Player(world, policies, seed=3).play(make(0, tensors), training_task(), 4)
    validate(played, world.spec, 4)
    low, high = np.transpose(np.array(BOUNDS, np.float32))
    assert np.abs(played.actions).max() > 15.0, "so far out that the squash has rounded to its bounds"
    for sent, kept, acted in zip(world.taken, played.actions, played.acted, strict=True):
        assert (sent[acted] >= low).all() and (sent[acted] <= high).all()
        middle = (low + high) / 2 + np.tanh(kept[acted].astype(np.float64)) * (high - low) / 2
        np.testing.assert_allclose(sent[acted], middle, atol=1e-6)
        assert not sent[~acted].any() and not kept[~acted].any()


def test_greedy_takes_the_mean() -> None:
    means = np.array([[0.3, -0.2], [1.0, 25.0]], np.float32)
    log_std, draws = np.zeros(2, np.float32), np.ones((2, 2), np.float32)
    actions, _ = sample_gaussian(means, log_std, BOUNDS[:2], draws, greedy=True)
    np.testing.assert_array_equal(actions, means.T)
    assert squash(actions, BOUNDS[:2])[1, 1] == 4.0


INFINITE = math.inf
OPEN = ((-INFINITE, INFINITE), (0.5, INFINITE), (-INFINITE, 2.0), (-1.0, 3.0))


@pytest.mark.parametrize("bounds", OPEN, ids=str)
def test_the_density_of_actions_with_fewer_bounds_adds_up_to_one_too(bounds: tuple[float, float]) -> None:
    before = np.linspace(-12, 12, 40_001, dtype=np.float32)[:, None]
    mean, log_std = np.full_like(before, 0.4), np.array([-0.3], np.float32)
    after = squash(before, (bounds,))[:, 0].astype(np.float64)
    assert (after >= bounds[0]).all() and (after <= bounds[1]).all()
    ours, theirs = scores(mean, log_std, before, (bounds,))
    order = np.argsort(after, kind="stable")
    for density in (np.exp(ours.astype(np.float64)), np.exp(theirs.astype(np.float64))):
        assert np.trapezoid(density[order], after[order]) == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("bounds", OPEN[1:3], ids=str)
def test_half_bounded_scores_agree_with_the_rule_for_densities_far_out(bounds: tuple[float, float]) -> None:
    actions = np.linspace(-20, 20, 201, dtype=np.float32)[:, None]
    means, log_std = np.zeros_like(actions), np.array([0.5], np.float32)
    slope = [-math.log1p(math.exp(-float(x))) for x in actions[:, 0]]
    gaussian = [-0.5 * (float(x) / math.exp(0.5)) ** 2 - 0.5 - 0.5 * math.log(2 * math.pi) for x in actions[:, 0]]
    for found in scores(means, log_std, actions, (bounds,)):
        np.testing.assert_allclose(found, np.array(gaussian) - slope, rtol=1e-6, atol=1e-6)


def test_components_of_every_kind_stand_beside_one_another_and_bounded_ones_keep_their_bits() -> None:
    draw = np.random.default_rng(0)
    means, actions = (draw.normal(size=(50, 4)).astype(np.float32) for _ in range(2))
    log_std = np.array([0.1, -0.2, 0.3, 0.0], np.float32)
    ours, theirs = scores(means, log_std, actions, OPEN)
    single = [scores(means[:, [n]], log_std[[n]], actions[:, [n]], (pair,))[0] for n, pair in enumerate(OPEN)]
    np.testing.assert_allclose(ours, np.sum(single, axis=0), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(theirs, ours, rtol=1e-6, atol=1e-5)
    assert (squash(actions, OPEN)[:, 3] == squash(actions[:, [3]], OPEN[3:])[:, 0]).all()


def test_a_team_without_bounds_plays_and_is_learned_from() -> None:
    world = Gallery((4,), bounds=OPEN)
    config = settings(task={"episodes": 4})
    policies = divide(world.spec, config.sharing, config.network)
    played = Player(world, policies, seed=3).play(make(0, tensors_for(policies, config)), training_task(), 4)
    validate(played, world.spec, 4)
    assert np.isfinite(played.log_probabilities).all()
