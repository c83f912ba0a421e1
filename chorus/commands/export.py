"""`chorus export`: exports a policy as one file."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "write a policy as one file that can act without Chorus"
EXAMPLES = (
    ("A policy as ONNX", "chorus export runs/mine"),
    ("As TorchScript, in a file of your choice", "chorus export runs/mine --format torchscript --out team.pt"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    parser.add_argument("dir", type=Path, metavar="RUN", help="run folder")
    parser.add_argument(
        "--format", choices=["onnx", "torchscript", "safetensors"], default="onnx", help="file format (%(default)s)"
    )
    parser.add_argument("--policy", metavar="NAME", help="which policy, if the run has several")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the file (default: RUN/export/POLICY.onnx)")


def run(options: argparse.Namespace) -> int:
    """Run it; return the exit code."""
    from chorus.api.export import export

    print(export(options.dir, options.format, policy=options.policy, out=options.out))
    return 0
