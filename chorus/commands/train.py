"""`chorus train`: a learner and its actors on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from chorus.commands.options import (
    add_credentials,
    add_monitoring,
    add_page,
    add_settings,
    positive,
    read_credentials,
    read_settings,
)

SUMMARY = "train on this machine: a learner and its actors"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    add_settings(parser)
    parser.add_argument("--actors", type=positive, metavar="N", help="actor processes (default: one per core)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="run folder (default: runs/ENVIRONMENT-DATE-TIME)")
    parser.add_argument("--no-pictures", action="store_true", help="leave out curve.png and episode.gif")
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT", help="more actors may join here")
    parser.add_argument(
        "--profile", action="store_true", help="record a timeline of learner and actors; say what bounded the run"
    )
    parser.add_argument("--json", action="store_true", help="tell of the start, every update and the end as JSON lines")
    parser.add_argument("--parent", type=int, metavar="PID", help="stop when this is no longer the parent process")
    add_monitoring(parser)
    add_page(parser)
    add_credentials(parser, "show to actors, and ask of them")


def run(options: argparse.Namespace) -> int:
    """Run it; return the exit code."""
    options.credentials = read_credentials(options)
    config = read_settings(options)
    from chorus.local.train import train

    return train(config, options)
