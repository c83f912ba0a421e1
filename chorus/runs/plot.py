"""`curve.png`: the return against agent-steps, with the time that they took along the upper edge."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from chorus.runs.record import read_metrics
from chorus.runs.smoothing import smooth, window


def plot_curve(run: Path, title: str, random_play: float | None = None) -> Path:
    """Draw a run's curve into its folder; return the file.

    Args:
        run: its folder.
        title: what was played.
        random_play: the return by chance alone; None for no line.
    """
    columns = read_metrics(run)
    returns, steps, seconds = columns["mixed_return"], columns["agent_steps"] / 1e6, columns["seconds"]
    near = window(len(returns))
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    axes = figure.subplots()
    axes.plot(steps, returns, color="#9ecae1", linewidth=0.8, label="each update's episodes")
    axes.plot(steps, smooth(returns, near), color="#08519c", linewidth=2, label=f"mean of {near} updates")
    evaluated = ~np.isnan(columns["evaluation_return"])
    if evaluated.any():
        evaluations = columns["evaluation_return"][evaluated]
        best = float(evaluations.max())
        axes.plot(steps[evaluated], evaluations, "o", color="#e6550d", markersize=4, label="evaluation")
        axes.axhline(best, color="#e6550d", linewidth=1, linestyle="--", label=f"best evaluation {best:.2f}")
    if random_play is not None:
        axes.axhline(random_play, color="#636363", linewidth=1, linestyle=":", label=f"random play {random_play:.2f}")
    axes.set_xlabel("agent-steps (millions)")
    axes.set_ylabel("episode return, summed over agents")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize=9)
    axes.set_title(title, fontsize=11)
    if len(steps) > 1:  # one update has no way from steps to time
        _add_time(axes, steps, seconds)
    path = run / "curve.png"
    figure.savefig(path, dpi=120)
    return path


def _add_time(axes: Axes, steps: NDArray[np.float64], seconds: NDArray[np.float64]) -> None:
    """A second axis above: when so many steps were done."""

    when = partial(np.interp, xp=np.insert(steps, 0, 0.0), fp=np.insert(seconds, 0, 0.0))
    what = partial(np.interp, xp=np.insert(seconds, 0, 0.0), fp=np.insert(steps, 0, 0.0))
    axes.set_xlim(0.0, steps[-1])
    above = axes.secondary_xaxis("top", functions=(when, what))
    times = MaxNLocator(6).tick_values(0.0, float(seconds[-1]))
    above.set_xticks([time for time in times if time <= seconds[-1]])  # later ones would lie on the last
    above.set_xlabel("wall-clock time (seconds)")
