"""Do the configs reach what they are held to? Five seeds of each, trained, measured, drawn, and set beside the target.

Each seed is trained by `chorus train --config configs/NAME.yaml --seed SEED`, then measured by `chorus evaluate` over
100 fresh episodes by the sampling policy. A target that is to be reached on the way is read from the evaluation of 100
fresh episodes that the run itself made last before its steps were used up. Seconds are those of `metrics.csv`: of the
run's training, without the start of its processes. The table and the pictures go to docs/results.md, between two marks.
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
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from chorus.runs.plot import smooth
from chorus.runs.record import read_metrics
from chorus.studies.configs import EPISODES, chorus, command_line, parse

PAGE, PICTURES = Path("docs/results.md"), Path("docs/results")
BEGIN, END = "<!-- targets: begin -->", "<!-- targets: end -->"


@dataclass(frozen=True)
class Target:
    """What a config is held to.

    Attributes:
        goal: mean return, median over seeds.
        env_steps: in which it is to be reached; None for the whole run.
        seconds: likewise.
    """

    goal: float
    env_steps: int | None = None
    seconds: float | None = None


TABLE: dict[str, tuple[Target, ...]] = {
    "foraging-8x8-2p-3f": (Target(0.97, 400_000, 90.0),),
    "foraging-10x10-3p-3f": (Target(0.97),),
    "spread": (Target(-57.0, 375_000, 20.0), Target(-52.0)),
    "rware-tiny-2ag": (Target(1.0),),
}


@dataclass(frozen=True)
class Reached:
    """What one seed reached: mean return, and the environment steps and seconds that it took."""

    mean: float
    env_steps: int
    seconds: float


def main() -> int:
    """Train, measure, draw, write the table."""
    parser = command_line(__doc__, TABLE, Path("runs/targets"))
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0 (%(default)s)")
    options = parse(parser, TABLE)
    for name in options.names:
        for seed in range(options.seeds):
            run(name, seed, options.out / name / str(seed), options.actors)
    write(options.out)
    return 0


def run(name: str, seed: int, folder: Path, actors: int) -> None:
    """Train and measure one seed, unless that is done."""
    told = folder / "measured.json"
    if told.exists():
        return
    where = ("--config", f"configs/{name}.yaml", "--seed", str(seed), "--out", str(folder))
    chorus("train", *where, "--actors", str(actors), "--no-pictures")
    figures = chorus("evaluate", str(folder), "--episodes", str(EPISODES), "--json")
    told.write_text(figures)
    print(f"{name}, seed {seed}: {json.loads(figures)['mixed_return']['mean']:.3f}", flush=True)


def reached(folder: Path, target: Target) -> Reached:
    """What a measured seed reached by the time that the target names."""
    columns = read_metrics(folder)
    steps, seconds = columns["env_steps"], columns["seconds"]
    # An evaluation is played beside an update's batch, by the weights that the update before it made.
    evaluated = ~np.isnan(columns["evaluation_return"][1:]) & (steps[:-1] <= (target.env_steps or 0))
    if evaluated.any() and steps[-1] > (target.env_steps or 0):
        last = int(np.flatnonzero(evaluated)[-1])
        return Reached(float(columns["evaluation_return"][last + 1]), int(steps[last]), float(seconds[last]))
    told: dict[str, Any] = json.loads((folder / "measured.json").read_text())
    return Reached(told["mixed_return"]["mean"], int(steps[-1]), float(seconds[-1]))


def write(out: Path) -> None:
    """Put the table and the pictures of all that was measured into the page."""
    lines = [
        f"{EPISODES} fresh episodes a seed, by the sampling policy; `python -m chorus.studies.targets NAME`,"
        f" {date.today().isoformat()}, {len(os.sched_getaffinity(0))} cores.",
        "",
        "| config | target | return: median (each seed) | environment steps | seconds | reached |",
        "|---|---|---|---|---|---|",
    ]
    shown = []
    for name, targets in TABLE.items():
        folders = sorted(path.parent for path in (out / name).glob("*/measured.json"))
        if folders:
            lines += [row(name, target, [reached(folder, target) for folder in folders]) for target in targets]
            shown.append(f"![{name}](results/{draw(name, [read_metrics(folder) for folder in folders]).name})")
    head, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text("\n".join([f"{head}{BEGIN}", *lines, "", *shown, END + rest.partition(END)[2]]))


def row(name: str, target: Target, seeds: Sequence[Reached]) -> str:
    """One line of the table."""
    result = median(seed.mean for seed in seeds)
    steps, seconds = [seed.env_steps for seed in seeds], [seed.seconds for seed in seeds]
    limits = [f"{target.env_steps:,} steps"] if target.env_steps else []
    limits += [f"{target.seconds:.0f} s"] if target.seconds else []
    kept = [
        result >= target.goal,
        target.env_steps is None or max(steps) <= target.env_steps,
        target.seconds is None or max(seconds) <= target.seconds,
    ]
    digits = 1 if abs(target.goal) > 10 else 3
    each = " ".join(f"{seed.mean:.{digits}f}" for seed in seeds)
    return (
        f"| `{name}` | {' in '.join([f'{target.goal:g}', *[', '.join(limits)] * bool(limits)])}"
        f" | **{result:.{digits}f}** ({each}) | {span(steps)} | {span(seconds)} | {'yes' if all(kept) else 'no'} |"
    )


def span(values: Sequence[float]) -> str:
    """The least and the greatest."""
    low, high = f"{min(values):,.0f}", f"{max(values):,.0f}"
    return low if low == high else f"{low}–{high}"


def draw(name: str, runs: Sequence[dict[str, NDArray[np.float64]]]) -> Path:
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
    for target in TABLE[name]:
        axes.axhline(target.goal, color="#e6550d", linewidth=0.8, linestyle="--")
    axes.set_title(f"{name}, {len(runs)} seeds" if len(runs) > 1 else name, fontsize="medium")
    axes.set_xlabel("environment steps (millions)")
    axes.set_ylabel("episode return")
    axes.grid(alpha=0.3)
    PICTURES.mkdir(exist_ok=True)
    path = PICTURES / f"{name}.png"
    figure.savefig(path, dpi=80)
    return path


if __name__ == "__main__":
    sys.exit(main())
