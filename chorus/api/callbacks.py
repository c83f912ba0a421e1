"""Callbacks of training: the interface that experiment trackers and users' own functions implement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chorus.api.run import Run


@dataclass(frozen=True)
class Progress:
    """The state of a run after an update.

    Attributes:
        run: the run; its folder holds the configuration and the metrics of every update so far.
        update: how many updates are done, 1 after the first.
        updates: how many there will be.
        actors: how many actors are connected.
        metrics: this update's row of `metrics.csv` by column; NaN where the column is empty, as `evaluation_return` is
            between evaluations.
    """

    run: Run
    update: int
    updates: int
    actors: int
    metrics: Mapping[str, float]

    def __str__(self) -> str:
        return f"update {self.update}/{self.updates}  return {self.metrics['mixed_return']:.2f}  actors {self.actors}"


class Callback:
    """Called when training starts, after every update, and when it ends. Override the methods that you need.

    The methods are called in the process that called `chorus.train`, in the thread that called it, in the order of the
    list. Training goes on in its own process meanwhile. An exception that one of them raises stops the training, with a
    checkpoint, and is passed on to the caller of `chorus.train`.
    """

    def on_start(self, run: Run) -> None:
        """The learner listens; `run.config` holds the resolved settings."""

    def on_update(self, progress: Progress) -> None:
        """An update is done. Called once for every update of the run, in order."""

    def on_end(self, run: Run) -> None:
        """Training has ended: complete (`run.complete`), stopped, or with an error. Called if `on_start` was."""


Listener = Callback | Callable[[Progress], object]
"""A callback, or just a function of the progress, such as `print`."""


def as_callbacks(listeners: Iterable[Listener]) -> list[Callback]:
    """The listeners as callbacks, in the same order.

    Raises:
        TypeError: one is neither a callback nor a function.
    """
    return [_as_callback(listener) for listener in listeners]


def _as_callback(listener: Listener) -> Callback:
    if isinstance(listener, Callback):
        return listener
    if callable(listener) and not isinstance(listener, type):
        return _Function(listener)
    raise TypeError(
        f"callbacks: {listener!r} is neither a callback nor a function; give an instance of chorus.Callback, or a"
        " function of the progress"
    )


class _Function(Callback):
    """A function that is called after every update."""

    def __init__(self, function: Callable[[Progress], object]) -> None:
        self._function = function

    def on_update(self, progress: Progress) -> None:
        self._function(progress)
