"""The first thing that `chorus train` says, before anything heavy is loaded: what it is about to do, and where."""

from __future__ import annotations

import argparse
import os
import re
import time
from pathlib import Path

from chorus.common.settings import shipped
from chorus.common.settings.config import Config


def greet(config: Config, options: argparse.Namespace) -> Path:
    """Say what begins; return the run folder, chosen here if it was not named."""
    out: Path = options.out or default_folder(config)
    if options.json:  # a program reads what is printed
        return out
    updates = f"{config.updates} updates" if config.updates else "as many updates as suit its episodes"
    print(f"{config.environment.spec}: {updates} by {actor_count(options)} actors, in {out}")
    if not options.resuming and options.config is None:
        for note in notes(config):
            print(note)
    print("starting …", flush=True)
    return out


def notes(config: Config) -> list[str]:
    """Notes for a run with default settings."""
    known = shipped.suitable(config.environment.spec)
    if not known:
        return []
    return [f"note: there are settings that are known to learn this: --config {' or --config '.join(known)}"]


def actor_count(options: argparse.Namespace) -> int:
    """How many actors `chorus train` starts."""
    return int(options.actors or len(os.sched_getaffinity(0)))


def default_folder(config: Config) -> Path:
    """`runs/ENVIRONMENT-DATE-TIME`."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", config.environment.spec).strip("-")
    return Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
