"""What a handful of runs says of all the runs there could be: means, interquartile means, bootstrap intervals, ranks.

Few seeds and heavy tails are the rule here, so intervals are percentile bootstraps over runs, and the interquartile mean
stands beside the mean (Agarwal et al. 2021, Deep reinforcement learning at the edge of the statistical precipice).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

RESAMPLES = 2000
COVERED = (2.5, 97.5)
"""Percentiles: an interval holds 95 % of the resamples."""
KEY = 20260
"""Of the resampling, so that the same runs give the same report."""


def interquartile_mean(values: Sequence[float]) -> float:
    """The mean of the middle half: a quarter of the values is left out at either end, rounded down."""
    ordered = np.sort(np.asarray(values, float))
    cut = len(ordered) // 4
    return float(ordered[cut : len(ordered) - cut].mean())


def resampled(count: int, stream: int = 0) -> NDArray[np.int64]:
    """Which runs each resample takes, `[RESAMPLES, count]`; unlike groups draw from unlike streams."""
    draws = np.random.Generator(np.random.Philox(key=[KEY, stream]))
    return draws.integers(0, count, (RESAMPLES, count))


def interval(values: Sequence[float], stream: int = 0) -> tuple[float, float] | None:
    """The 95 % bootstrap interval of the mean; one value alone has none."""
    if len(values) < 2:
        return None
    low, high = np.percentile(np.asarray(values, float)[resampled(len(values), stream)].mean(axis=1), COVERED)
    return float(low), float(high)


def band(curves: Values, stream: int = 0) -> tuple[Values, Values]:
    """The interval of the mean at every point of `[run, point]` curves."""
    weights = np.apply_along_axis(np.bincount, 1, resampled(len(curves), stream), minlength=len(curves)) / len(curves)
    low, high = np.percentile(weights @ curves, COVERED, axis=0)
    return low, high


def ranks(groups: Sequence[Sequence[float]]) -> list[tuple[int, int, int]]:
    """Each group's rank by its mean (1 is the best), and the least and greatest rank that 95 % of the resamples give it.

    A group without values comes last.
    """
    means = np.array([np.mean(group) if len(group) else -np.inf for group in groups])
    drawn = np.stack(
        [
            np.asarray(group, float)[resampled(len(group), stream)].mean(axis=1)
            if len(group)
            else np.full(RESAMPLES, -np.inf)
            for stream, group in enumerate(groups)
        ]
    )
    placed = 1 + (drawn[None, :, :] > drawn[:, None, :]).sum(axis=1)
    low, high = np.percentile(placed, COVERED, axis=1, method="nearest")
    order = 1 + (means[None, :] > means[:, None]).sum(axis=1)
    return [(int(rank), int(least), int(most)) for rank, least, most in zip(order, low, high, strict=True)]
