"""An exception of a user's own code in one line: its type and message, and the line of that code which raised it."""

from __future__ import annotations

import traceback
from pathlib import Path

OWN = Path(__file__).resolve().parents[2]


def one_line(fault: BaseException) -> str:
    """`ValueError: no wind (herd.py, line 12)`: the last line outside Chorus that the exception came through."""
    what = f"{type(fault).__name__}: {fault}" if str(fault) else type(fault).__name__
    if isinstance(fault, SyntaxError):
        what = f"{type(fault).__name__}: {fault.msg}"
        return f"{what} ({_name(fault.filename)}, line {fault.lineno})" if fault.filename else what
    frames = [frame for frame in traceback.extract_tb(fault.__traceback__) if not _is_own(frame.filename)]
    frames = [frame for frame in frames if not frame.filename.startswith("<")]
    return f"{what} ({_name(frames[-1].filename)}, line {frames[-1].lineno})" if frames else what


def _is_own(filename: str) -> bool:
    return OWN in Path(filename).resolve().parents


def _name(filename: str | None) -> str:
    """A file of the working folder by its way from there, any other by its last two parts."""
    path = Path(filename or "")
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else "/".join(path.parts[-2:])
