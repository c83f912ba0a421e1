"""Trains and measures the included configurations with the ordinary commands: what such studies share."""

from __future__ import annotations

import argparse
import os
import subprocess
from collections.abc import Collection
from pathlib import Path

from chorus.common.process import program
from chorus.common.settings.plain import read

EPISODES = 100
"""Fresh episodes that a trained policy is measured by."""
CONFIG, DEFAULTS = "config", "defaults"
"""By what a task is trained: its file in configs/, or nothing but its environment."""


def departures(name: str) -> list[str]:
    """Where a config departs from the defaults, beside what is played and for how long: the keys, `section.key`."""
    settings = read(_file(name))
    found = [f"{section}.{key}" for section, inner in settings.items() if section != "updates" for key in inner]
    return [key for key in found if key != "environment.spec"]


def trained_by(arm: str, name: str) -> tuple[str, str]:
    """What `chorus train` is told to train a config's task by it, or by the defaults."""
    if arm == CONFIG:
        return "--config", str(_file(name))
    return "--env", str(read(_file(name))["environment"]["spec"])


def updates_of(name: str) -> int:
    """For how long it does."""
    return int(read(_file(name))["updates"])


def _file(name: str) -> Path:
    return Path(f"configs/{name}.yaml")


def command_line(about: str | None, names: Collection[str], out: Path) -> argparse.ArgumentParser:
    """What every such study can be told: which configs, where their run folders go, how many actors."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"of configs (default: all of {', '.join(names)})")
    parser.add_argument("--out", type=Path, default=out, help="for the run folders (%(default)s)")
    parser.add_argument("--actors", type=int, default=len(os.sched_getaffinity(0)), help="(%(default)s)")
    return parser


def parse(parser: argparse.ArgumentParser, names: Collection[str]) -> argparse.Namespace:
    """The options, with every config named; ends the program at a name that is none."""
    options = parser.parse_args()
    for name in options.names:
        if name not in names:
            parser.error(f"{name} is none of {', '.join(names)}")
    options.names = options.names or list(names)
    return options


def chorus(*words: str) -> str:
    """What a `chorus` command prints."""
    done = subprocess.run(program.command(*words), check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout
