"""Redirects what environments print, apart from the log and from the output of Chorus itself.

Simulators print, from Python and from C, to both outputs. A log of JSON lines must stay one, and so must `--json`.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TextIO

log = logging.getLogger("chorus")


def keep_apart() -> TextIO:
    """From now on all that is printed goes to standard output, whoever prints it and however; return what standard
    error was, for the log alone. An exception that ends the process is an event of the log then."""
    private = os.fdopen(os.dup(2), "w", buffering=1)
    sys.stderr.flush()
    os.dup2(1, 2)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    sys.excepthook = _log_crash
    return private


def _log_crash(kind: type[BaseException], fault: BaseException, at: TracebackType | None) -> None:
    log.critical("crashed", extra={"fault": f"{kind.__name__}: {fault}"}, exc_info=(kind, fault, at))


@contextmanager
def to_standard_error() -> Iterator[None]:
    """While the block lasts, what is printed goes to standard error: standard output is for the answer alone."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
