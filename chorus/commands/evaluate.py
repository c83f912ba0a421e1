"""`chorus evaluate`: what the policy of a run reaches."""

from __future__ import annotations

import argparse
from pathlib import Path

from chorus.commands.arguments import count, gif, mp4, positive
from chorus.common.process import arithmetic

SUMMARY = "play episodes with a run's policy and report the return"
EXAMPLES = (
    ("The mean return of 200 new episodes", "chorus evaluate runs/mine --episodes 200"),
    (
        "The most likely action at each step, and a film of one episode",
        "chorus evaluate runs/mine --greedy --gif film.gif",
    ),
    ("With sampled actions and with the likeliest ones", "chorus evaluate runs/mine --both"),
    ("For comparison: the weights that the run began with", "chorus evaluate runs/mine --untrained '*'"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    parser.add_argument("dir", type=Path, metavar="DIR", help="run folder")
    parser.add_argument("--episodes", type=positive, default=100, metavar="N", help="how many (%(default)s)")
    parser.add_argument("--seed", type=count, default=0, metavar="S", help="of these episodes (%(default)s)")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--greedy", action="store_true", help="take the likeliest action instead of a sample")
    way.add_argument(
        "--both", action="store_true", help="sampled actions, then the likeliest ones, in the same episodes"
    )
    parser.add_argument(
        "--untrained",
        metavar="AGENTS",
        help="glob pattern of agents that play by the weights that the run began with; '*' for all",
    )
    parser.add_argument(
        "--with",
        dest="rival",
        type=Path,
        metavar="RUN_B",
        help="cross-play: some agents play by the policy of another run of the same environment",
    )
    parser.add_argument("--agents", default="*", metavar="AGENTS", help="glob pattern of those agents ('*': all)")
    parser.add_argument("--jobs", type=positive, metavar="N", help="processes side by side (default: one per core)")
    parser.add_argument(
        "--trajectories", type=Path, metavar="FILE", help="also write all that was played: .npz, .parquet"
    )
    parser.add_argument("--gif", type=gif, metavar="FILE.gif", help="also film one episode")
    parser.add_argument("--mp4", type=mp4, metavar="FILE.mp4", help="also film it as a video (needs imageio-ffmpeg)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Run it; return the exit code."""
    arithmetic.pin()
    from chorus.evaluation.evaluate import evaluate

    return evaluate(options)
