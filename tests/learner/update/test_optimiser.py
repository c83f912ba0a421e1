"""Each rule does what torch's own does, step by step, and the clip shortens what is too long and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from chorus.common.settings.sections import OptimiserConfig
from chorus.learner.update import optimiser

SIZE = 40

RULES: dict[str, tuple[OptimiserConfig, Any]] = {
    "adam": (OptimiserConfig(name="adam"), lambda p: torch.optim.Adam([p])),
    "adam ignores momentum": (OptimiserConfig(name="adam", momentum=0.5), lambda p: torch.optim.Adam([p])),
    "sgd": (OptimiserConfig(name="sgd"), lambda p: torch.optim.SGD([p])),
    "sgd with momentum": (
        OptimiserConfig(name="sgd", momentum=0.9),
        lambda p: torch.optim.SGD([p], momentum=0.9),
    ),
    "rmsprop": (OptimiserConfig(name="rmsprop"), lambda p: torch.optim.RMSprop([p])),
    "rmsprop with momentum": (
        OptimiserConfig(name="rmsprop", momentum=0.9),
        lambda p: torch.optim.RMSprop([p], momentum=0.9),
    ),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("precision", [torch.float32, torch.float64])
def test_a_rule_steps_as_torchs_own_does(rule: str, precision: torch.dtype) -> None:
    config, make = RULES[rule]
    generator = torch.Generator().manual_seed(1)
    ours = torch.randn(SIZE, generator=generator, dtype=precision)
    theirs = ours.clone().requires_grad_()
    torchs = make(theirs)
    state = optimiser.fresh(config, ours)
    for number in range(1, 31):
        gradient = torch.randn(SIZE, generator=generator, dtype=precision) * 10.0 ** (number % 5 - 3)
        rate = 0.01 / number
        optimiser.step(config, ours, gradient, state, rate)
        for group in torchs.param_groups:
            group["lr"] = rate
        theirs.grad = gradient.clone()
        torchs.step()
        tight = precision == torch.float64
        torch.testing.assert_close(ours, theirs.detach(), rtol=1e-12 if tight else 1e-5, atol=1e-12 if tight else 2e-6)


@pytest.mark.parametrize("rule", RULES)
def test_a_step_goes_on_from_a_stored_state_to_the_last_bit(rule: str) -> None:
    config, _ = RULES[rule]
    generator = torch.Generator().manual_seed(2)
    gradients = [torch.randn(SIZE, generator=generator) for _ in range(6)]
    through, state = torch.zeros(SIZE), optimiser.fresh(config, torch.zeros(SIZE))
    for gradient in gradients:
        optimiser.step(config, through, gradient, state, 0.01)
    resumed, kept = torch.zeros(SIZE), optimiser.fresh(config, torch.zeros(SIZE))
    for gradient in gradients:
        kept = {name: value.clone() for name, value in kept.items()}
        optimiser.step(config, resumed, gradient, kept, 0.01)
    assert torch.equal(through, resumed)


@pytest.mark.parametrize("rule", RULES)
def test_the_gradient_itself_is_left_alone(rule: str) -> None:
    config, _ = RULES[rule]
    gradient = torch.ones(SIZE)
    optimiser.step(config, torch.zeros(SIZE), gradient, optimiser.fresh(config, gradient), 0.1)
    assert torch.equal(gradient, torch.ones(SIZE))


@given(
    numbers=st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=8),
    limit=st.none() | st.floats(1e-3, 1e4),
)
def test_a_gradient_is_shortened_to_the_limit_and_never_turned_or_lengthened(
    numbers: list[float], limit: float | None
) -> None:
    gradient = torch.tensor(numbers, dtype=torch.float32)
    norm = sum(float(number) ** 2 for number in gradient) ** 0.5
    clipped = optimiser.clip(gradient, limit)
    assert clipped.norm == pytest.approx(norm)
    if limit is None or norm <= limit:
        assert not clipped.shortened and torch.equal(clipped.gradient, gradient)
    else:
        assert clipped.shortened
        torch.testing.assert_close(clipped.gradient, gradient * (limit / norm), rtol=1e-5, atol=0.0)


def test_the_clip_is_torchs() -> None:
    gradient = torch.randn(SIZE, generator=torch.Generator().manual_seed(3)) * 100
    parameter = torch.zeros(SIZE, requires_grad=True)
    parameter.grad = gradient.clone()
    torch.nn.utils.clip_grad_norm_([parameter], 2.5)
    torch.testing.assert_close(optimiser.clip(gradient, 2.5).gradient, parameter.grad, rtol=1e-5, atol=1e-7)


def test_a_gradient_that_is_no_number_has_no_norm_either() -> None:
    for bad in (float("nan"), float("inf")):
        norm = optimiser.clip(torch.tensor([1.0, bad]), 1.0).norm
        assert not norm < float("inf")


def test_roots_are_rightly_rounded() -> None:
    values = torch.linspace(0.0, 7.0, 5001)
    exact = values.double().sqrt().to(torch.float32)  # rounded twice, which for roots is as good as once
    assert torch.equal(optimiser.root(values), exact)
