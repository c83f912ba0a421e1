"""Intervals: the quantiles of Student's t against its density, and what the bands promise."""

from math import gamma, pi, sqrt

import numpy as np
import pytest

from chorus.studies.interval import T_975, difference, interval


@pytest.mark.parametrize("freedom", range(1, 31))
def test_the_quantiles_leave_a_fortieth_of_students_density_on_each_side(freedom: int) -> None:
    t = np.linspace(0.0, T_975[freedom], 200_001)
    density = (1.0 + t**2 / freedom) ** (-(freedom + 1) / 2.0)
    density *= gamma((freedom + 1) / 2.0) / (sqrt(freedom * pi) * gamma(freedom / 2.0))
    inside = float(((density[1:] + density[:-1]) / 2.0).sum() * (t[1] - t[0]))
    assert 0.5 - inside == pytest.approx(0.025, abs=5e-5)


def test_the_band_of_a_mean_holds_the_truth_in_19_cases_of_20() -> None:
    draws = np.random.default_rng(0).normal(3.0, 2.0, (4000, 5))
    held = np.mean([one.low < 3.0 < one.high for one in (interval(list(row)) for row in draws)])
    assert 0.94 < held < 0.96


def test_differences_are_paired_by_seed() -> None:
    gap = difference([1.0, 11.0, 21.0], [0.0, 10.0, 20.0])
    assert (gap.mean, gap.half, gap.count) == (1.0, 0.0, 3)


def test_one_value_has_no_band() -> None:
    assert interval([2.0]).text() == "2.0"
