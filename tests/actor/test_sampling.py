"""What is allowed is chosen as often as it should be, what is masked never, whatever the draw."""

from __future__ import annotations

from math import exp, log, pi

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.actor.sampling import log_slope, sample, sample_gaussian, squash
from chorus.common.errors import EnvironmentFault

LEAST, GREATEST = np.float32(0.0), np.nextafter(np.float32(1.0), np.float32(0.0))
"""The draws at both ends of [0, 1)."""

rows = st.integers(1, 40)
sizes = st.lists(st.integers(1, 6), min_size=1, max_size=3).map(tuple)


def problem(seed: int, rows: int, choices: tuple[int, ...], spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits `[output, row]`, and a mask `[row, output]` that allows something in every component."""
    draws = np.random.Generator(np.random.Philox(key=seed))
    logits = (draws.normal(size=(sum(choices), rows)) * spread).astype(np.float32)
    mask = draws.random((rows, sum(choices))) < 0.4
    start = 0
    for count in choices:
        mask[np.arange(rows), start + draws.integers(count, size=rows)] = True
        start += count
    return logits, mask


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    rows=rows,
    choices=sizes,
    spread=st.sampled_from([0.0, 1.0, 20.0, 1e4]),
    draw=st.sampled_from([LEAST, GREATEST, np.float32(0.5), np.float32(1e-38)]),
    greedy=st.booleans(),
)
def test_a_masked_action_is_never_taken(
    seed: int, rows: int, choices: tuple[int, ...], spread: float, draw: np.float32, greedy: bool
) -> None:
    logits, mask = problem(seed, rows, choices, spread)
    draws = np.full((rows, len(choices)), draw, np.float32)
    actions, scores = sample(logits, choices, draws, mask, greedy)
    start = 0
    for component, count in enumerate(choices):
        chosen = actions[:, component]
        assert ((chosen >= 0) & (chosen < count)).all()
        assert mask[np.arange(rows), start + chosen].all()
        start += count
    assert np.isfinite(scores).all() and (scores <= 0.0).all()


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32), rows=rows, choices=sizes, spread=st.sampled_from([0.0, 1.0, 5.0]), masked=st.booleans()
)
def test_the_action_is_where_the_draw_falls_on_the_cumulative_distribution(
    seed: int, rows: int, choices: tuple[int, ...], spread: float, masked: bool
) -> None:
    logits, mask = problem(seed, rows, choices, spread)
    draws = np.random.Generator(np.random.Philox(key=seed + 1)).random((rows, len(choices)), dtype=np.float32)
    actions, scores = sample(logits, choices, draws, mask if masked else None, False)
    for row in range(rows):
        total, start = 0.0, 0
        for component, count in enumerate(choices):
            own = [float(logit) for logit in logits[start : start + count, row]]
            allowed = [not masked or bool(mask[row, start + choice]) for choice in range(count)]
            powers = [exp(own[choice] - max(own)) if allowed[choice] else 0.0 for choice in range(count)]
            chosen, draw = int(actions[row, component]), float(draws[row, component])
            below, with_it = sum(powers[:chosen]) / sum(powers), sum(powers[: chosen + 1]) / sum(powers)
            assert below - 1e-6 <= draw <= with_it + 1e-6
            total += log(powers[chosen] / sum(powers))
            start += count
        assert abs(float(scores[row]) - total) <= 1e-5 * max(1.0, abs(total))


def test_the_last_action_is_not_taken_for_a_sum_that_rounds_below_the_draw() -> None:
    """A float32 cumulative sum of many probabilities may end below 1, and the greatest draw beyond it."""
    found = 0
    for seed in range(200):
        logits = np.random.Generator(np.random.Philox(key=seed)).normal(size=(50, 1)).astype(np.float32)
        powers = np.exp(logits[:-1, 0])
        found += int(np.add.accumulate(powers / powers.sum())[-1] <= GREATEST)
        mask = np.ones((1, 50), np.bool_)
        mask[0, -1] = False
        draws = np.full((1, 1), GREATEST, np.float32)
        assert sample(logits, (50,), draws, mask, False)[0][0, 0] < 49
    assert found > 20, "a plain comparison with the cumulative sum would have failed in some of these"


def test_choices_come_as_often_as_their_probabilities_say() -> None:
    logits = np.log(np.array([[0.1], [0.2], [0.0001], [0.6999]], np.float32)).repeat(100_000, axis=1)
    draws = np.random.Generator(np.random.Philox(key=0)).random((100_000, 1), dtype=np.float32)
    actions, _ = sample(logits, (4,), draws, None, False)
    shares = np.bincount(actions[:, 0], minlength=4) / 100_000
    np.testing.assert_allclose(shares, [0.1, 0.2, 0.0001, 0.6999], atol=5e-3)


def test_greedy_takes_the_likeliest_of_the_allowed_and_of_equals_the_first() -> None:
    logits = np.array([[5.0, 1.0], [2.0, 3.0], [2.0, 3.0]], np.float32)
    mask = np.array([[False, True, True], [True, True, True]])
    actions, scores = sample(logits, (3,), np.full((2, 1), GREATEST), mask, True)
    assert actions[:, 0].tolist() == [1, 1]
    np.testing.assert_allclose(scores, [log(0.5), 3.0 - log(exp(1.0) + 2.0 * exp(3.0))], rtol=1e-6)


def test_a_row_that_may_do_nothing_is_an_error_that_names_it() -> None:
    mask = np.ones((3, 5), np.bool_)
    mask[2, 2:] = False
    with pytest.raises(EnvironmentFault) as caught:
        sample(np.zeros((5, 3), np.float32), (2, 3), np.zeros((3, 2), np.float32), mask, False)
    assert caught.value.args == ("the action mask allows nothing", 2)


def test_a_choice_of_probability_zero_is_not_taken_at_draw_zero() -> None:
    logits = np.array([[-1e4], [0.0], [-1e4]], np.float32)
    for draw in (LEAST, GREATEST):
        actions, scores = sample(logits, (3,), np.full((1, 1), draw, np.float32), None, False)
        assert actions[0, 0] == 1 and scores[0] == 0.0


# -- continuous actions


@given(x=st.floats(-20.0, 20.0))
def test_the_squashs_slope_is_right_far_out(x: float) -> None:
    """`1 - tanh(x)^2 = 4 / (e^x + e^-x)^2`, which `log(1 - tanh(x)**2)` loses beyond 19."""
    exact = log(4.0) - 2.0 * log(exp(x) + exp(-x))
    assert float(log_slope(np.array([x]))[0]) == pytest.approx(exact, rel=1e-12, abs=1e-14)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), shift=st.sampled_from([0.0, 5.0, -18.0]), greedy=st.booleans())
def test_the_log_probability_of_a_continuous_action_is_the_density_over_the_slope(
    seed: int, shift: float, greedy: bool
) -> None:
    draws = np.random.Generator(np.random.Philox(key=seed))
    bounds = ((-1.0, 1.0), (0.0, 5.0), (-3.0, -2.5))
    means = (draws.normal(size=(3, 6)) + shift).astype(np.float32)
    log_std = draws.normal(size=3).astype(np.float32) * np.float32(0.3)
    noise = draws.normal(size=(6, 3)).astype(np.float32)
    actions, scores = sample_gaussian(means, log_std, bounds, noise, greedy)
    bounded = squash(actions, bounds)
    for row in range(6):
        total = 0.0
        for component, (low, high) in enumerate(bounds):
            x, drawn = float(actions[row, component]), 0.0 if greedy else float(noise[row, component])
            mean, std = float(means[component, row]), exp(float(log_std[component]))
            assert x == pytest.approx(mean + std * drawn, rel=1e-5, abs=1e-5)
            z = (x - mean) / std  # of the action as it is recorded, in float32
            total += -0.5 * z * z - log(std) - 0.5 * log(2.0 * pi)
            total -= log(4.0) - 2.0 * log(exp(x) + exp(-x)) + log((high - low) / 2.0)
            assert low <= bounded[row, component] <= high
            assert bounded[row, component] == pytest.approx(low + (np.tanh(x) + 1.0) * (high - low) / 2.0, abs=1e-6)
        assert float(scores[row]) == pytest.approx(total, rel=1e-6)
