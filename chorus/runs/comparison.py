"""Runs side by side: which of them are the same but for the seed, what each group reached, and how sure that is."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chorus.common.page.curves import Values, plain, smooth
from chorus.common.page.run_story import RunStory, Story, final_return
from chorus.runs.statistics import band, interquartile_mean, interval, ranks

IMMATERIAL = ("seed", "learner.", "checkpoint.", "audit.")
"""Settings in which the runs of one group may differ: they are luck, or change nothing that is learned."""
AXES = ("agent_steps", "update", "env_steps", "seconds")
CURVES = ("smooth_return", "agent_steps_per_second", "entropy")
POINTS = 200
SMOOTHED_SHARE = 30


@dataclass(frozen=True)
class Run:
    """One run: its folder, how it stands in plain values, and the columns of its record."""

    path: Path
    story: Story
    values: dict[str, Values]

    @property
    def result(self) -> float:
        """What it reached; NaN if it did nothing."""
        return final_return(self.values)

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        """What the runs of its group have in common."""
        return tuple(item for item in self.story["settings"].items() if not item[0].startswith(IMMATERIAL))


@dataclass(frozen=True)
class Group:
    """Runs that differ by their seed alone."""

    name: str
    runs: tuple[Run, ...]

    @property
    def results(self) -> list[float]:
        """What its runs reached, without those that reached nothing."""
        return [run.result for run in self.runs if math.isfinite(run.result)]


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """The runs in these folders.

    Raises:
        ConfigError: a folder holds none.
    """
    stories = [RunStory(folder) for folder in folders]
    return [Run(story.path, story.tell(), story.values()) for story in stories]


def differing_settings(runs: Sequence[Run]) -> list[str]:
    """The settings in which runs of unlike groups differ."""
    names = sorted({name for run in runs for name, _ in run.key})
    return [name for name in names if len({run.story["settings"].get(name, "") for run in runs}) > 1]


def grouped(runs: Sequence[Run]) -> list[Group]:
    """Runs by what they have in common, named after what differs between groups; the best group first."""
    members: dict[tuple[tuple[str, str], ...], list[Run]] = {}
    for run in runs:
        members.setdefault(run.key, []).append(run)
    differing = differing_settings(runs)
    groups = [Group(_name(group[0], differing), tuple(group)) for group in members.values()]
    return sorted(groups, key=lambda group: -np.mean(group.results) if group.results else math.inf)


def _name(run: Run, differing: Sequence[str]) -> str:
    settings = run.story["settings"]
    named = [f"{name} {_short(settings.get(name, '–'))}" for name in differing]
    return ", ".join(named) or run.story["environment"] or run.story["name"]


def _short(value: str) -> str:
    """A long number in four digits, as a name has room for; anything else as it is."""
    return f"{float(value):.4g}" if re.fullmatch(r"-?\d+\.\d{5,}(e-?\d+)?", value) else value


def compare(runs: Sequence[Run]) -> dict[str, Any]:
    """Everything that the page of a comparison shows, as plain values."""
    groups = grouped(runs)
    differing = differing_settings(runs)
    placed = ranks([group.results for group in groups])
    return {
        "kind": "comparison",
        "measure": "Result of a run: the mean of its last two evaluations, or of the last 20th of its updates if it has"
        " none. Intervals are 95 % bootstraps over runs; a range of ranks is where 95 % of the resamples put the group",
        "differing": differing,
        "groups": [
            _told(group, differing, rank, stream)
            for stream, (group, rank) in enumerate(zip(groups, placed, strict=True))
        ],
        "films": [],
    }


def _told(group: Group, differing: Sequence[str], rank: tuple[int, int, int], stream: int) -> dict[str, Any]:
    results = group.results
    found = interval(results, stream)
    settings = group.runs[0].story["settings"]
    place, least, most = rank
    return {
        "name": group.name,
        "rank": str(place) if least == most == place else f"{place} ({least}–{most})",
        "mean": _number(float(np.mean(results))) if results else None,
        "low": _number(found[0]) if found else None,
        "high": _number(found[1]) if found else None,
        "iqm": _number(interquartile_mean(results)) if results else None,
        "seconds": _number(float(np.mean([run.story.get("seconds") or 0.0 for run in group.runs]))),
        "rate": _number(float(np.mean([_rate(run) for run in group.runs]))),
        "settings": {name: settings.get(name, "–") for name in differing},
        "all_settings": settings,
        "runs": [_run(run) for run in group.runs],
        "curves": {axis: curves for axis in AXES if (curves := _curves(group, axis, stream))},
    }


def _number(value: float) -> float | None:
    return plain(np.array([value]))[0]


def _rate(run: Run) -> float:
    return float(run.story.get("agent_steps") or 0.0) / max(float(run.story.get("seconds") or 0.0), 1e-9)


def _run(run: Run) -> dict[str, Any]:
    story = run.story
    seconds = float(story.get("seconds") or 0.0)
    spent = {
        name: float(np.nansum(run.values[column])) / seconds if column in run.values and seconds else None
        for name, column in (("waiting", "batch_seconds"), ("stepping", "step_seconds"))
    }
    grave = [trouble["text"] for trouble in story["troubles"] if trouble["level"] != "warning"]
    return {
        "name": story["name"],
        "seed": story["settings"].get("seed", "–"),
        "state": story["state"],
        "update": story["update"],
        "result": _number(run.result),
        "seconds": _number(seconds),
        "rate": _number(_rate(run)),
        "problem": grave[-1] if grave and story["state"] != "finished" else "",
        **spent,
    }


def _curves(group: Group, axis: str, stream: int) -> dict[str, Any]:
    """The group's curves over one x, as far as all of its runs went: means over runs, and their intervals."""
    begun = [run.values for run in group.runs if run.values and len(run.values["update"]) > 1]
    if not begun:
        return {}
    begin, end = max(values[axis][0] for values in begun), min(values[axis][-1] for values in begun)
    if end <= begin:
        return {}
    grid = np.linspace(begin, end, min(POINTS, min(len(values[axis]) for values in begun)))
    curves: dict[str, Any] = {"x": plain(grid)}
    for name in CURVES:
        found = np.stack([np.interp(grid, values[axis], _column(values, name)) for values in begun])
        curves[name] = {"mean": plain(found.mean(axis=0))}
        if len(found) > 1:
            low, high = band(found, stream)
            curves[name] |= {"low": plain(low), "high": plain(high)}
    return curves


def _column(values: dict[str, Values], name: str) -> Values:
    if name == "smooth_return":
        return smooth(values["mixed_return"], max(1, len(values["update"]) // SMOOTHED_SHARE))
    return values[name]
