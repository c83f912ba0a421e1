"""A setting that changes over updates has the value that its rule says."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.common.settings.schedule import Schedule, extremes, value_at

numbers = st.floats(-100.0, 100.0)


def test_a_plain_number_stays_what_it_is() -> None:
    assert value_at(0.3, 0) == value_at(0.3, 10**9) == 0.3 and extremes(0.3) == (0.3, 0.3)


@given(start=numbers, end=numbers, over=st.integers(1, 1000), update=st.integers(0, 2000))
def test_linear_goes_the_same_way_at_every_update_and_then_stays(
    start: float, end: float, over: int, update: int
) -> None:
    schedule = Schedule(kind="linear", start=start, end=end, over=over)
    expected = end if update >= over else (start * (over - update) + end * update) / over
    assert value_at(schedule, update) == pytest.approx(expected, abs=1e-9)


@given(start=numbers, end=numbers, over=st.integers(1, 1000), update=st.integers(0, 2000))
def test_cosine_starts_and_ends_gently(start: float, end: float, over: int, update: int) -> None:
    schedule = Schedule(kind="cosine", start=start, end=end, over=over)
    turn = math.cos(math.pi * min(update, over) / over)
    assert value_at(schedule, update) == pytest.approx(end + (start - end) * (1.0 + turn) / 2.0, abs=1e-9)


def test_cosine_is_half_way_in_the_middle() -> None:
    schedule = Schedule(kind="cosine", start=2.0, end=0.0, over=8)
    assert [value_at(schedule, update) for update in (0, 4, 8, 99)] == pytest.approx([2.0, 1.0, 0.0, 0.0])
    assert 2.0 - value_at(schedule, 1) < 0.1


def test_steps_change_at_their_update_and_not_before() -> None:
    schedule = Schedule(kind="steps", start=1.0, at=((3, 0.5), (7, 2.0)))
    assert [value_at(schedule, update) for update in (0, 2, 3, 6, 7, 100)] == [1.0, 1.0, 0.5, 0.5, 2.0, 2.0]


@given(
    schedule=st.builds(
        lambda kind, start, end, over, values: Schedule(
            kind=kind,
            start=start,
            end=end,
            over=over,
            at=tuple((number + 1, value) for number, value in enumerate(values)) if kind == "steps" else (),
        ),
        kind=st.sampled_from(["linear", "cosine", "steps"]),
        start=numbers,
        end=numbers,
        over=st.integers(1, 20),
        values=st.lists(numbers, min_size=1, max_size=4),
    ),
    update=st.integers(0, 40),
)
def test_no_value_lies_outside_the_extremes(schedule: Schedule, update: int) -> None:
    least, greatest = extremes(schedule)
    assert least - 1e-9 <= value_at(schedule, update) <= greatest + 1e-9
    reached = [value_at(schedule, number) for number in range(60)]
    assert min(reached) == pytest.approx(least, abs=1e-9) and max(reached) == pytest.approx(greatest, abs=1e-9)


def test_a_schedule_that_contradicts_itself_is_refused() -> None:
    for at in ((), ((3, 1.0), (3, 2.0)), ((3, 1.0), (2, 2.0))):
        with pytest.raises(ValueError, match="at"):
            Schedule(kind="steps", start=1.0, at=at)
    with pytest.raises(ValueError, match="belongs to kind"):
        Schedule(kind="linear", start=1.0, at=((3, 1.0),))


def test_a_setting_that_is_not_resolved_has_no_value() -> None:
    with pytest.raises(ValueError, match="not resolved"):
        value_at(None, 0)
