"""`chorus status`: how a run stands, told by its learner."""

from __future__ import annotations

import argparse

from chorus.commands.arguments import address, seconds
from chorus.commands.options import add_credentials, read_credentials

SUMMARY = "show the state of a learner's run"
EXAMPLES = (
    ("For a person", "chorus status 127.0.0.1:50051"),
    ("For a script", "chorus status 127.0.0.1:50051 --json"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    parser.add_argument("address", type=address, metavar="HOST:PORT", help="where the learner listens")
    parser.add_argument(
        "--timeout", type=seconds, default=5.0, metavar="SECONDS", help="give up after so long (%(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_credentials(parser, "show to the learner, and ask of it")


def run(options: argparse.Namespace) -> int:
    """Run it; return the exit code."""
    credentials = read_credentials(options)
    from chorus.fleet.status import status

    return status(options.address, credentials, options.timeout, options.json)
