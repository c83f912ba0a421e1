"""Logs: one line an event, JSON when nobody is looking, with whatever the event carries as `extra`."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import TextIO


def printable(text: str) -> str:
    """A text from elsewhere as it may be shown: lines stay lines, whatever else could steer a terminal is escaped."""
    return "".join(letter if letter in "\n\t" or letter.isprintable() else repr(letter)[1:-1] for letter in text)


_OWN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_context: dict[str, str] = {}


def bind(**context: str) -> None:
    """Put these (run id, actor id) on every line from now on."""
    _context.update(context)


def start(to: TextIO | None = None, level: str = "INFO") -> None:
    """Send this process's log to a file, else to standard error."""
    stream = to or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Plain() if stream.isatty() else _Json())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {**_context, **{key: value for key, value in vars(record).items() if key not in _OWN}}


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        event = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            event["traceback"] = self.formatException(record.exc_info)
        return json.dumps(event, default=str)


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{key}={value!r}" for key, value in _fields(record).items())
        line = f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {record.levelname.lower():7} "
        line += f"{record.getMessage()!r}"[1:-1] + (f"  {fields}" if fields else "")
        return line + (f"\n{self.formatException(record.exc_info)}" if record.exc_info else "")
