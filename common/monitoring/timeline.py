"""What a process does when: spans of work on the machine's monotonic clock, for `chorus train --profile`.

Every process writes a file of its own, an event a line, in the form of Chrome's traces; `chorus/runs/profile.py` puts
them together. Without the variable `CHORUS_PROFILE` nothing is recorded, and a span costs next to nothing.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")

FOLDER = "CHORUS_PROFILE"
"""The variable that names the folder where processes write their timelines; actors inherit it."""
EVENTS_HELD = 256

_timeline: _Timeline | None = None


class _Timeline:
    """The file of this process."""

    def __init__(self, folder: Path, process: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{process}-{os.getpid()}.jsonl"
        self._held: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self.add({"ph": "M", "name": "process_name", "args": {"name": process}})
        self.flush()

    def add(self, event: dict[str, Any]) -> None:
        with self._lock:
            self._held.append(event)
        if len(self._held) >= EVENTS_HELD:
            self.flush()

    def flush(self) -> None:
        """Write what is held, with the processor time that the whole process has used so far, and the idle time of the
        machine's processors."""
        numbers = {"seconds": time.process_time(), "idle": _idle_seconds()}
        used = {"ph": "C", "name": "processor", "ts": _now(), "args": numbers}
        with self._lock:
            held, self._held = [*self._held, used], []
            with self._path.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(event | {"pid": os.getpid()}) + "\n" for event in held)


def start(process: str) -> None:
    """Record from now on under this name, if `CHORUS_PROFILE` says where to."""
    global _timeline
    folder = os.environ.get(FOLDER)
    if folder:
        _timeline = _Timeline(Path(folder), process)


def stop() -> None:
    """Write out what is left."""
    global _timeline
    if _timeline is not None:
        _timeline.flush()
        _timeline = None


class span:
    """A stretch of work, as a context: its name, when it began, how long it took, and how much of that it computed."""

    __slots__ = ("_about", "_began", "_name", "_track", "_used")

    def __init__(self, name: str, track: str | None = None) -> None:
        """`track` names a line of its own for work that no single thread does; else it is the thread's."""
        self._name = name
        self._track = track
        self._about: dict[str, float] = {}

    def __enter__(self) -> span:
        if _timeline is not None:
            self._began, self._used = _now(), time.thread_time_ns()
        return self

    def note(self, **about: float) -> None:
        """Add numbers that a person sees on the span."""
        self._about |= about

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        timeline = _timeline
        if timeline is None or not hasattr(self, "_began"):
            return
        event = {"ph": "X", "name": self._name, "ts": self._began, "dur": _now() - self._began, "args": self._about}
        if self._track is None:
            event["tdur"] = (time.thread_time_ns() - self._used) / 1e3
        event["tid"] = self._track or threading.current_thread().name
        timeline.add(event)


def spanned(name: str, function: Callable[..., T]) -> Callable[..., T]:
    """The function, each call of it a span."""

    def call(*arguments: Any) -> T:
        with span(name):
            return function(*arguments)

    return call if _timeline is not None else function


def _idle_seconds() -> float:
    """How long the machine's processors have had nothing to do, added up; 0 where nobody says."""
    try:
        fields = Path("/proc/stat").read_text(encoding="ascii").split(maxsplit=6)
    except OSError:
        return 0.0
    return (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK")


def _now() -> float:
    """Microseconds on CLOCK_MONOTONIC, which all processes of a machine share."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) / 1e3
