"""What all trackers share: which numbers they are told, and how a missing package is complained of."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from math import isfinite
from typing import Any

from chorus.api.callbacks import Callback, Progress
from chorus.common.errors import ConfigError
from chorus.common.page.run_story import flat

NAMES = ("tensorboard", "mlflow", "wandb", "trackio")


class Tracker(Callback, ABC):
    """A callback that hands every update's numbers to a tracker, by the update's number."""

    def on_update(self, progress: Progress) -> None:
        """An update is done; cells that are empty or not finite are left out."""
        self.log(progress.update, {name: value for name, value in progress.metrics.items() if isfinite(value)})

    def close(self) -> None:
        """The process ends: end what the tracker's package started in it, if anything."""

    @abstractmethod
    def log(self, step: int, metrics: dict[str, float]) -> None:
        """Take an update's numbers."""


def settings_of(run: Any) -> dict[str, str]:
    """A run's settings by their full names, as text."""
    return flat({name: value for name, value in run.config.items() if name != "run"})


def package(name: str, extra: str) -> Any:
    """A tracker's own package.

    Raises:
        ConfigError: it is not installed; says how to.
    """
    try:
        return importlib.import_module(name)
    except ImportError as fault:
        raise ConfigError(f"{name} is not installed: pip install 'chorus-marl[{extra}]' ({fault})") from fault


def tracker(name: str) -> Tracker:
    """The tracker of that name, with its defaults.

    Raises:
        ConfigError: there is none of that name.
    """
    if name == "tensorboard":
        from chorus.trackers.tensorboard import TensorBoard

        return TensorBoard()
    if name == "mlflow":
        from chorus.trackers.mlflow import MLflow

        return MLflow()
    if name == "wandb":
        from chorus.trackers.wandb import WeightsAndBiases

        return WeightsAndBiases()
    if name == "trackio":
        from chorus.trackers.trackio import Trackio

        return Trackio()
    raise ConfigError(f"there is no tracker {name!r}; there are {', '.join(NAMES)}")
