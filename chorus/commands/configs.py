"""`chorus configs`: the configurations that come with the package."""

from __future__ import annotations

import argparse
import textwrap

SUMMARY = "list the configurations that are included, for --config NAME"
EXAMPLES = (("Which configurations are included", "chorus configs"),)

WIDTH = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="print this one instead, to copy and change")


def run(options: argparse.Namespace) -> int:
    """List them, or print one; return the exit code."""
    from pathlib import Path

    from chorus.common.settings import shipped

    if options.name is not None:
        print(shipped.find(Path(options.name)).read_text(encoding="utf-8"), end="")
        return 0
    for config in shipped.every():
        print(f"{config.name}  {config.spec}")
        print(textwrap.fill(config.about, WIDTH, initial_indent="    ", subsequent_indent="    "))
    print("\n`chorus train --config NAME` trains by one; `chorus configs NAME` prints it.")
    return 0
