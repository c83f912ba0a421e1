"""`chorus certs`: certificates for mutual TLS."""

from __future__ import annotations

import argparse
from pathlib import Path

from chorus.commands.arguments import positive

SUMMARY = "make certificates for mutual TLS: an authority, a learner's, an actor's"
EXAMPLES = (
    ("For a learner that actors reach as learner.example.org", "chorus certs certs --host learner.example.org"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    parser.add_argument("dir", type=Path, metavar="DIR", help="folder for the files, created if missing")
    parser.add_argument(
        "--host", action="append", default=[], metavar="HOST", help="name or address of the learner; may be repeated"
    )
    parser.add_argument("--days", type=positive, default=90, metavar="N", help="days of validity (%(default)s)")
    parser.add_argument(
        "--metrics-host",
        action="append",
        default=[],
        metavar="HOST",
        help="host name under which actors serve metrics; may be repeated (default: none, and no TLS there)",
    )
    parser.add_argument("--group", action="store_true", help="let the group read the keys, not only the owner")
    parser.add_argument(
        "--renew",
        action="store_true",
        help="keep existing files that are valid for another week, replace others",
    )


def run(options: argparse.Namespace) -> int:
    """Run it; return the exit code."""
    from chorus.fleet.certs import make_certificates

    return make_certificates(options)
