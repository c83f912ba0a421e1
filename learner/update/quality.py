"""How good a batch's gradient is: its signal against its noise, and how much of the returns its baseline explains."""

from __future__ import annotations

import numpy as np

from chorus.learner.gradient.running_statistics import Sums
from chorus.learner.update.batch import StepTotals

SIGNAL_MEMORY = 0.95
"""How much of the running means of signal and noise an update keeps: one update's ratio is mostly luck."""


def signal_and_noise(total: StepTotals) -> Sums:
    """`[2]`: the squared signal of a batch's gradient, and the variance of its estimate, from what its tasks' gradients
    and their squared norms add up to; zeros for one task.

    `|mean|^2` alone would count the noise in the mean as signal, so the variance of the mean is taken off: the variance
    of the tasks' is `(sum |g|^2 - n |mean|^2) / (n - 1)`.
    """
    count = total.gradients
    if count < 2:
        return np.zeros(2)
    mean_square = float(total.gradient.square().sum()) / count**2
    noise = (total.square - count * mean_square) / (count * (count - 1))
    return np.array([mean_square - noise, noise])


def ratio(signal: float, noise: float) -> float:
    """Signal to noise of the running means: near 0 where updates are mostly noise; NaN where nothing is known."""
    return signal / noise if noise > 0.0 else float("nan")


def explained_variance(returns: Sums, residual: Sums) -> float:
    """`1 - Var(return - baseline) / Var(return)`, both within the steps of the episode: 1 for a perfect baseline, 0 for
    none, below 0 for one that adds noise. Both sums are `[time, 3]`: count, sum and sum of squares.

    Returns grow smaller towards the end of an episode whatever anybody does; over all steps together, a baseline that
    knew nothing but the time would seem to explain much.
    """
    whole = _within(returns)
    return float(1.0 - _within(residual) / whole) if whole > 0.0 else float("nan")


def _within(sums: Sums) -> float:
    """The sum of squares about the mean of each step of the episode."""
    return float((sums[:, 2] - np.square(sums[:, 1]) / np.maximum(sums[:, 0], 1.0)).sum())
