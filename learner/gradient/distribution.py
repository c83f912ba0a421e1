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
    """Log-probability of Gaussian actions brought within their bounds, and the entropy of the Gaussian before that.

    `log p = log N(x; mean, std) - log(1 - tanh(x)^2) - log((high - low) / 2)` per component, with
    `log(1 - tanh(x)^2) = 2 (log 2 - |x| - softplus(-2 |x|))`, which stays finite where tanh(x) rounds to 1. The entropy
    of the squashed action has no closed form; its Gaussian's is used as the bonus. A component bounded on one side goes
    through softplus, whose slope is `1 / (1 + e^-x)`; one without bounds is the Gaussian itself.

    Args:
        means: `[step, component]`.
        log_std: `[component]`.
        actions: `[step, component]`, before the squash.
        bounds: (low, high) of each component, either of which may be infinite.

    Returns:
        two `[step]`.
    """
    kinds = [kind_of(pair) for pair in bounds]
    if any(kind is not Bounds.BOTH for kind in kinds):
        return _partly_bounded(means, log_std, actions, bounds, kinds)
    half_widths = actions.new_tensor([(high - low) / 2.0 for low, high in bounds], dtype=torch.float64)
    spread, exact = log_std.double(), actions.double()
    density = -0.5 * ((exact - means.double()) * torch.exp(-spread)).square() - spread - 0.5 * log(2.0 * pi)
    size = exact.abs()
    slope = 2.0 * (log(2.0) - size - softplus(-2.0 * size, threshold=1e9)) + half_widths.log()
    log_probability = (density - slope).sum(dim=1).to(means.dtype)
    entropy = (log_std + 0.5 * log(2.0 * pi) + 0.5).sum().expand(len(means))
    return log_probability, entropy


def _partly_bounded(
    means: Tensor, log_std: Tensor, actions: Tensor, bounds: tuple[tuple[float, float], ...], kinds: list[Bounds]
) -> tuple[Tensor, Tensor]:
    """The same where some component lacks a bound; each component by itself."""
    log_probability = means.new_zeros(len(means), dtype=torch.float64)
    for component, kind in enumerate(kinds):
        spread, x = log_std[component].double(), actions[:, component].double()
        density = -0.5 * ((x - means[:, component].double()) * torch.exp(-spread)).square() - spread
        log_probability = log_probability + density - 0.5 * log(2.0 * pi)
        if kind is Bounds.BOTH:
            low, high = bounds[component]
            size = x.abs()
            log_probability = log_probability - (
                2.0 * (log(2.0) - size - softplus(-2.0 * size, threshold=1e9)) + log((high - low) / 2.0)
            )
        elif kind is not Bounds.NEITHER:
            log_probability = log_probability + softplus(-x, threshold=1e9)
    entropy = (log_std + 0.5 * log(2.0 * pi) + 0.5).sum().expand(len(means))
    return log_probability.to(means.dtype), entropy
