"""`chorus study NAME`: do it, and write its results, picture and page; then the page that answers the question."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chorus.studies import answer, page
from chorus.studies.answer import STUDIES
from chorus.studies.crew import Crew, Job
from chorus.studies.run import Json


def run(options: argparse.Namespace) -> int:
    """Do one study, or all."""
    jobs = options.jobs or len(os.sched_getaffinity(0))
    out: Path = options.out or (Path("runs/studies-quick") if options.quick else Path("docs/studies"))
    out.mkdir(parents=True, exist_ok=True)
    if not options.pages:
        for name in STUDIES if options.name == "all" else [options.name]:
            results = measure(name, jobs, options.quick)
            (out / f"{name}.json").write_text(json.dumps(results) + "\n")
            print(f"{name}: {results['wall_seconds']:.0f} s on {jobs} cores")
    for name, study in STUDIES.items():
        if (out / f"{name}.json").exists():
            print(page.write(name, study, json.loads((out / f"{name}.json").read_text()), out))
    print(answer.write(out))
    return 0


def measure(name: str, workers: int, quick: bool = False) -> Json:
    """Do a study with so many workers; returns what is kept of it."""
    began = time.monotonic()
    with Crew(workers) as crew:
        progress = _Progress(name)

        def work(jobs: Sequence[Job]) -> list[Any]:
            progress.begin(len(jobs))
            return crew.do(jobs, progress.done)

        results = STUDIES[name].measure(work, quick)
    return {
        "study": name,
        "quick": quick,
        "date": datetime.date.today().isoformat(),
        "cores": workers,
        "wall_seconds": round(time.monotonic() - began, 1),
        **results,
    }


class _Progress:
    """A line on standard error that says how far it is, if anybody is looking."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._stage = self._done = self._count = 0

    def begin(self, count: int) -> None:
        self._stage, self._done, self._count = self._stage + 1, 0, count
        self._show()

    def done(self) -> None:
        self._done += 1
        self._show()

    def _show(self) -> None:
        if sys.stderr.isatty():
            end = "\n" if self._done == self._count else ""
            print(f"\r{self._name}: stage {self._stage}, {self._done} of {self._count} runs ", end=end, file=sys.stderr)
