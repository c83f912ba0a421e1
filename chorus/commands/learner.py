"""`chorus learner`: the learner alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from chorus.commands.options import (
    add_credentials,
    add_monitoring,
    add_page,
    add_settings,
    read_credentials,
    read_settings,
)

SUMMARY = "the central learner alone; actors come from elsewhere"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    add_settings(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", required=True, help="run folder")
    parser.add_argument(
        "--listen", default="127.0.0.1:50051", metavar="HOST:PORT", help="where actors connect (%(default)s)"
    )
    add_monitoring(parser)
    add_page(parser)
    add_credentials(parser, "show to actors, and ask of them")


def run(options: argparse.Namespace) -> int:
    """Run it; return the exit code."""
    options.credentials = read_credentials(options)
    config = read_settings(options)
    from chorus.local.learner import learn

    return learn(config, options)
