"""The page over HTTP: the document, the data that it asks for, and the run's films.

Whoever looks, and however many, the data are made once and sent as the same bytes; and never so often that making them
would take more than a two-hundredth of the time. The learner's own work comes first.
"""

from __future__ import annotations

import gzip
import hashlib
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
TIMES_ITS_COST = 200.0
"""Making the data may take one part in so many of the time."""

Live = Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class _Made:
    body: bytes
    tag: str
    stale: float


class Site:
    """The pages of one run folder. Called from many threads at once."""

    def __init__(self, run: Path, live: Live = dict) -> None:
        """Tell of the run in a folder; `live` adds what only its learner knows."""
        self._story = RunStory(run)
        self._live = live
        self._lock = threading.Lock()
        self._made: _Made | None = None
        self._page = document(f"{run.name}: Chorus")

    def __call__(self, path: str, unchanged: str) -> Answer | None:
        """What stands at a path, or nothing; `unchanged` is the tag of what the caller has already."""
        if path == "/":
            policy = {"Content-Security-Policy": f"{self._page.policy}; frame-ancestors 'none'"}
            return Answer(200, "text/html; charset=utf-8", self._page.html, policy)
        if path == "/data.json":
            made = self._data()
            headers = {"ETag": made.tag, "Cache-Control": "no-cache"}
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
        now = time.monotonic()
        if made is not None and now < made.stale:
            return made
        if made is not None and not self._lock.acquire(blocking=False):
            return made  # somebody makes it anew just now; what there is will do
        if made is None:
            self._lock.acquire()
        try:
            if self._made is None or time.monotonic() >= self._made.stale:
                self._made = self._make()
            return self._made
        finally:
            self._lock.release()

    def _make(self) -> _Made:
        began = time.thread_time()
        try:
            story = self._story.tell(self._live())
        except (ChorusError, OSError) as fault:
            story = {"name": self._story.path.name, "state": "unreadable", "problem": str(fault)}
        body = gzip.compress(msgspec.json.encode({"kind": "run", "run": story}), 1, mtime=0)
        cost = time.thread_time() - began + float(story.get("loop_seconds", 0.0))
        wait = max(LEAST_SECONDS, TIMES_ITS_COST * cost)
        return _Made(body, f'"{hashlib.sha256(body).hexdigest()[:16]}"', time.monotonic() + wait)
