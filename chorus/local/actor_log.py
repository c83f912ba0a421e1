"""The last log lines of a run's actors, read from the log that they share: why one ended."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any

from chorus.common.process.exiting import LEFT_BEHIND

TOLD = ("fault", "why", "details", "finding", "what", "error", "stack")
"""The fields of an event that say what happened, the most telling first."""
LOGGERS = ("chorus.actor", "chorus")
"""Of an actor's own process: its learner and its launcher speak of it too."""
LEVELS = ("warning", "error", "critical")
LAST_LINES = 12


class ActorLog:
    """`log.jsonl` of a run, and `prints.log` beside it, which holds what is no event."""

    def __init__(self, log: Path | None, prints: Path | None) -> None:
        """Read these files when asked; None for a log that goes elsewhere."""
        self._log = log
        self._prints = prints

    def mark(self) -> tuple[int, int]:
        """Where the files end now."""
        return _size(self._log), _size(self._prints)

    def left_behind(self, since: tuple[int, int]) -> list[str]:
        """What processes of this run found running when they were to end, each thing once."""
        events = map(_event, _tail(self._log, since[0]))
        return list(dict.fromkeys(str(event["what"]) for event in events if event.get("event") == LEFT_BEHIND))

    def last_words(self, actor: str, since: tuple[int, int] = (0, 0), progress: bool = False) -> str:
        """The last complaint of an actor since a mark, else what was printed last; empty if there is neither.

        `progress` asks for the last thing at all that says what it is doing.
        """
        for line in reversed(_tail(self._log, since[0])):
            event = _event(line)
            if event.get("actor") != actor or event.get("logger") not in LOGGERS:
                continue
            if event.get("level") in LEVELS or (progress and event.get("event") == "environment"):
                return _say(event)
        if progress:
            return ""
        printed = [line for line, _ in groupby(_tail(self._prints, since[1]))][-LAST_LINES:]
        return "\n".join(["nothing; printed last of all:", *printed]) if printed else ""


def _say(event: dict[str, Any]) -> str:
    for field in TOLD:
        if event.get(field):
            return str(event[field]) if field == "fault" else f"{event['event']}: {event[field]}"
    return str(event["event"])


def _event(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:  # the log is shared with whatever else was told to write there
        return {}
    return event if isinstance(event, dict) else {}


def _size(path: Path | None) -> int:
    return path.stat().st_size if path is not None and path.exists() else 0


def _tail(path: Path | None, since: int) -> list[str]:
    if path is None or not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(since)
        return file.read().decode(errors="replace").splitlines()
