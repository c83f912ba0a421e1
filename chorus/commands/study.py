"""`chorus study`: the experiments behind what is claimed of learning."""

from __future__ import annotations

import argparse
from pathlib import Path

from chorus.commands.arguments import positive
from chorus.common.process import arithmetic

SUMMARY = "measure what is claimed of learning, with a plot and a table"
EXAMPLES = (("See that a study works, in seconds", "chorus study variance --quick"),)

STUDIES = ("sharing", "reduction", "variance", "rewards", "lag", "memory", "baselines", "passes")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    parser.add_argument("name", metavar="NAME", choices=[*STUDIES, "all"], help=f"{', '.join(STUDIES)}, or all of them")
    parser.add_argument(
        "--quick", action="store_true", help="only show that it works: seconds, and no figures to quote"
    )
    parser.add_argument("--jobs", type=positive, metavar="N", help="runs side by side (default: one per core)")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where results go (default: docs/studies; --quick: runs/studies-quick)"
    )
    parser.add_argument(
        "--pages", action="store_true", help="measure nothing: write the pages anew from the results there"
    )


def run(options: argparse.Namespace) -> int:
    """Run it; return the exit code."""
    arithmetic.pin()
    from chorus.studies.command import run as run_study

    return run_study(options)
