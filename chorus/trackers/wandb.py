"""Weights & Biases: a run of a project, online or (WANDB_MODE=offline) in files to be sent later."""

from __future__ import annotations

from typing import Any

from chorus.api.run import Run
from chorus.trackers.tracker import Tracker, package, settings_of


class WeightsAndBiases(Tracker):
    """Tells Weights & Biases; a run that is gone on with goes on there too, by its id."""

    def __init__(self, project: str = "chorus", **init: Any) -> None:
        """Track under this project; `init` goes on to `wandb.init`.

        Raises:
            ConfigError: wandb is not installed.
        """
        self._package = package("wandb", "wandb")
        self._project = project
        self._init = init
        self._run: Any = None

    def on_start(self, run: Run) -> None:
        """Begin or go on with the run there."""
        told = {"id": run.id, "name": run.path.name, "resume": "allow", "dir": str(run.path)}
        self._run = self._package.init(project=self._project, config=settings_of(run), **{**told, **self._init})

    def log(self, step: int, metrics: dict[str, float]) -> None:
        """Send an update's numbers."""
        self._run.log(metrics, step=step)

    def on_end(self, run: Run) -> None:
        """Finish there."""
        if self._run is not None:
            self._run.finish(exit_code=0 if run.complete else 1)
            self._run = None

    def close(self) -> None:
        """End the process by which wandb sends; it serves all of this process's runs."""
        self._package.teardown()
