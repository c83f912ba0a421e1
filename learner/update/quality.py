"""How good a batch's gradient is: its signal against its noise, and how much of the returns its baseline explains."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

import numpy as np

from chorus.learner.gradient.reinforce import PolicySums


def signal_to_noise(sums: Sequence[PolicySums]) -> float:
    """The squared signal of a batch's gradient over the variance of its estimate, from the tasks' gradients; NaN for
    one task.

    `|mean|^2` alone would count the noise in the mean as signal, so the variance of the mean is taken off: 0 in
    expectation for pure noise, below 1 where an update is mostly noise.

    The variance is taken as `(sum |g|^2 - n |mean|^2) / (n - 1)`, in float64: `Tensor.var` over the first axis takes
    twenty times as long, while nobody else can work.
    """
    gradients = [part.gradient.double() for part in sums if part.gradient is not None]
    count = len(gradients)
    if count < 2:
        return float("nan")
    mean_square = float(reduce(add, gradients).square().sum()) / count**2
    spread = sum(float(gradient.square().sum()) for gradient in gradients) - count * mean_square
    return mean_square / max(spread / (count * (count - 1)), 1e-300) - 1.0


def explained_variance(sums: Sequence[PolicySums]) -> float:
    """`1 - Var(return - baseline) / Var(return)`: 1 for a perfect baseline, 0 for none."""
    credit, residual = (sum(parts, np.zeros(3)) for parts in zip(*((p.returns, p.residual) for p in sums), strict=True))
    variance = [total[2] / max(total[0], 1.0) - (total[1] / max(total[0], 1.0)) ** 2 for total in (credit, residual)]
    return float(1.0 - variance[1] / variance[0]) if variance[0] > 0.0 else float("nan")
