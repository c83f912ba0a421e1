"""`chorus bench`: how fast this machine is at what."""

from __future__ import annotations

import argparse
from pathlib import Path

from chorus.common.process import arithmetic

SUMMARY = "measure speed, each number beside its limit"
EXAMPLES = (
    ("One benchmark, roughly", "chorus bench ledger --quick"),
    ("Another arithmetic, as JSON", "chorus bench actor --quick --arithmetic native --json"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="learner, actor, wire, broadcast, ledger, train, memory, page, scale"
    )
    parser.add_argument("--quick", action="store_true", help="one minute in all instead of ten; less precise")
    parser.add_argument(
        "--arithmetic",
        choices=["portable", "native"],
        default="portable",
        help="of everything that is measured (%(default)s)",
    )
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print JSON instead of tables")
    shown.add_argument("--markdown", action="store_true", help="print tables in Markdown")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/bench.json"), metavar="FILE", help="write JSON here (%(default)s)"
    )


def run(options: argparse.Namespace) -> int:
    """Run it; return the exit code."""
    arithmetic.pin(arithmetic.suited(options.arithmetic, "spread"))  # what benchmarks play
    from chorus.benchmarks.suite import run as run_suite

    return run_suite(options)
