"""`chorus health`: a probe for containers."""

from __future__ import annotations

import argparse

from chorus.commands.arguments import seconds
from chorus.commands.options import add_credentials, read_credentials

SUMMARY = "exit with 0 if a learner or an actor is healthy: a probe for containers"
EXAMPLES = (
    ("Ask a learner", "chorus health 127.0.0.1:50051"),
    ("Ask the metrics port of a learner or an actor", "chorus health http://127.0.0.1:9090"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    parser.add_argument(
        "address",
        metavar="HOST:PORT",
        help="address of a learner; or, for learner or actor, http(s)://HOST:METRICS-PORT or grpc://HOST:HEALTH-PORT",
    )
    parser.add_argument(
        "--timeout", type=seconds, default=5.0, metavar="SECONDS", help="give up after so long (%(default)s)"
    )
    add_credentials(parser, "show, and ask of the other side")


def run(options: argparse.Namespace) -> int:
    """Run it; return the exit code."""
    credentials = read_credentials(options)
    from chorus.fleet.health import probe

    return probe(options.address, credentials, options.timeout)
