"""The first thing that `chorus train` says, before anything heavy is loaded: what it is about to do, and where."""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chorus.common.settings import shipped
from chorus.common.settings.config import Config

if TYPE_CHECKING:  # what is said first is said before NumPy is loaded
    from chorus.common.environments.interface import EnvironmentSpec
    from chorus.common.policy.sharing import PolicySpec

FEW = 4
"""So many agents are all named."""


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


def plan(config: Config, environment: EnvironmentSpec, policies: Sequence[PolicySpec]) -> list[str]:
    """Who learns, and how much is played for it, once the environment is known.

    Args:
        config: resolved.
        environment: that is played.
        policies: of its agents.
    """
    names = [agent.name for agent in environment.agents]
    if len(policies) == 1:
        who = f"one, shared by {named(names)}" if len(names) > 1 else f"one, of {names[0]}"
    else:
        parts = (f"{policy.name} ({named([names[agent] for agent in policy.agents])})" for policy in policies)
        who = f"{len(policies)}: {', '.join(parts)}"
    episodes = config.updates * config.tasks * config.episodes
    length = environment.max_steps
    steps = f", at most {episodes * length:,} environment steps" if length else ""
    return [f"policies {who}", f"budget   {config.updates:,} updates, {episodes:,} episodes{steps}"]


def named(names: Sequence[str]) -> str:
    """Some agents; the first and the last of them where they are many."""
    if len(names) <= FEW:
        return ", ".join(names)
    return f"{len(names)} agents, {names[0]} … {names[-1]}"


def actor_count(options: argparse.Namespace) -> int:
    """How many actors `chorus train` starts."""
    return int(options.actors or len(os.sched_getaffinity(0)))


def default_folder(config: Config) -> Path:
    """`runs/ENVIRONMENT-DATE-TIME`."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", config.environment.spec).strip("-")
    return Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
