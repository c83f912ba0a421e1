"""A record that is read while it grows, and thinned for a screen."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.common.errors import RunFolderError
from chorus.common.page.curves import Record, evaluations, plain, smooth, thinned

HEAD = "update,env_steps,agent_steps,seconds,mixed_return,evaluation_return\n"


def line(update: int, evaluated: str = "") -> str:
    return f"{update},{10 * update + 10},{30 * update + 30},{update + 1}.5,{-update},{evaluated}\n"


def test_a_record_is_followed_as_it_grows_and_a_half_written_line_waits(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    record = Record(path)
    record.follow()
    assert record.values() == {}
    path.write_text(HEAD + line(0, "3.5") + line(1)[:-4])
    record.follow()
    assert record.rows == 1
    path.write_text(HEAD + line(0, "3.5") + line(1) + line(2))
    record.follow()
    values = record.values()
    assert values["mixed_return"].tolist() == [0, -1, -2]
    assert np.isnan(values["evaluation_return"]).tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("cut", "regrown", "evaluated"), [(1, 1, ""), (1, 4, "7.0"), (2, 9, "7.123456789"), (3, 30, "7.5")]
)
def test_a_run_that_was_cut_back_and_went_on_is_read_anew(
    tmp_path: Path, cut: int, regrown: int, evaluated: str
) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(HEAD + "".join(line(update) for update in range(5)))
    record = Record(path)
    record.follow()
    after = [line(update, evaluated if update == cut else "") for update in range(cut, regrown)]
    path.write_text(HEAD + "".join([line(update) for update in range(cut)] + after))
    record.follow()
    assert record.values()["update"].tolist() == list(range(regrown))


def test_what_is_no_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(HEAD + "a,b,c\n")
    with pytest.raises(RunFolderError, match="cannot be read"):
        Record(tmp_path / "metrics.csv").follow()


def test_a_long_run_is_thinned_to_means_and_ends_where_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(HEAD + "".join(line(update, "1.25" if update % 50 == 0 else "") for update in range(10_000)))
    record = Record(path)
    record.follow()
    curves = thinned(record.values(), 400)
    assert len(curves["update"]) == 400
    assert curves["update"][-1] == 9999
    assert curves["mixed_return"][0] == -np.mean(range(25))
    told = evaluations(record.values(), 50)
    assert len(told["update"]) == 50
    assert told["update"][-1] == 9950


def test_what_is_not_finite_is_nothing() -> None:
    values = {name: np.array([1.0, np.inf, np.nan]) for name in ("update", "mixed_return")}
    assert thinned(values)["mixed_return"] == [1.0, None, None]


@given(st.lists(st.floats(), max_size=20))
def test_numbers_are_rounded_to_six_digits_and_written_as_short_as_they_are(values: list[float]) -> None:
    for given_, told in zip(values, plain(np.array(values, float)), strict=True):
        if not math.isfinite(given_):
            assert told is None
        else:
            assert told is not None and math.isclose(told, given_, rel_tol=5.1e-6, abs_tol=1e-300)
            if 1e-15 < abs(given_) < 1e15:
                assert len(repr(told).strip("-0").replace(".", "").split("e")[0].strip("0")) <= 6


def test_smoothing_is_the_mean_of_the_last_values() -> None:
    assert smooth(np.array([1.0, 2.0, 3.0, 10.0]), 2).tolist() == [1.0, 1.5, 2.5, 6.5]
