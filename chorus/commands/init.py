"""`chorus init`: files to start from."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "write a commented configuration and an environment to start from"
EXAMPLES = (
    ("Into the current folder", "chorus init"),
    ("Into a new folder", "chorus init my-team"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    parser.add_argument(
        "dir", type=Path, nargs="?", default=Path(), metavar="DIR", help="folder, created if need be (default: here)"
    )


def run(options: argparse.Namespace) -> int:
    """Run it; return the exit code."""
    from chorus.starter.write import write

    return write(options.dir)
