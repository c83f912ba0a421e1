"""A run folder: its settings, its metrics, its policy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chorus.common.errors import ConfigError
from chorus.common.settings.plain import read
from chorus.runs.record import read_metrics
from chorus.runs.weights import is_complete

if TYPE_CHECKING:
    from chorus.api.policy import Policy

COUNTED = ("update", "env_steps", "agent_steps", "policy_version", "policy_lag")
"""Columns of `metrics.csv` that hold whole numbers."""


class Run:
    """A run folder, complete or still being trained. Every property reads the folder anew."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """The run in that folder.

        Raises:
            ConfigError: the folder holds no `config.yaml`.
        """
        self.path = Path(path)
        if not (self.path / "config.yaml").exists():
            raise ConfigError(f"{self.path} holds no config.yaml; name the folder that was given to --out or out=")

    def __repr__(self) -> str:
        return f"chorus.Run({str(self.path)!r})"

    @property
    def config(self) -> dict[str, Any]:
        """All settings of the run, sections within sections, as `config.yaml` has them."""
        settings = read(self.path / "config.yaml")
        settings.pop("run", None)
        return settings

    @property
    def id(self) -> str:
        """The eight letters that name the run in logs and metrics."""
        about = read(self.path / "config.yaml").get("run")
        return str(about["id"]) if isinstance(about, dict) else ""

    @property
    def complete(self) -> bool:
        """Whether the last update was made and the final weights are written."""
        return is_complete(self.path)

    @property
    def metrics(self) -> NDArray[np.void]:
        """`metrics.csv` as a structured array `[update]`: `run.metrics["mixed_return"]` is a column.

        Whole numbers are int64, everything else is float64, NaN where a cell is empty.

        Raises:
            RunFolderError: there are no rows yet.
        """
        columns = read_metrics(self.path)
        kinds = [(name, np.int64 if name in COUNTED else np.float64) for name in columns]
        table = np.empty(len(next(iter(columns.values()))), np.dtype(kinds))
        for name, values in columns.items():
            table[name] = values
        return table

    def frame(self) -> Any:
        """The same table as a `pandas.DataFrame`.

        Raises:
            ImportError: pandas is not installed.
        """
        import pandas

        return pandas.DataFrame.from_records(self.metrics)

    def policy(self) -> Policy:
        """The newest policy: the final one, or the one of the newest checkpoint; as `chorus.load(run.path)` does."""
        from chorus.api.policy import load

        return load(self.path)
