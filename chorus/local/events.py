"""What `chorus train --json` tells: a line of JSON for every event, for programs that start it.

{"event": "start", "run": "1a2b3c4d", "out": "/…/runs/x", "update": 0, "updates": 400}
{"event": "warning", "text": "…"}
{"event": "update", "update": 1, "actors": 2, "metrics": {"mixed_return": -31.2, …}}    null where a cell is empty
{"event": "fault", "kind": "ConfigError", "text": "…"}                                  then exit code 1
{"event": "end", "complete": true}
"""

from __future__ import annotations

import json
import os
import sys
from math import isfinite
from pathlib import Path
from typing import Any

from chorus.learner.bookkeeper import Progress
from chorus.learner.process import Serving


class Events:
    """Writes events to what was standard output; whatever else prints there goes to standard error from now on."""

    def __init__(self) -> None:
        """Take standard output over."""
        sys.stdout.flush()
        self._file = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def started(self, serving: Serving, out: Path) -> None:
        """The learner listens."""
        updates = serving.config.updates
        self.tell("start", run=serving.run, out=str(out.absolute()), update=serving.resumed_at, updates=updates)

    def update(self, progress: Progress) -> None:
        """An update is done."""
        metrics = {name: _number(value) for name, value in progress.row.items()}
        self.tell("update", update=progress.report.version, actors=progress.actors, metrics=metrics)

    def note(self, what: str) -> None:
        """Something that a person should know now."""
        self.tell("note", text=what)

    def stopping(self) -> None:
        """The end is told when it has come."""

    def tell(self, event: str, **fields: Any) -> None:
        """Write one event."""
        self._file.write(json.dumps({"event": event, **fields}, allow_nan=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Nothing is shown, so nothing has to be taken away."""


def _number(value: Any) -> float | int | None:
    return value if isinstance(value, (int, float)) and isfinite(value) else None
