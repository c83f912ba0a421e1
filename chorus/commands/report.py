"""`chorus report`: runs frozen into one HTML file to show to others."""

from __future__ import annotations

import argparse
from pathlib import Path

from chorus.common.process import arithmetic

SUMMARY = "freeze one run, or several side by side, into one HTML file"
EXAMPLES = (
    ("One run, with films of the trained and the untrained team", "chorus report runs/mine --out first.html"),
    ("Two side by side", "chorus report runs/mine runs/again --out comparison.html --no-films"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run folder, or a folder of runs")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the HTML file")
    parser.add_argument("--title", default="", metavar="TEXT", help="of the page (default: made of the runs)")
    parser.add_argument("--no-films", action="store_true", help="leave out the films of the trained and untrained team")


def run(options: argparse.Namespace) -> int:
    """Run it; return the exit code."""
    arithmetic.pin()
    from chorus.runs.report import report

    written = report(options.runs, options.out, options.title, films=not options.no_films)
    print(f"report: {written}")
    return 0
