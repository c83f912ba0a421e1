"""Do the environments that people have train? Every config that says so, run and measured.

Each is trained by `chorus train --config configs/NAME.yaml` with a seed that no setting was chosen on, then measured by
`chorus evaluate` over 100 fresh episodes, before (by the weights that the run began with) and after. A side that has
opponents is measured against the opponents as they began, both times: against those that learn with it, no side's
return need ever rise. The table goes to docs/results.md, between two marks. A run that is already complete is measured
again, not trained again.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from chorus.studies.configs import EPISODES, chorus, command_line, parse

PAGE = Path("docs/results.md")
BEGIN, END = "<!-- environments: begin -->", "<!-- environments: end -->"
SEED = 100


@dataclass(frozen=True)
class Side:
    """Whose return is looked at, and who stays as it began.

    Attributes:
        name: in words.
        opponents: pattern of the agents that stay untrained; empty for nobody.
        policy: whose `mixed_return of POLICY` is looked at; empty for everybody's `mixed_return`.
        agent: the same of one agent, where both sides play by one policy.
    """

    name: str
    opponents: str = ""
    policy: str = ""
    agent: str = ""


TEAM = (Side("the team"),)
HUNT = (Side("adversaries", "agent_*", "adversaries"), Side("agents", "adversary_*", "agents"))
TABLE: dict[str, tuple[Side, ...]] = {
    "simple_spread": TEAM,
    "simple_speaker_listener": TEAM,
    "simple_tag": HUNT,
    "simple_adversary": HUNT,
    "foraging-8x8-2p-3f": TEAM,
    "foraging-8x8-2p-3f-coop": TEAM,
    "rware-tiny-2ag": TEAM,
    "navigation": TEAM,
    "balance": TEAM,
    "pursuit": TEAM,
    "multiwalker": TEAM,
    "knights_archers_zombies": TEAM,
    "cooperative_pong": TEAM,
    "overcooked-cramped_room": TEAM,
    "cartpole-vector": TEAM,
    "acrobot-envpool": TEAM,
    "jaxmarl_spread": TEAM,
    "smax": TEAM,
    "tictactoe": (Side("who begins", "player_2", agent="player_1"), Side("who answers", "player_1", agent="player_2")),
}


def main() -> int:
    """Train, measure, write the table."""
    options = parse(command_line(__doc__, TABLE, Path("runs/environments")), TABLE)
    for name in options.names:
        folder = options.out / name
        how = ("--config", f"configs/{name}.yaml", "--seed", str(SEED), "--actors", str(options.actors))
        chorus("train", *how, "--out", str(folder))
        measured = [measure(folder, side) for side in TABLE[name]]
        (folder / "measured.json").write_text(json.dumps(measured))
        print(f"{name}: {measured}", flush=True)
    write_table(options.out)
    return 0


def measure(folder: Path, side: Side) -> dict[str, Any]:
    """The return before and after, mean and half-width of its 95 % confidence interval."""

    def evaluate(untrained: str, key: str) -> dict[str, float]:
        words = ["--untrained", untrained] if untrained else []
        told = json.loads(chorus("evaluate", str(folder), "--episodes", str(EPISODES), "--json", *words))
        numbers: dict[str, float] = told[key]
        return numbers

    key = f"mixed_return of {side.policy or side.agent}" if side.policy or side.agent else "mixed_return"
    before = evaluate("*", f"{key} untrained" if side.policy else key)
    return {"side": side.name, "before": before, "after": evaluate(side.opponents, key)}


def write_table(out: Path) -> None:
    """Put the table of all runs that were measured into the page."""
    lines = [
        f"Seed {SEED}, {EPISODES} episodes each; `python -m chorus.studies.environments`, {date.today().isoformat()},"
        f" {len(os.sched_getaffinity(0))} cores (shared with other work: the seconds are no benchmark).",
        "",
        "| config | environment steps | seconds | whose return | untrained | trained | beyond |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in TABLE:
        folder = out / name
        if not (folder / "measured.json").exists():
            continue
        with (folder / "metrics.csv").open(newline="") as file:
            last = [row for row in csv.DictReader(file) if row["learning_rate"]][-1]
        for number, row in enumerate(json.loads((folder / "measured.json").read_text())):
            before, after = row["before"], row["after"]
            beyond = after["mean"] > before["mean"] + before["confidence_95"]
            run = f"`{name}` | {int(last['env_steps']):,} | {float(last['seconds']):.0f}" if number == 0 else " | | "
            lines.append(f"| {run} | {row['side']} | {told(before)} | {told(after)} | {'yes' if beyond else 'no'} |")
    page = PAGE.read_text() if PAGE.exists() else f"# Results\n\n## Environments\n\n{BEGIN}\n{END}\n"
    head, _, rest = page.partition(BEGIN)
    PAGE.write_text("\n".join([f"{head}{BEGIN}", *lines, END + rest.partition(END)[2]]))


def told(numbers: dict[str, float]) -> str:
    """Mean and interval."""
    return f"{numbers['mean']:.2f} ± {numbers['confidence_95']:.2f}"


if __name__ == "__main__":
    sys.exit(main())
