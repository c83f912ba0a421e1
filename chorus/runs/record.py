"""Reads what a run wrote down: `metrics.csv` and `batches.jsonl`."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from chorus.common.errors import RunFolderError

Batch = dict[str, Any]
"""A line of `batches.jsonl`: the update, the digest of its batch, and its tasks with their actors and digests."""


def read_batches(run: Path) -> list[Batch]:
    """The batches of a run, by update; a last line that was torn off is left out.

    Raises:
        RunFolderError: there are none.
    """
    path = run / "batches.jsonl"
    if not path.exists():
        raise RunFolderError(f"{path} does not exist; is {run} a run folder?")
    whole, _, _ = path.read_bytes().rpartition(b"\n")
    decode = msgspec.json.Decoder(Batch).decode
    try:
        return [decode(line) for line in whole.splitlines()]
    except msgspec.MsgspecError as fault:
        raise RunFolderError(f"{path} cannot be read: {fault}") from fault


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
