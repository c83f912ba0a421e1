"""`chorus league`: every kept version of a run against every other."""

from __future__ import annotations

import argparse
from pathlib import Path

from chorus.commands.arguments import count, positive
from chorus.common.process import arithmetic

SUMMARY = "let past policy versions of a run with opponents play against one another"
EXAMPLES = (("All kept versions against all, 200 episodes each", "chorus league runs/duel --episodes 200"),)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    parser.add_argument("dir", type=Path, metavar="DIR", help="run folder of a run with opponents")
    parser.add_argument("--episodes", type=positive, default=100, metavar="N", help="episodes per pair (%(default)s)")
    parser.add_argument("--seed", type=count, default=0, metavar="S", help="seed of these episodes (%(default)s)")
    parser.add_argument("--every", type=positive, default=1, metavar="N", help="use only every N-th kept version")


def run(options: argparse.Namespace) -> int:
    """Run it; return the exit code."""
    arithmetic.pin()
    from chorus.evaluation.league import league

    return league(options)
