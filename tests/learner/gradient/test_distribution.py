"""What the learner takes for log-probability and entropy, against the definitions."""

from __future__ import annotations

from math import exp, log, pi

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.learner.gradient.distribution import categorical, squashed_gaussian


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    choices=st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple),
    masked=st.booleans(),
)
def test_a_categorical_is_its_definition_with_probability_zero_where_masked(
    seed: int, choices: tuple[int, ...], masked: bool
) -> None:
    draws = np.random.Generator(np.random.Philox(key=seed))
    logits = draws.normal(size=(4, sum(choices))) * 3.0
    actions = np.stack([draws.integers(count, size=4) for count in choices], axis=1)
    allowed = np.ones(logits.shape, np.bool_)
    if masked:
        allowed = draws.random(logits.shape) < 0.5
        starts = np.cumsum(choices) - choices
        for component, start in enumerate(starts):
            allowed[np.arange(4), start + actions[:, component]] = True
    shown = torch.from_numpy(np.where(allowed, logits, -np.inf)).requires_grad_()
    found, spread = categorical(shown, torch.from_numpy(actions.astype(np.int32)), choices)
    for step in range(4):
        log_pi, entropy, start = 0.0, 0.0, 0
        for component, count in enumerate(choices):
            powers = [exp(logits[step, start + n]) if allowed[step, start + n] else 0.0 for n in range(count)]
            chances = [power / sum(powers) for power in powers]
            log_pi += log(chances[actions[step, component]])
            entropy -= sum(chance * log(chance) for chance in chances if chance > 0.0)
            start += count
        assert float(found[step].detach()) == pytest.approx(log_pi, abs=1e-9)
        assert float(spread[step].detach()) == pytest.approx(entropy, abs=1e-9)
    (slope,) = torch.autograd.grad((found + spread).sum(), shown)
    assert bool(torch.isfinite(slope).all()), "a masked choice must not make the gradient NaN"
    assert not slope.numpy()[~allowed].any(), "and gets none"


@settings(max_examples=100, deadline=None)
@given(
    x=st.floats(-20.0, 20.0),
    mean=st.floats(-20.0, 20.0),
    log_std=st.floats(-2.0, 2.0),
    low=st.floats(-5.0, 5.0),
    width=st.floats(0.1, 10.0),
    precision=st.sampled_from([torch.float32, torch.float64]),
)
def test_a_squashed_gaussian_is_its_definition_far_out_too(
    x: float, mean: float, log_std: float, low: float, width: float, precision: torch.dtype
) -> None:
    numbers = [torch.tensor([[value]], dtype=precision) for value in (mean, x)]
    deviation = torch.tensor([log_std], dtype=precision)
    found, entropy = squashed_gaussian(numbers[0], deviation, numbers[1], ((low, low + width),))
    x, mean, log_std = float(numbers[1]), float(numbers[0]), float(deviation)  # as rounded to the precision
    noise = (x - mean) / exp(log_std)
    slope = log(4.0) - 2.0 * log(exp(x) + exp(-x)) + log(width / 2.0)
    expected = -0.5 * noise * noise - log_std - 0.5 * log(2.0 * pi) - slope
    size = max(1.0, abs(expected), 0.5 * noise * noise, abs(slope))
    assert float(found[0]) == pytest.approx(expected, abs=1e-6 * size)
    spread = 0.5 * log(2.0 * pi * exp(1.0)) + log_std + slope
    assert float(entropy[0]) == pytest.approx(spread, abs=1e-6 * max(1.0, abs(slope)))


@pytest.mark.parametrize(("mean", "log_std"), [(0.0, -1.0), (0.7, 0.0), (2.0, 0.5), (0.0, 2.0)])
def test_the_bonus_of_continuous_actions_is_their_own_entropy_on_average_and_so_is_its_slope(
    mean: float, log_std: float
) -> None:
    """Against the entropy of the squashed action by quadrature, and its slope by differences. The Gaussian's entropy
    alone grows for ever with its spread, while that of what is done falls: half of the actions lie at either bound."""

    def true_entropy(mean: float, log_std: float) -> float:
        z = np.linspace(-9.0, 9.0, 200_001)
        density = np.exp(-0.5 * z * z) / (2.0 * pi) ** 0.5
        x = mean + exp(log_std) * z
        slope = log(4.0) - 2.0 * (np.abs(x) + np.log1p(np.exp(-2.0 * np.abs(x)))) + log(1.5)
        return float(0.5 * log(2.0 * pi * exp(1.0)) + log_std + np.trapezoid(density * slope, z))

    generator = torch.Generator().manual_seed(0)
    means = torch.full((200_000, 1), mean, dtype=torch.float64, requires_grad=True)
    deviation = torch.tensor([log_std], dtype=torch.float64, requires_grad=True)
    noise = torch.randn(200_000, 1, generator=generator, dtype=torch.float64)
    actions = (means + torch.exp(deviation) * noise).detach()
    _, entropy = squashed_gaussian(means, deviation, actions, ((-1.0, 2.0),))
    by_mean, by_spread = torch.autograd.grad(entropy.mean(), [means, deviation])
    step = 1e-4
    assert float(entropy.detach().mean()) == pytest.approx(true_entropy(mean, log_std), abs=0.03)
    right = (true_entropy(mean + step, log_std) - true_entropy(mean - step, log_std)) / (2 * step)
    assert float(by_mean.sum()) == pytest.approx(right, abs=0.02)
    right = (true_entropy(mean, log_std + step) - true_entropy(mean, log_std - step)) / (2 * step)
    assert float(by_spread.sum()) == pytest.approx(right, abs=0.05)
