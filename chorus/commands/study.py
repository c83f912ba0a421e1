"""`chorus study`: the experiments behind what is claimed of learning."""

from __future__ import annotations

import argparse
from pathlib import Path

from chorus.commands.arguments import positive
from chorus.common.process import arithmetic

SUMMARY = "run a study of learning: measurements, a plot and a table"
EXAMPLES = (("Test that a study works, in seconds", "chorus study variance --quick"),)

STUDIES = ("sharing", "reduction", "variance", "rewards", "lag", "memory", "baselines", "passes")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    parser.add_argument("name", metavar="NAME", choices=[*STUDIES, "all"], help=f"{', '.join(STUDIES)}, or all of them")
    parser.add_argument(
        "--quick", action="store_true", help="only test that it works, in seconds; the numbers mean nothing"
    )
    parser.add_argument("--jobs", type=positive, metavar="N", help="parallel runs (default: one per core)")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder of the results (default: docs/studies; --quick: runs/studies-quick)",
    )
    parser.add_argument(
        "--pages", action="store_true", help="measure nothing: write the pages again from the existing results"
    )


def run(options: argparse.Namespace) -> int:
    """Run it; return the exit code."""
    arithmetic.pin()
    from chorus.studies.command import run as run_study

    return run_study(options)
