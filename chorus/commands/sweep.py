"""`chorus sweep`: many runs from one file, and their report."""

from __future__ import annotations

import argparse
from pathlib import Path

from chorus.commands.arguments import positive
from chorus.common.process import arithmetic

SUMMARY = "vary or search settings and repeat seeds: many runs from one file, then their report"
EXAMPLES = (
    ("Which runs it would be", "chorus sweep sweep.yaml --list"),
    ("All of them, as many at a time as cores allow", "chorus sweep sweep.yaml --out runs/sweep"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    parser.add_argument("file", type=Path, metavar="FILE", help="YAML: config, settings, vary or search, seeds, actors")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the sweep's folder (default: runs/NAME-OF-FILE)")
    parser.add_argument("--jobs", type=positive, metavar="N", help="runs side by side (default: as cores allow)")
    parser.add_argument("--no-films", action="store_true", help="leave the films out of the report")
    parser.add_argument("--list", action="store_true", help="only say which runs it is, by number")
    parser.add_argument(
        "--only", type=int, metavar="I", help="do run I alone, without a report: a task of a cluster's array"
    )


def run(options: argparse.Namespace) -> int:
    """Run it; return the exit code."""
    arithmetic.pin()
    from chorus.sweeps.sweep import Stopped, do_one, read_plan, sweep

    out = options.out or Path("runs") / options.file.stem
    if options.list:
        for number, trial in enumerate(read_plan(options.file).trials()):
            print(f"{number:4} {trial.name}")
        return 0
    if options.only is not None:
        print(f"run: {do_one(options.file, out, options.only)}")
        return 0
    try:
        print(f"report: {sweep(options.file, out, jobs=options.jobs, films=not options.no_films)}")
    except Stopped as stopped:
        print(stopped)
    return 0
