"""`curve.png`: the return against agent-steps and against wall-clock time."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from chorus.runs.record import read_metrics


def smooth(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """A running mean over the last `window` values, fewer at the start."""
    sums = np.cumsum(np.insert(values, 0, 0.0))
    ends = np.arange(1, len(values) + 1)
    begins = np.maximum(0, ends - window)
    return (sums[ends] - sums[begins]) / (ends - begins)


def plot_curve(run: Path, title: str) -> Path:
    """Draw a run's curve into its folder; return the file."""
    columns = read_metrics(run)
    returns = columns["mixed_return"]
    window = max(1, len(returns) // 30)
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    figure.suptitle(title)
    for axes, (column, label, scale) in zip(
        figure.subplots(1, 2, sharey=True),
        (("agent_steps", "agent-steps (millions)", 1e6), ("seconds", "wall-clock time (seconds)", 1.0)),
        strict=True,
    ):
        x = columns[column] / scale
        axes.plot(x, returns, color="#9ecae1", linewidth=0.8, label="each update's episodes")
        axes.plot(x, smooth(returns, window), color="#08519c", linewidth=2, label=f"mean of {window} updates")
        evaluated = ~np.isnan(columns["evaluation_return"])
        if evaluated.any():
            axes.plot(
                x[evaluated],
                columns["evaluation_return"][evaluated],
                "o",
                color="#e6550d",
                markersize=4,
                label="evaluation",
            )
        axes.set_xlabel(label)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("episode return, summed over agents")
    figure.axes[0].legend(loc="lower right")
    path = run / "curve.png"
    figure.savefig(path, dpi=110)
    return path
