"""What do defaults and configs reach, beside what the field reports? Five unseen seeds of each, trained and measured.

`python -m chorus.studies.targets [NAME …]`. Each seed is trained twice, by the task's config and by the defaults alone
(`chorus train --env SPEC`), for the same number of updates, then measured by `chorus evaluate` over 500 fresh episodes
by the sampling policy. Where a config says nothing but the environment and the number of updates, both are one run. The
seeds were never used to choose a setting; the settings were chosen on seeds 0 to 4. Seconds are those of `metrics.csv`:
of the run's training, without the start of its processes. Tables and pictures go to docs/results.md, between two marks.
A seed that is already trained and measured is left as it is.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from chorus.runs.record import read_metrics
from chorus.runs.smoothing import smooth
from chorus.runs.statistics import interval
from chorus.studies.configs import CONFIG, DEFAULTS, chorus, command_line, departures, parse, trained_by

PAGE, PICTURES = Path("docs/results.md"), Path("docs/results")
BEGIN, END = "<!-- targets: begin -->", "<!-- targets: end -->"
SEEDS = (100, 101, 102, 103, 104)
EPISODES = 500


@dataclass(frozen=True)
class Target:
    """What a task is held to.

    Attributes:
        config: its file in configs/.
        updates: after which it is measured; schedules take them all.
        env_steps: in which the goal is to be reached.
        goal: mean return, median over seeds.
        peer: what another reaches, and where that is from.
        seeds: how many of the seeds are run.
    """

    config: str
    updates: int
    env_steps: int
    goal: float
    peer: str
    seeds: int = len(SEEDS)


IA2C = "EPyMARL `ia2c`"
TABLE: dict[str, Target] = {
    "spread-150k": Target("spread", 93, 150_000, -57.0, f"{IA2C}: -56.7 in 200 000 (24 of 25 rewards counted)"),
    "spread-375k": Target("spread", 234, 375_000, -54.0, f"{IA2C}: -54.6 in 375 000 (24 of 25 rewards counted)"),
    "spread-6m": Target("spread", 3750, 6_000_000, -42.0, "none known"),
    "simple_spread-150k": Target("simple_spread", 93, 150_000, -57.0, f"{IA2C}, as above"),
    "foraging-8x8": Target("foraging-8x8-2p-3f", 125, 160_000, 0.97, f"{IA2C}: 0.976 in 404 000"),
    "foraging-10x10": Target("foraging-10x10-3p-3f", 380, 600_000, 0.97, "none known"),
    "foraging-8x8-coop": Target("foraging-8x8-2p-3f-coop", 1250, 2_000_000, 0.8, "none known"),
    "rware-tiny": Target(
        "rware-tiny-2ag",
        1000,
        4_000_000,
        10.0,
        "EPyMARL, IPPO and MAPPO: about 20 in 40 million (Papoudakis et al. 2021)",
    ),
}


@dataclass(frozen=True)
class Reached:
    """What one seed reached: mean return, and the environment steps and seconds that it took."""

    mean: float
    env_steps: int
    seconds: float


def main() -> int:
    """Train, measure, draw, write the table."""
    options = parse(command_line(__doc__, TABLE, Path("runs/targets")), TABLE)
    for name in options.names:
        target = TABLE[name]
        for seed in SEEDS[: target.seeds]:
            for arm in arms(target):
                run(target, arm, seed, options.out / name / arm / str(seed), options.actors)
    write(options.out)
    return 0


def arms(target: Target) -> tuple[str, ...]:
    """By what it is trained: the config alone where the defaults are the same."""
    return (DEFAULTS, CONFIG) if departures(target.config) else (CONFIG,)


def run(target: Target, arm: str, seed: int, folder: Path, actors: int) -> None:
    """Train and measure one seed, unless that is done."""
    told = folder / "measured.json"
    if told.exists():
        return
    where = ("--seed", str(seed), "--updates", str(target.updates), "--out", str(folder), "--actors", str(actors))
    chorus("train", *trained_by(arm, target.config), *where, "--no-pictures", "--no-page")
    measured = chorus("evaluate", str(folder), "--episodes", str(EPISODES), "--json")
    told.write_text(measured)
    print(f"{folder}: {json.loads(measured)['mixed_return']['mean']:.3f}", flush=True)


def reached(folder: Path) -> Reached:
    """What a measured seed reached."""
    columns = read_metrics(folder)
    told = json.loads((folder / "measured.json").read_text())
    return Reached(told["mixed_return"]["mean"], int(columns["env_steps"][-1]), float(columns["seconds"][-1]))


def write(out: Path) -> None:
    """Put the table and the pictures of all that was measured into the page."""
    lines = [
        f"Median over seeds, [95 % bootstrap interval of the mean] and each seed; {EPISODES} fresh episodes a seed by"
        f" the sampling policy; `python -m chorus.studies.targets`, {date.today().isoformat()},"
        f" {len(os.sched_getaffinity(0))} cores.",
        "",
        "| task | must reach | defaults | the task's config | environment steps | seconds | reached | peer |",
        "|---|---|---|---|---|---|---|---|",
    ]
    shown = []
    for name, target in TABLE.items():
        found = {arm: folders(out, name, arm) for arm in (DEFAULTS, CONFIG)}
        if found[CONFIG]:
            lines.append(row(name, target, {arm: [reached(folder) for folder in own] for arm, own in found.items()}))
            shown.append(f"![{name}](results/{draw(name, target, [read_metrics(run) for run in found[CONFIG]]).name})")
    head, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text("\n".join([f"{head}{BEGIN}", *lines, "", *shown, END + rest.partition(END)[2]]))


def folders(out: Path, name: str, arm: str) -> list[Path]:
    """The run folders that were measured."""
    return sorted(path.parent for path in (out / name / arm).glob("*/measured.json"))


def row(name: str, target: Target, seeds: dict[str, list[Reached]]) -> str:
    """One line of the table."""
    config = seeds[CONFIG]
    best = median(seed.mean for seed in config)
    steps = [seed.env_steps for seed in config]
    kept = best >= target.goal and max(steps) <= target.env_steps
    unmeasured = "not measured" if DEFAULTS in arms(target) else "the same"
    defaults = told(seeds[DEFAULTS], target) if seeds[DEFAULTS] else unmeasured
    return (
        f"| `{name}` | {target.goal:g} in {target.env_steps:,} | {defaults} | {told(config, target)} | {span(steps)}"
        f" | {span([seed.seconds for seed in config])} | {'yes' if kept else 'no'} | {target.peer} |"
    )


def told(seeds: Sequence[Reached], target: Target) -> str:
    """What some seeds reached."""
    digits = 1 if abs(target.goal) > 2 else 3
    means = [seed.mean for seed in seeds]
    between = interval(means)
    around = f" [{between[0]:.{digits}f}, {between[1]:.{digits}f}]" if between else ""
    return f"**{median(means):.{digits}f}**{around} ({' '.join(f'{mean:.{digits}f}' for mean in means)})"


def span(values: Sequence[float]) -> str:
    """The least and the greatest."""
    low, high = f"{min(values):,.0f}", f"{max(values):,.0f}"
    return low if low == high else f"{low}–{high}"


def draw(name: str, target: Target, runs: Sequence[dict[str, NDArray[np.float64]]]) -> Path:
    """The learning curve: mean and range of the seeds, each smoothed over a thirtieth of its updates."""
    steps = np.linspace(0.0, min(columns["env_steps"][-1] for columns in runs), 300)
    curves = [
        np.interp(steps, columns["env_steps"], smooth(columns["mixed_return"], max(1, len(columns["update"]) // 30)))
        for columns in runs
    ]
    figure = Figure(figsize=(4.6, 3.0), layout="constrained")
    axes = figure.subplots()
    axes.fill_between(steps / 1e6, np.min(curves, axis=0), np.max(curves, axis=0), color="#9ecae1", linewidth=0)
    axes.plot(steps / 1e6, np.mean(curves, axis=0), color="#08519c")
    axes.axhline(target.goal, color="#e6550d", linewidth=0.8, linestyle="--")
    axes.set_title(f"{name}, {len(runs)} seeds" if len(runs) > 1 else f"{name}, one seed", fontsize="medium")
    axes.set_xlabel("environment steps (millions)")
    axes.set_ylabel("episode return")
    axes.grid(alpha=0.3)
    PICTURES.mkdir(exist_ok=True)
    path = PICTURES / f"{name}.png"
    figure.savefig(path, dpi=80)
    return path


if __name__ == "__main__":
    sys.exit(main())
