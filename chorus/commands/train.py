"""`chorus train`: a learner and its actors on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from chorus.commands.arguments import listening_address, positive
from chorus.commands.options import (
    add_credentials,
    add_monitoring,
    add_page,
    add_settings,
    read_credentials,
    read_settings,
)

SUMMARY = "train on this machine: a learner and its actors"
EXAMPLES = (
    ("Three agents learn to cover three landmarks", "chorus train"),
    (
        "Settings from a file, a run folder of your choice, four actors",
        "chorus train --config configs/spread.yaml --out runs/mine --actors 4",
    ),
    (
        "Another environment, and a setting by name",
        "chorus train --env 'spread?agents=5' --updates 200 --set loss.entropy=0.02",
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    add_settings(parser)
    group = add_actors(parser)
    group.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="run folder; if it holds this run already, training continues (runs/ENVIRONMENT-DATE-TIME)",
    )
    parser.add_argument("--json", action="store_true", help="print the start, every update and the end as JSON lines")
    parser.add_argument("--parent", type=int, metavar="PID", help="stop when this is no longer the parent process")
    add_monitoring(parser)
    add_page(parser)
    add_credentials(parser, "show to actors, and ask of them")
    parser.set_defaults(resuming=False)


def add_actors(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """How it is trained; changes nothing of what is learned."""
    group = parser.add_argument_group("how it is trained", "none of these changes what is learned")
    group.add_argument(
        "--actors", type=positive, metavar="N", help="actor processes that play on this machine (one per core)"
    )
    group.add_argument(
        "--learners",
        type=positive,
        default=1,
        metavar="R",
        help="processes that are the learner together, each for its share of the tasks (%(default)s)",
    )
    group.add_argument(
        "--listen",
        type=listening_address,
        default="127.0.0.1:0",
        metavar="HOST:PORT",
        help="where more actors may connect, from this machine or others; port 0 takes any free port (%(default)s)",
    )
    group.add_argument("--no-pictures", action="store_true", help="do not draw curve.png and episode.gif at the end")
    group.add_argument(
        "--profile",
        action="store_true",
        help="record a timeline of learner and actors, timeline.json, and report the bottleneck in detail",
    )
    return group


def run(options: argparse.Namespace) -> int:
    """Run it; return the exit code."""
    options.credentials = read_credentials(options)
    config = read_settings(options)
    from chorus.local.greeting import greet

    options.out = greet(config, options)
    from chorus.local.train import train

    return train(config, options)
