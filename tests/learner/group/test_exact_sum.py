"""The promise: a sum has the same bits however its terms are divided among processes, and in whatever order."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.learner.group.exact_sum import Column, add_up, exponents_of, folded
from chorus.learner.group.group import ALONE

CPU = torch.device("cpu")
HOSTILE = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 1e-45, 1e-38, -1e-38, 1e38, -1e38, 3.4e38, 1.0, 1.0 + 2.0**-23, -1.0, 0.1]),
)
"""Magnitudes from the smallest subnormal number to the greatest."""


class Parts:
    """Processes in one place: each is asked for its share, and the shares are added in a given order."""

    def __init__(self, shares: list[list[torch.Tensor]], length: int, folds: int, tasks: int) -> None:
        columns = [Column(share, length, folds) for share in shares]
        exponents = torch.stack([exponents_of(column, CPU) for column in columns]).amax(dim=0)
        self.sums = [folded(column, exponents, max(1, (tasks - 1).bit_length())) for column in columns]

    def added(self, order: list[int]) -> torch.Tensor:
        total = self.sums[order[0]].clone()
        for place in order[1:]:
            total += self.sums[place]
        return total.sum(dim=0)


def whole(terms: list[torch.Tensor], length: int, folds: int) -> torch.Tensor:
    return add_up([Column(terms, length, folds)], len(terms), ALONE, CPU)[0]


def bits(numbers: torch.Tensor) -> bytes:
    return numbers.numpy().tobytes()


@st.composite
def batches(draw: Any) -> tuple[list[list[float]], list[int], int]:
    """Rows of numbers, who owns each, and how many own some or none."""
    length = draw(st.integers(1, 4))
    rows = draw(st.lists(st.lists(HOSTILE, min_size=length, max_size=length), min_size=1, max_size=24))
    processes = draw(st.integers(1, 6))
    owners = draw(st.lists(st.integers(0, processes - 1), min_size=len(rows), max_size=len(rows)))
    return rows, owners, processes


@pytest.mark.parametrize("folds", [1, 2])
@given(batch=batches(), draws=st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_any_split_and_any_order_give_equal_bits_within_the_bound(batch: Any, draws: Any, folds: int) -> None:
    rows, owners, processes = batch
    terms = [torch.tensor(row, dtype=torch.float32) for row in rows]
    length, tasks = len(rows[0]), len(rows)
    expected = whole(terms, length, folds)
    shuffled = list(range(tasks))
    draws.shuffle(shuffled)
    shares: list[list[torch.Tensor]] = [[] for _ in range(processes)]
    for place in shuffled:
        shares[owners[place]].append(terms[place])
    order = list(range(processes))
    draws.shuffle(order)
    assert bits(Parts(shares, length, folds, tasks).added(order)) == bits(expected)
    for element in range(length):
        numbers = [Fraction(float(term[element])) for term in terms]
        exact, greatest = sum(numbers, Fraction(0)), max(abs(number) for number in numbers)
        bound = tasks**2 * Fraction(2) ** -51 if folds == 1 else tasks**3 * Fraction(2) ** -102
        rounding = abs(exact) * Fraction(2) ** -52
        assert abs(Fraction(float(expected[element])) - exact) <= bound * greatest + rounding


@given(
    place=st.integers(0, 9),
    bad=st.sampled_from([np.nan, np.inf, -np.inf]),
    owner=st.integers(0, 2),
    other=st.sampled_from([1.0, np.inf, -np.inf, np.nan]),
)
@settings(max_examples=25, deadline=None)
def test_a_term_that_is_no_number_is_found_by_everybody_and_spoils_nothing_else(
    place: int, bad: float, owner: int, other: float
) -> None:
    terms = [torch.tensor([1.0, 2.0, 3.0]) for _ in range(10)]
    terms[place][1] = bad
    terms[(place + 1) % 10][1] = other
    shares: list[list[torch.Tensor]] = [[], [], []]
    for number, term in enumerate(terms):
        shares[owner if number == place else number % 3].append(term)
    parts = Parts(shares, 3, 1, 10)
    for order in ([0, 1, 2], [2, 0, 1]):
        assert parts.added(order).isnan().tolist() == [False, True, False]
    assert whole(terms, 3, 2).isnan().tolist() == [False, True, False]


@pytest.mark.parametrize("folds", [1, 2])
def test_float64_beyond_the_range_is_no_sum_and_within_it_is_one(folds: int) -> None:
    numbers = torch.tensor([1e300, 1e260, 1e-300, 0.0, -1e-320], dtype=torch.float64)
    told = whole([numbers, numbers], 5, folds)
    assert told[0].isnan()
    np.testing.assert_allclose(told[1:4], 2 * numbers[1:4], rtol=1e-13, atol=1e-290)
    assert bits(told[3]) == bits(torch.zeros((), dtype=torch.float64))


def test_what_plain_addition_loses_two_folds_keep() -> None:
    terms = [torch.tensor([number], dtype=torch.float64) for number in (1e16, 1.0, -1e16, 1.0)]
    assert sum(term.item() for term in terms) != 2.0
    assert whole(terms, 1, 2).item() == 2.0


def test_plain_addition_depends_on_the_order_so_the_tests_above_can_fail() -> None:
    numbers = [1.0, 1e16, -1e16]
    assert sum(numbers) != sum(reversed(numbers))


def test_several_columns_are_added_at_once_each_by_itself() -> None:
    small, large = [torch.ones(3) * k for k in (1.0, 2.0)], [torch.ones(2, dtype=torch.float64) * 1e9]
    first, second, none = add_up([Column(small, 3), Column(large, 2, 2), Column([], 4)], 2, ALONE, CPU)
    assert first.tolist() == [3.0] * 3
    assert second.tolist() == [1e9] * 2
    assert none.tolist() == [0.0] * 4
