"""`chorus replay`: one task of a run, played again."""

from __future__ import annotations

import argparse
from pathlib import Path

from chorus.commands.arguments import count, gif
from chorus.common.process import arithmetic

SUMMARY = "replay one task of a run, from its run folder alone"
EXAMPLES = (
    (
        "Play the first task of update 1 again, and film it",
        "chorus replay runs/mine --update 1 --task 0 --gif task.gif",
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    parser.add_argument("dir", type=Path, metavar="RUN", help="run folder")
    parser.add_argument("--update", type=count, required=True, metavar="U", help="the update that it belongs to")
    parser.add_argument("--task", type=count, required=True, metavar="J", help="its index in the batch")
    parser.add_argument("--gif", type=gif, metavar="FILE.gif", help="also write an animation of its first episode")


def run(options: argparse.Namespace) -> int:
    """Run it; return the exit code."""
    arithmetic.pin()
    from chorus.runs.replay import replay

    return replay(options)
