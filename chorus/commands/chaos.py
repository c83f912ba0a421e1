"""`chorus chaos`: a run beside faults, against the same run in peace."""

from __future__ import annotations

import argparse
from pathlib import Path

from chorus.commands.arguments import positive, whole
from chorus.commands.options import add_settings, read_settings

SUMMARY = "train in peace and under faults, and see that nothing differs"
EXAMPLES = (("Thirty updates with three faults", "chorus chaos --updates 30 --faults 3 --out runs/chaos"),)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    add_settings(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="empty folder for both runs")
    parser.add_argument("--actors", type=positive, default=3, metavar="N", help="actor processes (%(default)s)")
    parser.add_argument(
        "--learners", type=positive, default=1, metavar="R", help="processes of the learner (%(default)s)"
    )
    parser.add_argument("--faults", type=positive, default=50, metavar="N", help="how many (%(default)s)")
    parser.add_argument("--chaos-seed", type=whole, default=0, metavar="S", help="of the faults (%(default)s)")
    parser.add_argument("--only", action="append", default=[], metavar="KIND", help="this kind; may be repeated")


def run(options: argparse.Namespace) -> int:
    """Run it; return the exit code."""
    config = read_settings(options)
    from chorus.chaos.experiment import run as run_experiment

    return run_experiment(options, config)
