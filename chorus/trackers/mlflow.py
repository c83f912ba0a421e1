"""MLflow: a run of an experiment, on a tracking server or in a local store, by MLflow's own client."""

from __future__ import annotations

import time
from typing import Any

from chorus.api.run import Run
from chorus.common.errors import ConfigError
from chorus.trackers.tracker import Tracker, package, settings_of

METRICS_AT_ONCE = 900
"""MLflow takes at most 1000 in one call."""
PARAMS_AT_ONCE = 100


class MLflow(Tracker):
    """Tells MLflow; a run that is gone on with goes on there too, found by its id (tag `chorus.run`)."""

    def __init__(self, experiment: str = "chorus", tracking_uri: str | None = None) -> None:
        """Track under this experiment; `tracking_uri` None for what MLFLOW_TRACKING_URI says.

        Raises:
            ConfigError: MLflow is not installed, or does not take the store: in its own words.
        """
        self._entities = package("mlflow.entities", "mlflow")
        refused = package("mlflow.exceptions", "mlflow").MlflowException
        try:
            self._client = package("mlflow.tracking", "mlflow").MlflowClient(tracking_uri)
        except refused as fault:  # a file store without MLFLOW_ALLOW_FILE_STORE, for example
            raise ConfigError(f"MLflow says: {fault}") from fault
        self._experiment = experiment
        self._id = ""
        self._held: list[Any] = []

    def on_start(self, run: Run) -> None:
        """Find or make the run there, and tell its settings."""
        found = self._client.get_experiment_by_name(self._experiment)
        experiment = found.experiment_id if found else self._client.create_experiment(self._experiment)
        known = self._client.search_runs([experiment], f"tags.`chorus.run` = '{run.id}'", max_results=1)
        if known:
            self._id = known[0].info.run_id
            return
        tags = {"chorus.run": run.id, "chorus.folder": str(run.path)}
        self._id = self._client.create_run(experiment, tags=tags, run_name=run.path.name).info.run_id
        params = [self._entities.Param(name, value[:6000]) for name, value in settings_of(run).items()]
        for begin in range(0, len(params), PARAMS_AT_ONCE):
            self._client.log_batch(self._id, params=params[begin : begin + PARAMS_AT_ONCE])

    def log(self, step: int, metrics: dict[str, float]) -> None:
        """Hold an update's numbers until there are enough to be worth a call."""
        now = int(1000 * time.time())
        self._held += [self._entities.Metric(name, value, now, step) for name, value in metrics.items()]
        if len(self._held) + len(metrics) > METRICS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        self._client.log_batch(self._id, metrics=self._held)
        self._held = []

    def on_end(self, run: Run) -> None:
        """Tell what is left, and how it ended."""
        if self._id:
            self._flush()
            self._client.set_terminated(self._id, "FINISHED" if run.complete else "KILLED")
