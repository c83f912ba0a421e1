"""Means over seeds and their 95 % confidence intervals by Student's t distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan, cos, inf, isfinite, pi, sin, sqrt

import numpy as np

T_975 = (
    inf, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
"""The 97.5 % quantile of Student's t by degrees of freedom, 0 to 30."""


@dataclass(frozen=True)
class Interval:
    """A mean, the half-width of its 95 % confidence interval, and the number of values behind it."""

    mean: float
    half: float
    count: int

    @property
    def low(self) -> float:
        """The lower end."""
        return self.mean - self.half

    @property
    def high(self) -> float:
        """The upper end."""
        return self.mean + self.half

    def text(self, digits: int = 1) -> str:
        """`-57.3 ± 0.8`."""
        if not isfinite(self.half):
            return f"{self.mean:.{digits}f}"
        return f"{self.mean:.{digits}f} ± {self.half:.{digits}f}"


def interval(values: Sequence[float]) -> Interval:
    """The mean of independent values, such as one for each seed: `mean ± t · s / sqrt(n)`."""
    count = len(values)
    if count < 2:
        return Interval(float(values[0]), inf, count)
    quantile = T_975[count - 1] if count <= len(T_975) else 1.96
    return Interval(float(np.mean(values)), quantile * float(np.std(values, ddof=1)) / sqrt(count), count)


def difference(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """By how much ours are greater, paired: the n-th values of both come from the same seed."""
    return interval([a - b for a, b in zip(ours, theirs, strict=True)])


def p_value(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The chance of a mean difference at least so far from 0, on either side, if there is none (paired t test).

    1 where one pair alone says nothing; 0 where all pairs differ by one and the same number that is not 0.
    """
    gaps = [a - b for a, b in zip(ours, theirs, strict=True)]
    mean, count = float(np.mean(gaps)), len(gaps)
    if count < 2 or mean == 0.0:
        return 1.0
    error = float(np.std(gaps, ddof=1)) / sqrt(count)
    return 1.0 - within(abs(mean) / error, count - 1) if error else 0.0


def within(t: float, freedom: int) -> float:
    """How much of Student's t distribution lies between -t and t (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4)."""
    angle = atan(t / sqrt(freedom))
    odd = freedom % 2
    term, total = (cos(angle), 0.0) if odd else (1.0, 0.0)
    for number in range(freedom // 2):
        total += term
        term *= cos(angle) ** 2 * (2 * number + 1 + odd) / (2 * number + 2 + odd)
    return 2.0 / pi * (angle + sin(angle) * total) if odd else sin(angle) * total
