"""`chorus view`: the page of a run, served from its folder."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "serve the web page of a finished or running run from its folder"
EXAMPLES = (("A run that has ended, or whose learner is elsewhere", "chorus view runs/mine"),)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    parser.add_argument("dir", type=Path, metavar="RUN", help="run folder")
    parser.add_argument("--port", type=int, default=0, metavar="P", help="serve it here (default: any that is free)")
    parser.add_argument("--host", default="127.0.0.1", metavar="HOST", help="listen here (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """Run it; return the exit code."""
    from chorus.runs.view import view

    return view(options.dir, options.host, options.port)
