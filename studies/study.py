"""What a study is: arms that differ in one thing, each by its own best learning rate from one grid, over several seeds.

    trials     every arm, every rate of the grid, on the trial seeds; an arm keeps the rate with the best mean result
    reported   every arm by its rate, on other seeds; only these are shown

The result of a run is ONE evaluation return, the same for every arm of a panel whatever rewards it learns from:
`individual · individual return + team · team return`, fixed weights, summed over agents, of fresh episodes by the
sampling policy; the mean of the last two evaluations.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from chorus.studies.comparisons import Comparisons, together
from chorus.studies.crew import Job
from chorus.studies.run import Json

Work = Callable[[Sequence[Job]], list[Any]]
"""Does jobs and returns their results in order: `Crew.do`, or a wrapper that shows progress."""

TRIAL_SEEDS = 1000
"""Trial seeds are counted from here, reported seeds from 0."""


@dataclass(frozen=True)
class Panel:
    """Arms that are compared with one another.

    Attributes:
        name: shown above the picture.
        settings: what all its arms share, over the study's own.
        individual, team: the weights of the evaluation return.
        arms: settings of each, by name.
        divisors: by what the rates of some arms are divided, so that their steps are as long as the others'.
    """

    name: str
    arms: Mapping[str, Json]
    settings: Json = field(default_factory=dict)
    individual: float = 0.5
    team: float = 0.5
    divisors: Mapping[str, float] = field(default_factory=dict)

    def rates(self, arm: str, grid: Sequence[float]) -> list[float]:
        """The grid as an arm has it."""
        return [rate / self.divisors.get(arm, 1.0) for rate in grid]


@dataclass(frozen=True)
class Scale:
    """How large a study is.

    Attributes:
        updates: of every run.
        evaluations: evenly over a run, beside the one before it.
        episodes: of each evaluation.
        rates: the grid.
        trials: number of trial seeds.
        seeds: number of reported seeds.
        settings: over the study's own.
    """

    updates: int
    rates: tuple[float, ...]
    evaluations: int = 10
    episodes: int = 256
    trials: int = 1
    seeds: int = 5
    settings: Json = field(default_factory=dict)


TO_THE_END = Scale(updates=300, rates=(2.5e-3, 5e-3, 1e-2, 2e-2))
"""480 000 environment steps of `spread`, after which hardly any arm gains more: a page says which do."""

QUICK: Json = {"task": {"episodes": 4}, "update": {"tasks": 2}, "network": {"encoder": 8, "lstm": 8}}
"""Sizes at which a study shows only that it works."""


def quickly(scale: Scale) -> Scale:
    """The same study with next to nothing to do."""
    return Scale(2, scale.rates[-2:], evaluations=2, episodes=8, trials=1, seeds=2, settings=QUICK)


BASE: Json = {
    "task": {"episodes": 64},
    "update": {"tasks": 1, "passes": 1, "minibatches": 1},
    "loss": {"discount": 0.95, "entropy": 0.003, "baseline": "leave_one_out"},
    "value": {"network": "head", "sees": "own"},
    "reward": {"scale": "none"},
    "network": {"layer_norm": False},
}
"""What all studies share where they do not say otherwise: averaged REINFORCE as the question was asked of it."""


def merge(*parts: Json) -> Json:
    """Settings laid over one another, the later winning, section by section."""
    merged: Json = {}
    for part in parts:
        for key, value in part.items():
            both = isinstance(value, dict) and isinstance(merged.get(key), dict) and "kind" not in value
            merged[key] = merge(merged[key], value) if both else copy.deepcopy(value)
    return merged


def settings(panel: Panel, arm: str, scale: Scale, rate: float, seed: int) -> Json:
    """The configuration of one run; its learning rate falls in a line to a tenth of where it starts."""
    fall = {"kind": "linear", "start": rate, "end": rate / 10.0, "over": scale.updates}
    own = {"optimiser": {"learning_rate": fall}, "updates": scale.updates, "seed": seed}
    return merge(BASE, panel.settings, panel.arms[arm], scale.settings, own)


def carry_out(panels: Sequence[Panel], scale: Scale, work: Work, tried: Json | None = None) -> Json:
    """Do the trials and the reported runs of some panels.

    Args:
        panels: what is compared.
        scale: how large it is.
        work: does the runs.
        tried: arms by name that were carried out before; each arm keeps the rate that its namesake there chose.

    Returns:
        by panel: the weights of its return, and by arm: the chosen `rate`, the `trials` (results by rate, None where a
        run diverged), and the curves of the reported `runs`, in the order of their seeds.
    """
    arms = [(panel, arm) for panel in panels for arm in panel.arms]
    found = {(panel.name, arm): tried[arm] for panel, arm in arms} if tried else _trials(arms, scale, work)
    runs = _curves(
        [(panel, arm, found[panel.name, arm]["rate"], seed) for panel, arm in arms for seed in range(scale.seeds)],
        scale,
        work,
    )
    results: Json = {}
    for number, (panel, arm) in enumerate(arms):
        shown = results.setdefault(panel.name, {"individual": panel.individual, "team": panel.team, "arms": {}})
        of = found[panel.name, arm]
        own = runs[number * scale.seeds : (number + 1) * scale.seeds]
        shown["arms"][arm] = {"rate": of["rate"], "trials": of["trials"], "runs": own}
    return results


def _trials(arms: Sequence[tuple[Panel, str]], scale: Scale, work: Work) -> dict[tuple[str, str], Json]:
    """By panel and arm: `trials`, and the `rate` with the best mean result."""
    grid = [(panel, arm, rate) for panel, arm in arms for rate in panel.rates(arm, scale.rates)]
    curves = _curves([(*point, TRIAL_SEEDS + seed) for point in grid for seed in range(scale.trials)], scale, work)
    trials: dict[tuple[str, str], dict[float, list[float | None]]] = {}
    for number, (panel, arm, rate) in enumerate(grid):
        own = curves[number * scale.trials : (number + 1) * scale.trials]
        trials.setdefault((panel.name, arm), {})[rate] = [result(panel, curve) for curve in own]
    return {
        arm: {
            "rate": max(outcomes, key=lambda rate: _merit(outcomes[rate])),
            "trials": {f"{rate:g}": outcome for rate, outcome in outcomes.items()},
        }
        for arm, outcomes in trials.items()
    }


def _curves(runs: Sequence[tuple[Panel, str, float, int]], scale: Scale, work: Work) -> list[Json]:
    every = max(1, scale.updates // scale.evaluations)
    jobs = [
        Job(
            "chorus.studies.run:curve",
            {"settings": settings(panel, arm, scale, rate, seed), "every": every, "episodes": scale.episodes},
        )
        for panel, arm, rate, seed in runs
    ]
    return work(jobs)


def _merit(results: Sequence[float | None]) -> float:
    return -inf if any(value is None for value in results) else float(np.mean([v for v in results if v is not None]))


def result(panel: Panel, curve: Json) -> float | None:
    """The result of a run; None if it diverged."""
    if curve["diverged"]:
        return None
    returns = weighted(curve, panel.individual, panel.team)
    return float(f"{returns[-2:].mean():.6g}")


def weighted(curve: Json, individual: float, team: float) -> NDArray[np.float64]:
    """The evaluation return at each evaluation of a run."""
    return individual * np.array(curve["individual"]) + team * np.array(curve["team"])


@dataclass(frozen=True)
class Study:
    """One study, as `chorus study NAME` finds it in `studies.NAME`.

    Attributes:
        title: of its page.
        question: what it asks, in a sentence or two.
        about: how it is measured, what is peculiar to it.
        measure: does it all, quickly or properly; returns plain JSON values.
        draw: the picture of what was measured.
        table: the numbers, as Markdown.
        findings: what they say, as sentences whose numbers and verdicts are computed from them.
    """

    title: str
    question: str
    about: str
    measure: Callable[[Work, bool], Json]
    draw: Callable[[Json], Figure]
    table: Callable[[Json], str]
    findings: Callable[[Json, Comparisons], list[str]]

    def told(self, results: Json) -> list[str]:
        """The findings, with all comparisons of the study judged together."""
        return together(lambda comparisons: self.findings(results, comparisons))
