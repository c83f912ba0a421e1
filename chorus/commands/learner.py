"""`chorus learner`: the learner alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from chorus.commands.arguments import listening_address
from chorus.commands.options import (
    add_credentials,
    add_monitoring,
    add_page,
    add_settings,
    read_credentials,
    read_settings,
)

SUMMARY = "the central learner alone; actors are started separately"
EXAMPLES = (
    ("On this machine", "chorus learner --config configs/spread.yaml --out runs/one"),
    (
        "For actors on other machines, with certificates that `chorus certs` made",
        "chorus learner --out runs/two --listen 0.0.0.0:50051 \\\n"
        "      --tls-ca certs/ca.pem --tls-cert certs/learner.pem --tls-key certs/learner-key.pem",
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    add_settings(parser)
    group = parser.add_argument_group("the run and its address")
    group.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        required=True,
        help="run folder; if it holds this run already, training continues",
    )
    group.add_argument(
        "--listen",
        type=listening_address,
        default="127.0.0.1:50051",
        metavar="HOST:PORT",
        help="where actors connect; beyond this machine it needs certificates or --insecure (%(default)s)",
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
