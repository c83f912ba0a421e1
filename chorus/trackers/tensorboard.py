"""TensorBoard event files beside `metrics.csv`, written by tensorboardX: no TensorFlow, and nothing runs beside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from chorus.api.run import Run
from chorus.trackers.tracker import Tracker, package


class TensorBoard(Tracker):
    """Writes `RUN/tensorboard`; look at it by `tensorboard --logdir RUN` (or a folder of runs)."""

    def __init__(self, folder: str | Path | None = None) -> None:
        """Write into `folder`; None for `tensorboard` in the run folder.

        Raises:
            ConfigError: tensorboardX is not installed.
        """
        self._package = package("tensorboardX", "tensorboard")
        self._folder = None if folder is None else Path(folder)
        self._run: Run | None = None
        self._writer: Any = None

    def on_start(self, run: Run) -> None:
        """Remember the run; the files begin with its first update."""
        self._run = run

    def log(self, step: int, metrics: dict[str, float]) -> None:
        """Write an update's numbers."""
        if self._writer is None:
            self._open(step)
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)

    def _open(self, step: int) -> None:
        """What an earlier writer said of this update and later ones counts no more: a resumed run was cut back."""
        assert self._run is not None, "on_start comes first"
        folder = self._folder or self._run.path / "tensorboard"
        self._writer = self._package.SummaryWriter(str(folder), purge_step=step)
        settings = yaml.safe_dump({name: value for name, value in self._run.config.items() if name != "run"})
        self._writer.add_text("settings", "".join(f"    {line}\n" for line in settings.splitlines()), step)

    def on_end(self, run: Run) -> None:
        """Close the files."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
