"""Comparisons are judged together: of many differences that are none, no more than one page in twenty tells one."""

from __future__ import annotations

import numpy as np
import pytest

from chorus.studies.comparisons import LEVEL, Comparisons, holm, together
from chorus.studies.interval import T_975, p_value, within


@pytest.mark.parametrize("freedom", range(1, 31))
def test_the_distribution_and_the_table_of_its_quantiles_agree(freedom: int) -> None:
    assert within(T_975[freedom], freedom) == pytest.approx(0.95, abs=1e-4)


def test_p_values_of_no_difference_are_spread_evenly() -> None:
    draws = np.random.default_rng(1).normal(0.0, 1.0, (4000, 2, 5))
    found = np.array([p_value(list(ours), list(theirs)) for ours, theirs in draws])
    assert np.quantile(found, [0.05, 0.25, 0.5, 0.75]) == pytest.approx([0.05, 0.25, 0.5, 0.75], abs=0.03)


def test_one_pair_says_nothing_and_a_constant_difference_all() -> None:
    assert p_value([1.0], [0.0]) == 1.0
    assert p_value([1.0, 2.0], [1.0, 2.0]) == 1.0
    assert p_value([2.0, 3.0, 4.0], [1.0, 2.0, 3.0]) == 0.0


def test_holms_example_is_stepped_through_until_the_first_that_fails() -> None:
    """0.01 < 0.05/4, 0.015 < 0.05/3, 0.03 > 0.05/2: from there on none, not even 0.04 < 0.05/1."""
    assert holm([0.03, 0.01, 0.04, 0.015]) == [False, True, False, True]


def test_of_twenty_differences_that_are_none_few_pages_tell_one() -> None:
    generator = np.random.default_rng(2)

    def page(comparisons: Comparisons) -> int:
        return sum(comparisons.judge(*pair).sign != 0 for pair in pairs)

    alone = corrected = 0
    for _ in range(400):
        pairs = [(list(one), list(other)) for one, other in generator.normal(0.0, 1.0, (20, 2, 5))]
        alone += page(Comparisons()) > 0
        corrected += together(page) > 0
    assert alone / 400 > 0.5, "so that the correction has something to correct"
    assert corrected / 400 < LEVEL + 0.03


def test_a_difference_that_only_one_comparison_alone_would_show_is_told_as_such() -> None:
    judged = Comparisons([False]).judge([1.0, 1.2, 0.9, 1.1], [0.0, 0.1, 0.2, 0.0])
    assert (judged.sign, judged.uncorrected) == (0, True)
    assert judged.none.startswith("no difference once corrected")
    told = Comparisons([True]).judge([0.0, 0.1, 0.2, 0.0], [1.0, 1.2, 0.9, 1.1])
    assert told.sign == -1
    assert told.size.startswith("1.0")
