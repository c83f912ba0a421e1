"""`chorus track`: a run told to TensorBoard, MLflow, Weights & Biases, or Trackio."""

from __future__ import annotations

import argparse
from pathlib import Path

from chorus.common.process import arithmetic

SUMMARY = "tell a run to TensorBoard, MLflow, Weights & Biases, or Trackio, from its folder"
EXAMPLES = (("In TensorBoard: `tensorboard --logdir runs` shows it", "chorus track runs/mine --to tensorboard"),)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    parser.add_argument("dir", type=Path, metavar="RUN", help="run folder")
    parser.add_argument("--to", required=True, metavar="TRACKER", help="tensorboard, mlflow, wandb or trackio")
    parser.add_argument("--follow", action="store_true", help="go on while the run does")


def run(options: argparse.Namespace) -> int:
    """Run it; return the exit code."""
    arithmetic.pin()
    from chorus.trackers.follow import follow
    from chorus.trackers.tracker import tracker

    listener = tracker(options.to)
    try:
        print(f"{follow(options.dir, listener, options.follow)} updates told to {options.to}")
    finally:
        listener.close()
    return 0
