"""The page over HTTP: the document, the data that it asks for, and the run's films.

Whoever looks, the data are made once and sent as the same bytes, and every answer says when there will be new ones: so
that to make and send them takes no more than a two-hundredth of the processor time of the learner, however many look.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from chorus.common.errors import ChorusError
from chorus.common.monitoring.web import Answer
from chorus.common.page.document import document
from chorus.common.page.run_story import RunStory

LEAST_SECONDS = 3.0
"""Between one making of the data and the next."""
MOST_SECONDS = 10.0
"""What a learner has to say that hardly works is not kept for longer: it waits for actors, or for slow ones."""
STARVED_SECONDS = 60.0
"""But it may also get little of a machine that has more to do than it can: then so long, and never longer."""
TIMES_ITS_COST = 200.0
"""Making the data, and sending them to all who asked, may take one part in so many of the processor time."""
ANSWER_SECONDS = 0.0006
"""Processor time of an answer: nearly all of it goes into reading a browser's headers."""
SOON_SECONDS = 1.0
"""When to ask again at the earliest."""
AGAIN = "Chorus-Ask-Again"
"""Header of an answer: after so many seconds there will be new data."""

Live = Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class _Made:
    """The data as they are sent; what both clocks said when they were made, and how much time is to be spent before
    they are made again."""

    body: bytes
    tag: str
    at: float
    spent: float
    pause: float

    def left(self, now: float, spent: float) -> float:
        """Seconds until they are made again, at the speed at which processor time went by since they were made."""
        passed = now - self.at
        rate = max(spent - self.spent, 1e-9) / max(passed, 1e-9)
        overload = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
        return min(max(self.pause / rate, LEAST_SECONDS), MOST_SECONDS * overload, STARVED_SECONDS) - passed


class Site:
    """The pages of one run folder. Called from many threads at once."""

    def __init__(self, run: Path, live: Live | None = None) -> None:
        """Tell of the run in a folder; `live`, which is asked in the learner's own process, adds what only it knows."""
        self._story = RunStory(run)
        self._live = live
        # Beside a learner its time is what counts, however little of it the machine gives; elsewhere, the clock's.
        self._spent = time.monotonic if live is None else time.process_time
        self._lock = threading.Lock()
        self._made: _Made | None = None
        self._answers = 0
        self._page = document(f"{run.name}: Chorus")

    def __call__(self, path: str, unchanged: str) -> Answer | None:
        """What stands at a path, or nothing; `unchanged` is the tag of what the caller has already."""
        if path == "/":
            policy = {"Content-Security-Policy": f"{self._page.policy}; frame-ancestors 'none'"}
            return Answer(200, "text/html; charset=utf-8", self._page.html, policy)
        if path == "/data.json":
            made = self._data()
            self._answers += 1  # unlocked: a lost count is no harm
            again = max(SOON_SECONDS, self._left(made))
            headers = {"ETag": made.tag, "Cache-Control": "no-cache", AGAIN: f"{again:.1f}"}
            if unchanged == made.tag:
                return Answer(304, "application/json", b"", headers)
            return Answer(200, "application/json", made.body, headers | {"Content-Encoding": "gzip"})
        if path.startswith("/film/"):
            return self._film(path.removeprefix("/film/"))
        return None

    def _film(self, name: str) -> Answer | None:
        """Only what the folder itself lists: a name is never put together to a path."""
        for film in self._story.path.glob("*.gif"):
            if film.name == name:
                return Answer(200, "image/gif", film.read_bytes(), {"Cache-Control": "no-cache"})
        return None

    def _data(self) -> _Made:
        made = self._made
        if made is not None and self._left(made) > 0:
            return made
        with self._lock:  # whoever comes while they are made waits for them: to be told to ask again would cost more
            if self._made is None or self._left(self._made) <= 0:
                self._made = self._make()
            return self._made

    def _left(self, made: _Made) -> float:
        return made.left(time.monotonic(), self._spent())

    def _make(self) -> _Made:
        began = time.thread_time()
        try:
            story = self._story.tell(self._live() if self._live else None)
        except (ChorusError, OSError) as fault:
            story = {"name": self._story.path.name, "state": "unreadable", "problem": str(fault)}
        body = gzip.compress(msgspec.json.encode({"kind": "run", "run": story}), 1, mtime=0)
        cost = time.thread_time() - began + float(story.get("loop_seconds", 0.0))
        answers, self._answers = self._answers, 0
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        return _Made(body, tag, time.monotonic(), self._spent(), TIMES_ITS_COST * (cost + answers * ANSWER_SECONDS))
