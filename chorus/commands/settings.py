"""`chorus settings`: every setting with its type, its default and what it means."""

from __future__ import annotations

import argparse

SUMMARY = "list every setting with type, default and meaning"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""


def run(options: argparse.Namespace) -> int:
    """List them; return the exit code."""
    return 0
