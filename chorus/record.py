"""Reads `metrics.csv` of a run."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.errors import RunFolderError


def read_metrics(run: Path) -> dict[str, NDArray[np.float64]]:
    """The columns of `metrics.csv` by name; empty cells are NaN.

    Raises:
        RunFolderError: there is none, or it has no rows.
    """
    path = run / "metrics.csv"
    if not path.exists():
        raise RunFolderError(f"{path} does not exist; is {run} a run folder?")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise RunFolderError(f"{path} has no rows yet")
    return {name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0]}
