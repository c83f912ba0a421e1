"""`chorus diff`: where two runs part."""

from __future__ import annotations

import argparse
from pathlib import Path

from chorus.common.process import arithmetic

SUMMARY = "find the first update at which two runs differ"
EXAMPLES = (
    ("Do two runs have the same weights, and if not, from which update on?", "chorus diff runs/mine runs/again"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    parser.add_argument("first", type=Path, metavar="RUN_A", help="run folder")
    parser.add_argument("second", type=Path, metavar="RUN_B", help="run folder")


def run(options: argparse.Namespace) -> int:
    """Run it; return the exit code."""
    arithmetic.pin()
    from chorus.runs.diff import compare

    return compare(options.first, options.second)
