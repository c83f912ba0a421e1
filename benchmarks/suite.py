"""Which benchmarks there are, and how `chorus bench` runs and shows them."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from chorus.benchmarks.machine import describe
from chorus.benchmarks.measurement import Effort
from chorus.benchmarks.report import Row, Table
from chorus.common.errors import ChorusError
from chorus.common.process.allocator import keep_freed_memory

NAMES = ("learner", "actor", "wire", "broadcast", "ledger", "train", "memory", "page", "scale")
Results = dict[str, list[Table]]
INTRODUCTION = """\
# Benchmarks

This page is the output of `{command}`, which measures all of it anew.

Every figure stands beside a limit that was measured in the same run, and what counts is their ratio: a busy machine
slows both. Figures are medians of repetitions. Work of one thread that never waits is timed by that thread's processor
time, whatever waits by the wall clock; nothing that belongs to the thing measured is left out of the clock.
`benchmarks/` holds the code, a file for each section; [scaling.md](scaling.md) draws conclusions from the last one.
"""


def run(options: argparse.Namespace) -> int:
    """`chorus bench`."""
    style = "json" if options.json else "markdown" if options.markdown else "text"
    return bench(options.names, Effort.QUICK if options.quick else Effort.WHOLE, style, options.out)


def bench(names: Sequence[str], effort: Effort, style: str, out: Path) -> int:
    """Run benchmarks, print what they found as `text`, `markdown` or `json`, and write the JSON to a file.

    Raises:
        ChorusError: there is no benchmark of such a name.
    """
    for name in names:
        if name not in NAMES:
            raise ChorusError(f"there is no benchmark {name!r}; there are {', '.join(NAMES)}")
    torch.set_num_threads(1)
    keep_freed_memory()
    machine, results = describe(), dict[str, list[Table]]()
    began = time.monotonic()
    for name in names or NAMES:
        print(f"measuring {name}", file=sys.stderr, flush=True)
        results[name] = measure(name, effort)
        if style == "text":
            print("\n\n".join([f"== {name}", *(table.text() for table in results[name])]), end="\n\n", flush=True)
    machine["seconds"] = round(time.monotonic() - began, 1)
    data = json.dumps(plain(machine, results), indent=1)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(data + "\n", encoding="utf-8")
    if style == "json":
        print(data)
    elif style == "markdown":
        print("\n".join(markdown(machine, results, effort)))
    else:
        print(f"{machine['seconds']} s on {machine['cores']} cores; JSON in {out}")
    return 0


def measure(name: str, effort: Effort) -> list[Table]:
    """Run one benchmark."""
    tables: list[Table] = importlib.import_module(f"chorus.benchmarks.{name}").measure(effort)
    return tables


def plain(machine: Row, results: Results) -> dict[str, object]:
    """Everything, for JSON."""
    benchmarks = {name: [table.plain() for table in tables] for name, tables in results.items()}
    return {"machine": machine, "benchmarks": benchmarks}


def markdown(machine: Row, results: Results, effort: Effort) -> Iterator[str]:
    """The document `docs/benchmarks.md`, line by line."""
    options = " --quick" * (effort is Effort.QUICK) + " --arithmetic native" * (machine["arithmetic"] == "native")
    yield INTRODUCTION.format(command=f"chorus bench{options} --markdown")
    yield (
        f"Measured on {machine['date']}: {machine['cores']} cores of {machine['processor']},"
        f" {machine['memory_gib']} GiB, Python {machine['python']}, NumPy {machine['numpy']}, torch {machine['torch']},"
        f" {machine['arithmetic']} arithmetic; load of other programs before it began: {machine['load_before']}."
        f" It took {machine['seconds']} s."
    )
    for name, tables in results.items():
        yield f"\n## {name}"
        for table in tables:
            yield f"\n{table.markdown()}"
