"""`chorus resume RUN`: a run goes on, where it stopped or for more updates, as it was or with other settings."""

from __future__ import annotations

import argparse
from pathlib import Path

from chorus.commands.options import (
    add_credentials,
    add_mixed,
    add_monitoring,
    add_page,
    add_set,
    add_updates,
    read_credentials,
    read_run,
)
from chorus.commands.train import add_actors

SUMMARY = "continue a run: to its end, for more updates, or with other settings"
EXAMPLES = (
    ("To the end of an interrupted run", "chorus resume runs/mine"),
    (
        "More updates, at another learning rate",
        "chorus resume runs/mine --updates 20 --set optimiser.learning_rate=1e-3",
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    parser.add_argument("out", type=Path, metavar="RUN", help="run folder")
    group = parser.add_argument_group(
        "what is changed", "nothing unless it is said; what is changed is written into the run's config.yaml"
    )
    add_updates(group)
    add_set(group)
    add_mixed(group)
    add_actors(parser)
    add_monitoring(parser)
    add_page(parser)
    add_credentials(parser, "show to actors, and ask of them")
    parser.set_defaults(init_from=None, resuming=True, json=False, parent=None)


def run(options: argparse.Namespace) -> int:
    """Run it; return the exit code."""
    options.credentials = read_credentials(options)
    config = read_run(options.out, options)
    from chorus.local.greeting import greet

    greet(config, options)
    from chorus.local.train import train

    return train(config, options)
