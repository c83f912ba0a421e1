"""What a network's outputs say about actions: log-probabilities and entropies in torch, as `actor/sampling.py` in
NumPy."""

from __future__ import annotations

from math import log, pi

import torch
from torch import Tensor
from torch.nn.functional import softplus

from chorus.common.environments.interface import Bounds, kind_of


def categorical(logits: Tensor, actions: Tensor, choices: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Log-probability of the actions taken, and entropy, summed over components.

    Args:
        logits: `[step, output]`, -inf where a choice is masked.
        actions: int32 `[step, component]`.
        choices: number of choices of each component; they add up to `output`.

    Returns:
        two `[step]`.
    """
    log_probability = logits.new_zeros(len(logits))
    entropy = logits.new_zeros(len(logits))
    start = 0
    for component, size in enumerate(choices):
        # Choices first: torch then takes many steps at once, where a handful of choices would fill no vector register.
        scores = torch.log_softmax(logits[:, start : start + size].t().contiguous(), dim=0)
        log_probability = log_probability + scores.gather(0, actions[:, component].long()[None])[0]
        finite = scores.masked_fill(torch.isinf(scores), 0.0)
        entropy = entropy - (scores.exp() * finite).sum(dim=0)
        start += size
    return log_probability, entropy


def squashed_gaussian(
    means: Tensor, log_std: Tensor, actions: Tensor, bounds: tuple[tuple[float, float], ...]
) -> tuple[Tensor, Tensor]:
    """Log-probability of Gaussian actions brought within their bounds, and an estimate of their entropy.

    `log p = log N(x; mean, std) - log |da/dx|` per component. Between two bounds `a = low + (tanh(x) + 1) (high - low)
    / 2` and `log(1 - tanh(x)^2) = 2 (log 2 - |x| - softplus(-2 |x|))`, which stays finite where tanh(x) rounds to 1. A
    component bounded on one side goes through softplus, whose slope is `1 / (1 + e^-x)`; one without bounds is the
    Gaussian itself.

    The entropy has no closed form but for the last: it is the Gaussian's, and the mean of the slope's logarithm, of
    which the action taken is one sample, written as `x = mean + std z` so that its gradient is the entropy's own (the
    noise `z` is held). The Gaussian's alone would reward a spread that drives every action to a bound.

    Args:
        means: `[step, component]`.
        log_std: `[component]`.
        actions: `[step, component]`, before the squash.
        bounds: (low, high) of each component, either of which may be infinite.

    Returns:
        two `[step]`.
    """
    spread, exact = log_std.double(), actions.double()
    noise = (exact - means.double()) * torch.exp(-spread)
    density = -0.5 * noise.square() - spread - 0.5 * log(2.0 * pi)
    log_probability = (density - _log_slope(exact, bounds)).sum(dim=1).to(means.dtype)
    drawn = means.double() + torch.exp(spread) * noise.detach()
    entropy = (spread + 0.5 * log(2.0 * pi) + 0.5 + _log_slope(drawn, bounds)).sum(dim=1)
    return log_probability, entropy.to(means.dtype)


def _log_slope(actions: Tensor, bounds: tuple[tuple[float, float], ...]) -> Tensor:
    """`log |da/dx|` of every component, `[step, component]`."""
    kinds = [kind_of(pair) for pair in bounds]
    if all(kind is Bounds.BOTH for kind in kinds):
        return _log_squash(actions) + actions.new_tensor([log((high - low) / 2.0) for low, high in bounds])
    columns = []
    for component, kind in enumerate(kinds):
        x, (low, high) = actions[:, component], bounds[component]
        if kind is Bounds.BOTH:
            columns.append(_log_squash(x) + log((high - low) / 2.0))
        else:
            columns.append(torch.zeros_like(x) if kind is Bounds.NEITHER else -softplus(-x, threshold=1e9))
    return torch.stack(columns, dim=1)


def _log_squash(actions: Tensor) -> Tensor:
    """`log(1 - tanh(x)^2)`."""
    size = actions.abs()
    return 2.0 * (log(2.0) - size - softplus(-2.0 * size, threshold=1e9))
