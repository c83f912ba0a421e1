"""`chorus check-env SPEC`: can Chorus train on this environment, and what should be known beforehand?

The examination itself is `common/environments/checks/examination.py`. Here its report is printed, after one more check
that needs another process: the order of a set of strings depends on a hash that Python salts in every process, so an
environment that iterates over such a set behaves differently in every actor.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from chorus.commands.arguments import positive, whole
from chorus.common.process import arithmetic, program

if TYPE_CHECKING:  # NumPy must not be loaded before its arithmetic is pinned
    from chorus.common.environments.checks.examination import Examination
    from chorus.common.environments.checks.finding import Finding
    from chorus.common.environments.checks.purity import Level

PATIENCE = 300.0  # seconds that another process may take
TELL_SECONDS = 5.0
_MARKS = {"fact": ("", ""), "note": ("note", "yellow"), "fault": ("FAULT", "bold red")}


SUMMARY = "check whether Chorus can train on an environment, and report problems"
EXAMPLES = (
    ("The built-in environment with five agents", "chorus check-env 'spread?agents=5'"),
    ("Your own, from the module my_team.py in this folder", "chorus check-env my_team:MyTeam --episodes 20"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    parser.add_argument("spec", metavar="SPEC", help="the environment, as spread?agents=5")
    parser.add_argument("--episodes", type=positive, default=10, metavar="N", help="episodes to play (%(default)s)")
    parser.add_argument("--seed", type=whole, default=0, metavar="S", help="seed of these episodes (%(default)s)")
    parser.add_argument(
        "--steps", type=positive, default=2000, metavar="T", help="stop an episode after so many steps (%(default)s)"
    )
    parser.add_argument(
        "--proof",
        choices=("full", "light", "none"),
        default="full",
        help="environment.proof: how thoroughly to check reproducibility",
    )
    parser.add_argument(
        "--instances", type=positive, metavar="L", help="task.instances: create at most so many at once (default: 8)"
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=120.0,
        metavar="SECONDS",
        help="seconds without a step that count as hanging (%(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Check and report; 1 if Chorus could not train on the environment."""
    arithmetic.pin()
    examination = check(
        options.spec,
        episodes=options.episodes,
        seed=options.seed,
        steps=options.steps,
        level=options.proof,
        instances=options.instances,
        patience=options.patience,
        tell=_Telling(),
    )
    if options.json:
        print(json.dumps(as_json(examination), indent=2))
    else:
        show(examination)
    return 0 if examination.trainable else 1


class _Telling:
    """Says now and then what is being done, on standard error, if it takes long."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, what: str) -> None:
        now = time.monotonic()
        if now - self._last >= TELL_SECONDS:
            self._last = now
            print(f"chorus check-env: {what}", file=sys.stderr, flush=True)


def check(
    spec: str,
    *,
    episodes: int = 10,
    seed: int = 0,
    steps: int = 2000,
    level: Level = "full",
    instances: int | None = None,
    patience: float = PATIENCE,
    tell: Callable[[str], None] = lambda what: None,
) -> Examination:
    """Examine an environment, in one process and, if it repeats itself there, in another."""
    from chorus.common.environments.checks.examination import Examination
    from chorus.local.examination import examine_in_process

    here = examine_in_process(
        spec,
        episodes=episodes,
        seed=seed,
        steps=steps,
        level=level,
        instances=instances,
        patience=patience,
        tell=tell,
    )
    if not here.reproducible or not here.digest:
        return here
    tell("playing it in another process")
    finding = _elsewhere(here)
    return Examination(spec, (*here.findings, finding), here.digest, here.reproducible, here.at_once)


def _elsewhere(here: Examination) -> Finding:
    """What another process, in which strings have other hashes, makes of the same episodes."""
    from chorus.common.environments.checks.finding import Finding, Verdict

    salt = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    try:
        answer = subprocess.run(
            program.module_command("chorus.commands.check_env", here.spec, here.at_once),
            env=program.surroundings(PYTHONHASHSEED=salt),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Finding("other process", f"gave no answer in {PATIENCE:.0f} s", Verdict.NOTE, "look what it waits for")
    if answer.returncode:
        last = (answer.stderr.strip().splitlines() or ["no word"])[-1]
        return Finding(
            "other process",
            f"a second process could not play it: {last}",
            Verdict.FAULT,
            "every actor is a process of its own; let several have the environment at once",
        )
    if answer.stdout.split()[-1:] == [here.digest]:
        return Finding("other process", "agrees with this one")
    return Finding(
        "other process",
        "not reproducible: a process with another PYTHONHASHSEED plays other episodes for the same seed",
        Verdict.NOTE,
        "sort sets before iterating over them, and decide nothing by hash() or id()",
    )


def show(examination: Examination) -> None:
    """Print the table."""
    verdict = "Chorus can train on it." if examination.trainable else "Chorus cannot train on it as it is."
    try:
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table
    except ImportError:
        for finding in examination.findings:
            mark = _MARKS[finding.verdict.value][0]
            print(f"{mark:5} {finding.topic:14} {finding.text}")
            if finding.remedy:
                print(f"{'':20} -> {finding.remedy}")
        print(verdict)
        return
    table = Table(title=escape(examination.spec), title_justify="left", show_header=False, pad_edge=False)
    table.add_column("verdict", no_wrap=True)
    table.add_column("topic", no_wrap=True)
    table.add_column("text", overflow="fold")
    for finding in examination.findings:
        mark, style = _MARKS[finding.verdict.value]
        remedy = f"\n→ {escape(finding.remedy)}" if finding.remedy else ""
        table.add_row(mark, finding.topic, escape(finding.text) + remedy, style=style or None)
    console = Console(emoji=False)
    console.print(table)
    console.print(verdict, style="green" if examination.trainable else "bold red", highlight=False)


def as_json(examination: Examination) -> dict[str, Any]:
    """The same for scripts."""
    findings = [asdict(finding) | {"verdict": finding.verdict.value} for finding in examination.findings]
    return {"spec": examination.spec, "trainable": examination.trainable, "findings": findings}


if __name__ == "__main__":  # the other process of `_elsewhere`
    program.look_there_too()
    arithmetic.pin()
    from chorus.common.environments import make
    from chorus.common.environments.checks.purity import EPISODES, SEED, STEPS, digest
    from chorus.common.process.exiting import leave
    from chorus.common.process.redirection import to_standard_error

    with to_standard_error():
        environment = make(sys.argv[1])
        found = digest(environment, SEED, EPISODES, STEPS, int(sys.argv[2]) or None)
        environment.close()
    print(found, flush=True)
    sys.exit(leave(0))
