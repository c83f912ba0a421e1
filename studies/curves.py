"""What the reported runs of a study say: their curves with bands, their table, and one arm beside another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from chorus.studies.comparisons import Comparisons
from chorus.studies.interval import Interval, interval
from chorus.studies.run import Json
from chorus.studies.study import weighted

COLOURS = ("#08519c", "#e6550d", "#31a354", "#756bb1", "#8c6d31", "#d6336c", "#17becf", "#636363")
DASHES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class Arm:
    """The reported runs of one arm.

    Attributes:
        panel, name: which arm.
        rate: the learning rate that its trials chose.
        trials: results by rate.
        runs: the curves, by seed.
        weights: of the evaluation return.
    """

    panel: str
    name: str
    rate: float
    trials: dict[float, list[float | None]]
    runs: list[Json]
    weights: tuple[float, float]

    @property
    def returns(self) -> NDArray[np.float64]:
        """`[seed, evaluation]`; a run that diverged stays where it last was."""
        rows = [weighted(run, *self.weights) for run in self.runs]
        longest = max(len(row) for row in rows)
        padded: NDArray[np.float64] = np.array([np.pad(row, (0, longest - len(row)), mode="edge") for row in rows])
        return padded

    @property
    def results(self) -> list[float]:
        """The result of each run: the mean of its last two evaluations."""
        return [float(value) for value in self.returns[:, -2:].mean(axis=1)]

    @property
    def result(self) -> Interval:
        """Over seeds."""
        return interval(self.results)

    @property
    def diverged(self) -> int:
        """How many runs did."""
        return sum(bool(run["diverged"]) for run in self.runs)

    @property
    def late(self) -> float:
        """What part of all that the mean of the runs gained it gained in the last fifth; NaN if it gained nothing."""
        mean = self.returns.mean(axis=0)
        fifth = max(1, (len(mean) - 1) // 5)
        gained, last = mean[-fifth:].mean() - mean[0], mean[-fifth:].mean() - mean[-2 * fifth : -fifth].mean()
        return float(last / gained) if gained > 0.0 else float("nan")

    def column(self, name: str) -> NDArray[np.float64]:
        """`[evaluation]`, a column of the curves, mean over seeds."""
        longest = max(len(run[name]) for run in self.runs)
        whole = [run[name] for run in self.runs if len(run[name]) == longest]
        known: NDArray[np.float64] = np.array([[np.nan if value is None else value for value in row] for row in whole])
        mean: NDArray[np.float64] = known.mean(axis=0)
        return mean

    def mean(self, name: str) -> float:
        """A column's mean over the whole run."""
        values = self.column(name)
        return float(values[np.isfinite(values)].mean()) if np.isfinite(values).any() else float("nan")


def arms(results: Json, panel: str | None = None) -> Iterator[Arm]:
    """All arms, or those of one panel."""
    for name, part in results["panels"].items():
        if panel in (None, name):
            for arm, own in part["arms"].items():
                trials = {float(rate): outcome for rate, outcome in own["trials"].items()}
                yield Arm(name, arm, own["rate"], trials, own["runs"], (part["individual"], part["team"]))


def arm(results: Json, panel: str, name: str) -> Arm:
    """One of them."""
    return next(one for one in arms(results, panel) if one.name == name)


def table(results: Json, columns: Sequence[tuple[str, str, int]] = ()) -> str:
    """A row per arm.

    Args:
        results: of the study.
        columns: more to show: heading, column of the curves (mean over the run), digits.
    """
    count = len(next(arms(results)).runs)
    headings = [
        "panel",
        "arm",
        "learning rate",
        f"return (mean ± 95 %, {count} seeds)",
        "at half the steps",
        "gained in the last fifth",
    ]
    headings += ["processor seconds a run", *(heading for heading, _, _ in columns)]
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    for one in arms(results):
        half = interval(list(one.returns[:, one.returns.shape[1] // 2]))
        note = f" ({one.diverged} diverged)" if one.diverged else ""
        cells = [
            one.panel,
            one.name,
            f"{one.rate:g}",
            f"**{one.result.text()}**{note}",
            half.text(),
            f"{one.late:.0%}" if isfinite(one.late) else "-",
        ]
        cells += [f"{one.column('seconds')[-1]:.1f}"]
        cells += [f"{one.mean(name):.{digits}f}" if isfinite(one.mean(name)) else "-" for _, name, digits in columns]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(results: Json, against: Sequence[str] = ("env_steps",)) -> Figure:
    """A column per panel, a row for each thing that the return is drawn against."""
    panels = list(results["panels"])
    figure = Figure(figsize=(0.6 + 4.7 * len(panels), 0.4 + 3.6 * len(against)), layout="constrained")
    grid = figure.subplots(len(against), len(panels), squeeze=False, sharey="col")
    for row, column in enumerate(against):
        for place, panel in enumerate(panels):
            axes = grid[row][place]
            for number, one in enumerate(arms(results, panel)):
                curve(axes, one, column, number)
            axes.grid(alpha=0.3)
            axes.set_xlabel(
                {"env_steps": "environment steps (thousands)", "seconds": "processor time of one core (s)"}[column]
            )
            if row == 0:
                axes.set_title(panel, fontsize=10)
                axes.legend(fontsize=8, loc="lower right")
    grid[0][0].set_ylabel("evaluation return")
    return figure


def curve(axes: Axes, one: Arm, against: str, number: int) -> None:
    """The mean of one arm's runs and its band."""
    x = one.column(against) / (1000.0 if against == "env_steps" else 1.0)
    returns = one.returns[:, : len(x)]
    bands = [interval(list(values)) for values in returns.T]
    colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
    axes.plot(x, returns.mean(axis=0), color=colour, linestyle=dash, linewidth=1.8, label=one.name)
    axes.fill_between(x, [band.low for band in bands], [band.high for band in bands], color=colour, alpha=0.15, lw=0)


def verdict(ours: Arm, theirs: Arm, comparisons: Comparisons) -> str:
    """`A reaches -57.0 ± 0.8, B -60.1 ± 1.0: A is better by 3.1 ± 0.9`, or that these seeds show no difference."""
    judged = comparisons.judge(ours.results, theirs.results)
    told = f"{ours.name} reaches {ours.result.text()}, {theirs.name} {theirs.result.text()}: "
    if judged.sign:
        return told + f"{(ours if judged.sign > 0 else theirs).name} is better by {judged.size}"
    return told + judged.none


def catching_up(ours: Arm, theirs: Arm) -> str:
    """When the mean of ours is first as good as theirs is at the end, in their steps and their processor time."""
    goal = theirs.result.mean
    place = next((number for number, value in enumerate(ours.returns.mean(axis=0)) if value >= goal), None)
    if place is None:
        return f"{ours.name} does not come to the {goal:.1f} of {theirs.name} in these steps"
    steps, seconds = (ours.column(name)[place] / theirs.column(name)[-1] for name in ("env_steps", "seconds"))
    return (
        f"{ours.name} reaches the final return of {theirs.name}, {goal:.1f}, after {steps:.0%} of its steps and"
        f" {seconds:.0%} of its processor time"
    )
