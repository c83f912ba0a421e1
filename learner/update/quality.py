"""How good a batch's gradient is: its signal against its noise, and how much of the returns its baseline explains."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

import numpy as np

from chorus.learner.gradient.loss import StepSums
from chorus.learner.gradient.reinforce import PolicySums
from chorus.learner.gradient.running_statistics import Sums

SIGNAL_MEMORY = 0.95
"""How much of the running means of signal and noise an update keeps: one update's ratio is mostly luck."""


def signal_and_noise(sums: Sequence[StepSums]) -> Sums:
    """`[2]`: the squared signal of a batch's gradient, and the variance of its estimate, from the tasks' gradients;
    zeros for one task.

    `|mean|^2` alone would count the noise in the mean as signal, so the variance of the mean is taken off.

    The variance is taken as `(sum |g|^2 - n |mean|^2) / (n - 1)`, in float64: `Tensor.var` over the first axis takes
    twenty times as long, while nobody else can work.
    """
    gradients = [part.gradient.double() for part in sums if part.gradient is not None]
    count = len(gradients)
    if count < 2:
        return np.zeros(2)
    mean_square = float(reduce(add, gradients).square().sum()) / count**2
    spread = sum(float(gradient.square().sum()) for gradient in gradients) - count * mean_square
    noise = spread / (count * (count - 1))
    return np.array([mean_square - noise, noise])


def ratio(signal: float, noise: float) -> float:
    """Signal to noise of the running means: near 0 where updates are mostly noise; NaN where nothing is known."""
    return signal / noise if noise > 0.0 else float("nan")


def explained_variance(sums: Sequence[PolicySums]) -> float:
    """`1 - Var(return - baseline) / Var(return)`, both within the steps of the episode: 1 for a perfect baseline, 0 for
    none, below 0 for one that adds noise.

    Returns grow smaller towards the end of an episode whatever anybody does; over all steps together, a baseline that
    knew nothing but the time would seem to explain much.
    """
    returns, residual = (
        _within(parts) for parts in zip(*((part.returns, part.residual) for part in sums), strict=True)
    )
    return float(1.0 - residual / returns) if returns > 0.0 else float("nan")


def _within(parts: Sequence[Sums]) -> float:
    """The sum of squares about the mean of each step of the episode."""
    total = np.zeros((max(len(part) for part in parts), 3))
    for part in parts:
        total[: len(part)] += part
    return float((total[:, 2] - np.square(total[:, 1]) / np.maximum(total[:, 0], 1.0)).sum())
