"""`metrics.csv` as a page draws it: read on as the run goes on, and thinned to what a screen can show."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chorus.common.errors import RunFolderError

Values = NDArray[np.float64]

POINTS = 400
"""A curve has at most about so many points, however long the run: a wide screen shows no more."""
SMOOTHED_SHARE = 30
"""A smoothed curve is the running mean of this part of the run, one 30th."""
SPARSE = "evaluation_return"
"""The column that most updates leave empty: each of its values is a point of its own."""
DIGITS = 6
MOST_PLACES = 300
"""After the point: beyond it ten to that power is no number."""


class Record:
    """The rows of a `metrics.csv` that may still be growing; `follow` reads what is new."""

    def __init__(self, path: Path) -> None:
        """Nothing is read yet; the file need not exist."""
        self.path = path
        self.columns: tuple[str, ...] = ()
        self._blocks: list[Values] = []
        self._read = 0
        self._last = -math.inf

    def follow(self) -> None:
        """Take in the whole lines that were written since; from the start if the run was cut back in between.

        Raises:
            RunFolderError: what stands there is no record.
        """
        if not self.path.exists():
            return
        if self.path.stat().st_size < self._read:
            self._forget()
        with self.path.open("rb") as file:
            file.seek(self._read)
            new, _, _ = file.read().rpartition(b"\n")
        if not new:
            return
        lines = new.decode("ascii", errors="replace").split("\n")
        self._read += len(new) + 1
        if not self.columns:
            self.columns = tuple(lines.pop(0).split(","))
        if not lines:
            return
        try:
            block = np.array([[float(cell or "nan") for cell in line.split(",")] for line in lines])
            block = block[:, : len(self.columns)]
        except (ValueError, IndexError) as fault:
            if not self._blocks:
                raise RunFolderError(f"{self.path} cannot be read: {fault}; is it a run's record?") from fault
            block = np.full((1, 1), math.nan)
        if (
            self._blocks and block[0, 0] != self._last + 1
        ):  # a resumed run was cut back and has grown past where we were
            self._forget()
            self.follow()
            return
        self._last = block[-1, 0]
        self._blocks.append(block)

    def _forget(self) -> None:
        self.columns, self._blocks, self._read, self._last = (), [], 0, -math.inf

    @property
    def rows(self) -> int:
        """How many updates there are."""
        return sum(len(block) for block in self._blocks)

    def values(self) -> dict[str, Values]:
        """Every column by name, float64 `[update]`; an empty cell is NaN."""
        if not self._blocks:
            return {}
        self._blocks = [np.concatenate(self._blocks)]
        return dict(zip(self.columns, self._blocks[0].T, strict=True))


def smooth(values: Values, window: int) -> Values:
    """A running mean over the last `window` values, fewer at the start."""
    sums = np.cumsum(np.insert(values, 0, 0.0))
    ends = np.arange(1, len(values) + 1)
    begins = np.maximum(0, ends - window)
    return np.asarray((sums[ends] - sums[begins]) / (ends - begins))


def thinned(values: dict[str, Values], points: int = POINTS) -> dict[str, list[float | None]]:
    """Columns as a page draws them: means of equal stretches of the run, at most `points` of them.

    `smooth_return` is the running mean of `mixed_return` over a 30th of the run. What is not finite is None. The x of a
    stretch (`update`, `env_steps`, `agent_steps`, `seconds`) is that of its end, so that the last point is the run's.
    """
    if not values:
        return {}
    count = len(values["update"])
    window = max(1, count // SMOOTHED_SHARE)
    dense = {name: column for name, column in values.items() if name != SPARSE}
    dense["smooth_return"] = smooth(values["mixed_return"], window)
    edges = np.unique(np.linspace(0, count, min(points, count) + 1).round().astype(int))
    begins, sizes = edges[:-1], np.diff(edges)
    with np.errstate(invalid="ignore"):
        return {
            name: plain(column[edges[1:] - 1] if name in ENDS else np.add.reduceat(column, begins) / sizes)
            for name, column in dense.items()
        }


ENDS = frozenset({"update", "env_steps", "agent_steps", "seconds", "smooth_return", "policy_version"})
"""Columns of which a stretch shows its last value, not its mean."""


def evaluations(values: dict[str, Values], points: int = POINTS) -> dict[str, list[float | None]]:
    """The updates that were evaluated, with their x and their return; thinned by leaving some out, never the last."""
    if not values or SPARSE not in values:
        return {}
    (places,) = np.nonzero(np.isfinite(values[SPARSE]))
    if len(places) > points:
        places = places[np.unique(np.linspace(0, len(places) - 1, points).round().astype(int))]
    return {name: plain(values[name][places]) for name in ("update", "env_steps", "agent_steps", "seconds", SPARSE)}


def plain(values: Values) -> list[float | None]:
    """Numbers as JSON has them: six digits, and nothing for what is not finite."""
    known = np.isfinite(values)
    sizes = np.abs(np.where(known & (values != 0.0), values, 1.0))
    places = np.minimum(DIGITS - 1 - np.floor(np.log10(sizes)), MOST_PLACES)
    # Whole numbers are divided by a power of ten, not multiplied by its inverse: so the nearest double comes out.
    up, down = 10.0 ** np.maximum(places, 0), 10.0 ** np.maximum(-places, 0)
    rounded = (np.rint(np.where(known, values, 0.0) * up / down) / up * down).tolist()
    return (
        rounded
        if known.all()
        else [value if is_known else None for value, is_known in zip(rounded, known, strict=True)]
    )
