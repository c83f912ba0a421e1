"""Chorus beside other trainers, in turns: rates, and the time to a return of -57; tables go into docs/benchmarks.md.

    python -m chorus.benchmarks.peers --rounds 5
    python -m chorus.benchmarks.peers --only jaxmarl_ippo --rounds 3 --races 0

Each peer is installed into an environment of its own (gigabytes, minutes, once). Answers are appended to `--out` as
they come. The tables hold all that stands there of the same --seconds and --limit, so that rounds can be measured in
several calls, and `--rounds 0 --races 0` writes the tables alone.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chorus.benchmarks.machine import describe
from chorus.benchmarks.peers import table
from chorus.benchmarks.peers.contest import PEERS, Entry, entries, order, pairs, races
from chorus.benchmarks.peers.surroundings import Unavailable, default_cache
from chorus.benchmarks.peers.turns import take


def main() -> int:
    """Measure, keep, write."""
    names = [peer.peer for peer in PEERS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="PEER", help=", ".join(names))
    parser.add_argument("--rounds", type=int, default=5, help="turns of each rate (%(default)s)")
    parser.add_argument("--races", type=int, default=1, help="turns of each time to the goal and seed (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="that a turn measures (%(default)s)")
    parser.add_argument("--limit", type=float, default=180.0, help="seconds until a goal is given up (%(default)s)")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="for environments (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/peers.jsonl"), help="answers (%(default)s)")
    parser.add_argument("--page", type=Path, default=Path("docs/benchmarks.md"), help="for tables (%(default)s)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that a turn ends its processes
    options.out.parent.mkdir(parents=True, exist_ok=True)
    rated, raced = pairs(options.only, options.seconds), races(options.only, options.limit)
    for contest, rounds in ((rated, options.rounds), (raced, options.races)):
        for turn in range(rounds):
            measure(order(contest, turn), options)
    write(options, pairs(names, options.seconds), races(names, options.limit))
    return 0


def measure(queue: Iterable[Entry], options: argparse.Namespace) -> None:
    """A round; a peer that does not install or run is left alone after it has said why."""
    failed: set[str] = set()
    for entry in queue:
        runner = entry.runner
        if runner.peer in failed:
            continue
        try:
            answer = take(entry, options.cache)
        except Unavailable as fault:
            failed.add(runner.peer)
            answer = {"failed": str(fault)}
        answer["at"] = time.time()
        print(
            f"{runner.name} {runner.environment} {' '.join(entry.work.words())}: {answer}", file=sys.stderr, flush=True
        )
        with options.out.open("a") as file:
            file.write(json.dumps({"entry": key(entry), "answer": answer}) + "\n")


def key(entry: Entry) -> dict[str, Any]:
    """An entry as JSON has it."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(entry)))
    return plain


def write(options: argparse.Namespace, rated: list[Any], raced: list[Any]) -> None:
    """Tables of all that was measured so far."""
    known = entries([*rated, *raced])
    found: dict[Entry, list[dict[str, Any]]] = {}
    failures: dict[str, str] = {}
    for line in options.out.read_text().splitlines():
        kept = json.loads(line)
        for entry in known:
            if key(entry) == kept["entry"]:
                if "failed" in kept["answer"]:
                    failures[entry.runner.name] = kept["answer"]["failed"]
                else:
                    found.setdefault(entry, []).append(kept["answer"])
                    failures.pop(entry.runner.name, None)
    machine = describe()
    heading = (
        f"Measured by `python -m chorus.benchmarks.peers` on {machine['date']}, on {machine['cores']} cores of"
        f" {machine['processor']}; load of the machine at the end: {machine['load_before']}."
    )
    content = table.text([table.rates(rated, found), table.times(raced, found)], failures, heading)
    table.put(options.page, content)
    print(content)


if __name__ == "__main__":
    raise SystemExit(main())
