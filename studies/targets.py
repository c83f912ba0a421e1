"""What do defaults and configs reach, beside what the field reports? Five unseen seeds of each, trained and measured.

`python -m chorus.studies.targets [NAME …]`. Each seed is trained twice, by the task's config and by the defaults alone
(`chorus train --env SPEC`), for the same number of updates, then measured by `chorus evaluate` over 500 fresh episodes
by the sampling policy. Where a config says nothing but the environment and the number of updates, both are one run. The
seeds were never used to choose a setting; the settings were chosen on seeds 0 to 4. Seconds are those of `metrics.csv`:
of the run's training, without the start of its processes. What a seed reached is kept in docs/results/targets.json and
not measured again; the table and its pictures go to docs/results.md, between two marks.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
from matplotlib.figure import Figure

from chorus.runs.record import read_metrics
from chorus.runs.smoothing import smooth
from chorus.runs.statistics import interval
from chorus.studies.configs import CONFIG, DEFAULTS, chorus, command_line, departures, parse, trained_by
from chorus.studies.kept import Kept, days_of

PAGE, PICTURES = Path("docs/results.md"), Path("docs/results")
KEPT = PICTURES / "targets.json"
POINTS = 100
"""Of a curve that is kept."""
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
    """

    config: str
    updates: int
    env_steps: int
    goal: float
    peer: str


IA2C = "EPyMARL `ia2c`"
TABLE: dict[str, Target] = {
    "spread-150k": Target("spread", 93, 150_000, -57.0, f"{IA2C}: -56.7 in 200 000 (24 of 25 rewards counted)"),
    "spread-375k": Target("spread", 234, 375_000, -54.0, f"{IA2C}: -54.6 in 375 000 (24 of 25 rewards counted)"),
    "spread-6m": Target("spread", 3750, 6_000_000, -42.0, "none known"),
    "simple_spread-150k": Target("simple_spread", 93, 150_000, -57.0, f"{IA2C}, as above"),
    "foraging-8x8": Target("foraging-8x8-2p-3f", 125, 160_000, 0.97, f"{IA2C}: 0.976 in 404 000"),
    "foraging-10x10": Target("foraging-10x10-3p-3f", 460, 600_000, 0.97, "none known"),
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
    """What one seed reached.

    Attributes:
        mean: return of the trained policy.
        env_steps, seconds: that training took.
        curve: environment steps, and the smoothed return of training at each.
        date: of the measurement.
    """

    mean: float
    env_steps: int
    seconds: float
    curve: tuple[list[int], list[float]]
    date: str = ""


def main() -> int:
    """Train, measure, draw, write the table."""
    parser = command_line(__doc__, TABLE, Path("runs/targets"))
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help=f"how many of {SEEDS} (%(default)s)")
    options = parse(parser, TABLE)
    kept = Kept(KEPT)
    for name in options.names:
        for seed in SEEDS[: options.seeds]:
            for arm in arms(TABLE[name]):
                if not kept.has(name, arm, str(seed)):
                    found = run(TABLE[name], arm, seed, options.out / name / arm / str(seed), options.actors)
                    kept.add(asdict(found), name, arm, str(seed))
    write(kept)
    return 0


def arms(target: Target) -> tuple[str, ...]:
    """By what it is trained: the config alone where the defaults are the same."""
    return (DEFAULTS, CONFIG) if departures(target.config) else (CONFIG,)


def run(target: Target, arm: str, seed: int, folder: Path, actors: int) -> Reached:
    """Train and measure one seed."""
    where = ("--seed", str(seed), "--updates", str(target.updates), "--out", str(folder), "--actors", str(actors))
    chorus("train", *trained_by(arm, target.config), *where, "--no-pictures", "--no-page")
    mean = json.loads(chorus("evaluate", str(folder), "--episodes", str(EPISODES), "--json"))["mixed_return"]["mean"]
    print(f"{folder}: {mean:.3f}", flush=True)
    return reached(folder, mean)


def reached(folder: Path, mean: float) -> Reached:
    """What a run that was measured so took; its curve is smoothed over a thirtieth of its updates."""
    columns = read_metrics(folder)
    steps, seconds = columns["env_steps"], columns["seconds"]
    at = np.linspace(steps[0], steps[-1], POINTS)
    returns = np.interp(at, steps, smooth(columns["mixed_return"], max(1, len(steps) // 30)))
    curve = [int(step) for step in at], [float(f"{value:.4g}") for value in returns]
    return Reached(mean, int(steps[-1]), round(float(seconds[-1]), 1), curve)


def write(kept: Kept) -> None:
    """Put the table and the pictures of all that was measured into the page."""
    found = {
        name: {arm: [Reached(**seed) for seed in kept.below(name, arm).values()] for arm in (DEFAULTS, CONFIG)}
        for name in TABLE
    }
    days = days_of(seed.date for arms in found.values() for seeds in arms.values() for seed in seeds)
    lines = [
        f"Median over seeds, [95 % bootstrap interval of the mean] and each seed; {EPISODES} fresh episodes a seed by"
        f" the sampling policy; `python -m chorus.studies.targets`, {days}.",
        "",
        "| task | must reach | defaults | the task's config | environment steps | seconds | reached | peer |",
        "|---|---|---|---|---|---|---|---|",
    ]
    shown = []
    for name, target in TABLE.items():
        if found[name][CONFIG]:
            lines.append(row(name, target, found[name]))
            shown.append(f"![{name}](results/{draw(name, target, found[name][CONFIG]).name})")
    head, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text("\n".join([f"{head}{BEGIN}", *lines, "", *shown, END + rest.partition(END)[2]]))


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


def draw(name: str, target: Target, runs: Sequence[Reached]) -> Path:
    """The learning curve: mean and range of the seeds."""
    steps = np.linspace(0.0, min(run.env_steps for run in runs), 3 * POINTS)
    curves = [np.interp(steps, *run.curve) for run in runs]
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
