"""What do the defaults reach, beside a task's own config? Each trained for as long, on seeds that chose no setting.

`python -m chorus.studies.defaults [NAME …]`. A config that says nothing but the environment and the number of updates
is the defaults, and is not run. For the others each seed is trained twice for the config's number of updates, by the
config and by `chorus train --env SPEC`, and both policies are measured in the same fresh episodes by the config's
rewards; a side that has opponents, in its own run against the opponents as they began. The score of the defaults is 0
for the untrained policy and 1 for the config's. What came of a seed is kept in docs/results/defaults.json and not
measured again; the table goes to docs/results.md, between two marks.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean

from chorus.studies.configs import (
    CONFIG,
    DEFAULTS,
    EPISODES,
    chorus,
    command_line,
    departures,
    parse,
    trained_by,
    updates_of,
)
from chorus.studies.environments import TABLE as SIDES
from chorus.studies.environments import TEAM, Side
from chorus.studies.kept import Kept, days_of

PAGE, KEPT = Path("docs/results.md"), Path("docs/results/defaults.json")
BEGIN, END = "<!-- defaults: begin -->", "<!-- defaults: end -->"
SEEDS = (100, 101, 102)
ENOUGH = 0.9
"""The share of what a config reaches that counts as reached."""
TASKS = (
    "spread",
    "simple_spread",
    "simple_speaker_listener",
    "simple_tag",
    "simple_adversary",
    "foraging-8x8-2p-3f",
    "foraging-10x10-3p-3f",
    "foraging-8x8-2p-3f-coop",
    "rware-tiny-2ag",
    "navigation",
    "balance",
    "pursuit",
    "multiwalker",
    "knights_archers_zombies",
    "tictactoe",
    "overcooked-cramped_room",
    "cartpole-vector",
    "acrobot-envpool",
)


@dataclass(frozen=True)
class Measured:
    """What one seed reached for one side: mean returns."""

    untrained: float
    config: float
    defaults: float

    @property
    def score(self) -> float:
        """Of the defaults."""
        return (self.defaults - self.untrained) / (self.config - self.untrained)


def main() -> int:
    """Train, measure, write the table."""
    parser = command_line(__doc__, TASKS, Path("runs/defaults"))
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help=f"how many of {SEEDS} (%(default)s)")
    options = parse(parser, TASKS)
    kept = Kept(KEPT)
    for name in options.names:
        for seed in SEEDS[: options.seeds] if departures(name) else ():
            if not kept.has(name, str(seed)):
                sides = measure(name, seed, options.out / name / str(seed), options.actors)
                kept.add({"sides": [asdict(side) for side in sides]}, name, str(seed))
    write(kept)
    return 0


def measure(name: str, seed: int, folder: Path, actors: int) -> list[Measured]:
    """Train one seed both ways; what came of it for each side."""
    length = ("--updates", str(updates_of(name)), "--seed", str(seed), "--actors", str(actors))
    for arm in (CONFIG, DEFAULTS):
        where = ("--out", str(folder / arm), "--no-pictures", "--no-page")
        chorus("train", *trained_by(arm, name), *length, *where)
    sides = [measured(folder, side) for side in SIDES.get(name, TEAM)]
    print(f"{folder}: {sides}", flush=True)
    return sides


def measured(folder: Path, side: Side) -> Measured:
    """What a side reached: untrained, by the config, by the defaults; all by the rewards of the config."""
    who = side.policy or side.agent
    key = f"mixed_return of {who}" if who else "mixed_return"

    def evaluate(arm: str, key: str, *words: str) -> float:
        told = json.loads(chorus("evaluate", str(folder / arm), "--episodes", str(EPISODES), "--json", *words))
        return float(told[key]["mean"])

    untrained = evaluate(CONFIG, f"{key} untrained" if side.policy else key, "--untrained", "*")
    if side.opponents:
        return Measured(untrained, *(evaluate(arm, key, "--untrained", side.opponents) for arm in (CONFIG, DEFAULTS)))
    return Measured(untrained, evaluate(CONFIG, key), evaluate(CONFIG, key, "--with", str(folder / DEFAULTS)))


def write(kept: Kept) -> None:
    """Put the table of all that was measured into the page."""
    found = {name: list(kept.below(name).values()) for name in TASKS}
    days = days_of(seed["date"] for seeds in found.values() for seed in seeds)
    lines = [
        f"{EPISODES} fresh episodes a seed by the sampling policy; `python -m chorus.studies.defaults`, {days}.",
        "",
        "| task | the config departs in | whose return | untrained | the config | the defaults | score of each seed"
        " | at least 0.9 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in TASKS:
        lines += rows(name, [[Measured(**side) for side in seed["sides"]] for seed in found[name]])
    head, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text("\n".join([f"{head}{BEGIN}", *lines, END + rest.partition(END)[2]]))


def rows(name: str, seeds: Sequence[Sequence[Measured]]) -> list[str]:
    """The lines of a task, one for each side; of each seed what came of its sides."""
    where = departures(name)
    if not where:
        return [f"| `{name}` | nothing | | | | the same | 1 | yes |"]
    keys = ", ".join(f"`{key}`" for key in where)
    if not seeds:
        return [f"| `{name}` | {keys} | | | | not measured | | |"]
    lines = []
    for number, side in enumerate(SIDES.get(name, TEAM)):
        of = [seed[number] for seed in seeds]
        task = f"`{name}` | {keys}" if number == 0 else " | "
        means = (mean(getattr(one, arm) for one in of) for arm in ("untrained", CONFIG, DEFAULTS))
        returns = " | ".join(f"{value:.2f}" for value in means)
        scores = " ".join(f"{one.score:.2f}" for one in of)
        kept = "yes" if mean(one.score for one in of) >= ENOUGH else "no"
        lines.append(f"| {task} | {side.name} | {returns} | {scores} | {kept} |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
