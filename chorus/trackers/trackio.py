"""Trackio: a run of a project in a database of its own on this machine, on a server of one's own, or on a Hugging Face
Space (`TRACKIO_DIR`, `TRACKIO_SERVER_URL`, `TRACKIO_SPACE_ID`); `trackio show` is its dashboard."""

from __future__ import annotations

from typing import Any

from chorus.api.run import Run
from chorus.trackers.tracker import Tracker, package, settings_of


class Trackio(Tracker):
    """Tells Trackio; a run that is gone on with goes on there too, by its name, which holds its id."""

    def __init__(self, project: str = "chorus", **init: Any) -> None:
        """Track under this project; `init` goes on to `trackio.init`.

        Raises:
            ConfigError: trackio is not installed.
        """
        self._package = package("trackio", "trackio")
        self._project = project
        self._init = init
        self._run: Any = None

    def on_start(self, run: Run) -> None:
        """Begin or go on with the run there."""
        told = {"name": f"{run.path.name}-{run.id}", "resume": "allow", "config": settings_of(run)}
        # The learner's metrics say what it uses; those of this process, which only tells, are nobody's business.
        quiet = {"auto_log_gpu": False, "auto_log_cpu": False, "embed": False}
        self._run = self._package.init(self._project, **{**told, **quiet, **self._init})

    def log(self, step: int, metrics: dict[str, float]) -> None:
        """Send an update's numbers."""
        self._run.log(metrics, step=step)

    def on_end(self, run: Run) -> None:
        """Send what is left; finish there."""
        if self._run is not None:
            self._run.finish()
            self._run = None
