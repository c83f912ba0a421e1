"""Means, intervals and ranks over runs."""

import numpy as np
import pytest

from chorus.runs.statistics import band, interquartile_mean, interval, ranks


def test_the_interquartile_mean_is_that_of_the_middle_half() -> None:
    assert interquartile_mean([100.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, -90.0]) == np.mean([2.0, 3.0, 4.0, 5.0])
    assert interquartile_mean([3.0]) == 3.0


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    draws = np.random.Generator(np.random.Philox(key=3))
    samples = draws.normal(5.0, 2.0, (300, 20))
    found = [interval(sample.tolist()) for sample in samples]
    covered = np.mean([one is not None and one[0] <= 5.0 <= one[1] for one in found])
    assert 0.88 <= covered <= 0.98


def test_one_run_alone_has_no_interval() -> None:
    assert interval([1.0]) is None


def test_a_band_is_the_interval_at_every_point() -> None:
    curves = np.random.Generator(np.random.Philox(key=4)).normal(0.0, 1.0, (5, 3))
    low, high = band(curves)
    for point in range(3):
        assert interval(curves[:, point].tolist()) == pytest.approx((low[point], high[point]))


def test_ranks_are_sure_where_groups_lie_apart_and_unsure_where_they_do_not() -> None:
    found = ranks([[10.0, 11.0, 12.0], [1.0, 5.0, 3.0], [2.0, 4.0, 2.9], []])
    assert found[0] == (1, 1, 1)
    assert [rank for rank, _, _ in found] == [1, 2, 3, 4]
    assert found[1][1:] == found[2][1:] == (2, 3)
    assert found[3] == (4, 4, 4)
