"""`chorus train --profile`: one timeline of learner and actors, and a line that says what bounded the run."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chorus.common.monitoring import timeline
from chorus.common.errors import ChorusError

Event = dict[str, Any]

LEARNER = "learner"
OTHERS = "other programs"
SATURATED = 0.9
"""Share of the cores' time above which the processors themselves are what bounds a run."""
LEARNER_SPANS = ("gradient", "step", "intake", "checkpoint")


@dataclass(frozen=True)
class Finding:
    """What a run's time went into, between its first and its last update.

    Attributes:
        updates: in that time.
        seconds: of wall-clock time.
        shares: of all cores' time, by what it was used for; `idle` is what nobody used.
        actors_waiting: share of the actors' time in which they waited for tasks.
        learner_waiting: share of the gradient threads' time in which they waited for trajectories.
    """

    updates: int
    seconds: float
    shares: dict[str, float]
    actors_waiting: float
    learner_waiting: float

    @property
    def bound(self) -> str:
        """What bounded the run, in words."""
        used = {name: share for name, share in self.shares.items() if name not in ("idle", OTHERS)}
        if 1.0 - self.shares["idle"] >= SATURATED:
            shared = ", which other programs shared" if self.shares[OTHERS] > 1.0 - SATURATED else ""
            return f"the processors{shared}, most of all by {max(used, key=lambda name: used[name])}"
        if self.actors_waiting <= self.learner_waiting:
            slowest = max(("environment", "inference"), key=lambda name: used[name])
            return f"the actors ({slowest}): the learner waited for their trajectories"
        slowest = max(("gradient", "step"), key=lambda name: used[name])
        return f"the learner ({slowest}): the actors waited for tasks"

    def __str__(self) -> str:
        parts = sorted(self.shares.items(), key=lambda part: (part[0] == "idle", -part[1]))
        return (
            f"profile: {1e3 * self.seconds / max(self.updates, 1):.1f} ms an update; of the cores' time "
            + ", ".join(f"{name} {share:.0%}" for name, share in parts)
            + f"; actors waited {self.actors_waiting:.0%} of their time for tasks, gradient threads"
            f" {self.learner_waiting:.0%} of theirs for trajectories; bounded by {self.bound}"
        )


def begin(run: Path) -> None:
    """Record from now on, here and in every process started from here."""
    folder = run / "profile"
    for old in folder.glob("*.jsonl"):
        old.unlink()
    os.environ[timeline.FOLDER] = str(folder)
    timeline.start(LEARNER)


def end(run: Path, workers: int | None) -> None:
    """Write `profile.json` and say what bounded the run."""
    timeline.stop()
    events = merge(run / "profile", run / "profile.json")
    cores = len(os.sched_getaffinity(0))
    print(find(events, cores, workers or cores))
    print(f"timeline: {run / 'profile.json'} (open it at ui.perfetto.dev or chrome://tracing)")


def merge(folder: Path, to: Path) -> list[Event]:
    """Put the processes' timelines into one file that chrome://tracing and ui.perfetto.dev show; return the events."""
    events = [event for path in sorted(folder.glob("*.jsonl")) for event in _read(path)]
    numbers: dict[tuple[int, str], int] = {}
    shown: list[Event] = []
    for event in events:
        event = dict(event)
        if "tid" in event:
            track = event["pid"], event["tid"]
            if track not in numbers:
                numbers[track] = len(numbers) + 1
                about = {"ph": "M", "name": "thread_name", "pid": track[0], "args": {"name": track[1]}}
                shown.append(about | {"tid": numbers[track]})
            event["tid"] = numbers[track]
        shown.append(event)
    to.write_text(json.dumps({"traceEvents": shown, "displayTimeUnit": "ms"}), encoding="utf-8")
    return events


def _read(path: Path) -> Iterator[Event]:
    """A process that was killed may have left half a line."""
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def find(events: Sequence[Event], cores: int, workers: int) -> Finding:
    """What bounded the run.

    Raises:
        ChorusError: there were fewer than two updates.
    """
    names = {event["pid"]: event["args"]["name"] for event in events if event["name"] == "process_name"}
    ends = sorted(event["ts"] + event["dur"] for event in events if event["name"] == "step")
    if len(ends) < 2:
        raise ChorusError("a profile needs at least two updates; raise --updates")
    window = ends[0], ends[-1]
    length = window[1] - window[0]
    wall: dict[str, float] = defaultdict(float)
    used: dict[str, float] = defaultdict(float)
    for event in events:
        if event["ph"] != "X":
            continue
        inside = max(0.0, min(event["ts"] + event["dur"], window[1]) - max(event["ts"], window[0]))
        share = inside / max(event["dur"], 1e-9)
        wall[event["name"]] += inside
        computed = share * event.get("tdur", 0.0)
        if event["name"] == "play":
            environment, inference = (event["args"].get(part, 0.0) for part in ("environment", "inference"))
            of_environment = environment / max(environment + inference, 1e-9)
            used["environment"] += computed * of_environment
            used["inference"] += computed * (1.0 - of_environment)
        else:
            used[event["name"]] += computed
    of_learner, of_actors = (
        sum(_grown(events, pid, "seconds", window) for pid, name in names.items() if (name == LEARNER) is learner)
        for learner in (True, False)
    )
    actors = len({name for name in names.values() if name != LEARNER})
    known = {name: used[name] for name in (*LEARNER_SPANS, "environment", "inference", "encode")}
    rest_learner = of_learner - sum(known[name] for name in LEARNER_SPANS)
    rest_actors = of_actors - sum(known[name] for name in ("environment", "inference", "encode"))
    learner = next(pid for pid, name in names.items() if name == LEARNER)
    idle = min(_grown(events, learner, "idle", window), cores * length)
    parts = known | {
        "the learner's loop and messages": max(0.0, rest_learner),
        "the actors' messages": max(0.0, rest_actors),
        OTHERS: max(0.0, cores * length - of_learner - of_actors - idle),
        "idle": idle,
    }
    return Finding(
        updates=len(ends) - 1,
        seconds=length / 1e6,
        shares={name: microseconds / (cores * length) for name, microseconds in parts.items()},
        actors_waiting=min(1.0, wall["wait"] / max(actors * length, 1e-9)),
        learner_waiting=max(0.0, 1.0 - wall["gradient"] / (workers * length)),
    )


def _grown(events: Sequence[Event], pid: int, figure: str, window: tuple[float, float]) -> float:
    """Microseconds by which a process's figure grew in a window."""
    marks = [(event["ts"], 1e6 * event["args"][figure]) for event in events if _is_mark(event, pid)]
    times, values = zip(*marks, strict=True)
    begin, end = np.interp(window, times, values)
    return float(end - begin)


def _is_mark(event: Event, pid: int) -> bool:
    return bool(event["ph"] == "C" and event["name"] == "processor" and event["pid"] == pid)
