"""Errors raised by an environment's own code, reported as the environment's, with only its own stack frames."""

from __future__ import annotations

import signal
import traceback
from pathlib import Path
from types import FrameType

from chorus.common.environments.error_location import one_line
from chorus.common.errors import ChorusError, EnvironmentFault

_OURS = str(Path(__file__).parents[2])
_MACHINERY = ("<frozen importlib", "<frozen runpy")


def blame(error: BaseException, where: str) -> BaseException:
    """What to raise in place of `error`, which an environment's own code raised at `where`.

    An ordinary exception stays what it is, with a note. What would end the process unnoticed (`SystemExit`, a
    `KeyboardInterrupt` that no keyboard sent, any other `BaseException`) becomes an `EnvironmentFault`: no environment
    decides when a process of Chorus ends.
    """
    if isinstance(error, EnvironmentFault) or _from_keyboard(error):
        return error
    if isinstance(error, Exception):
        error.add_note(f"raised by {where}")
        return error
    fault = EnvironmentFault(
        f"{where}: it raised {_named(error)}, which would end the process; raise an ordinary exception, or end the "
        "episode by `terminated`"
    )
    fault.__cause__ = error
    return fault


def made_badly(error: BaseException, spec: str) -> BaseException:
    """What to raise where making an environment, or trying it for the first time, raised `error`."""
    if isinstance(error, ChorusError) or _from_keyboard(error):
        return error
    fault = EnvironmentFault(
        f"environment {spec!r} cannot be made: {one_line(error)}; mend what that line says, or the settings in"
        " the spec string"
    )
    fault.__cause__ = error
    return fault


def frames(error: BaseException) -> str:
    """The traceback of an exception and of what caused it, without the frames of Chorus itself."""
    told = traceback.TracebackException.from_exception(error)
    part: traceback.TracebackException | None = told
    while part is not None:
        part.stack[:] = [frame for frame in part.stack if not _is_ours(frame.filename)]
        part = part.__cause__ or part.__context__
    return "".join(told.format()).rstrip()


def stack(frame: FrameType) -> str:
    """Where a thread's code is, without the frames of Chorus itself, unless there are no others."""
    whole = traceback.extract_stack(frame)
    foreign = [entry for entry in whole if not _is_ours(entry.filename)]
    return "".join(traceback.format_list(foreign or list(whole)))


def _is_ours(file: str) -> bool:
    return file.startswith((_OURS, *_MACHINERY))


def _named(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _from_keyboard(error: BaseException) -> bool:
    """Whether a person may have pressed Ctrl-C: not where Chorus takes care of that key itself."""
    if type(error) is not KeyboardInterrupt:
        return isinstance(error, KeyboardInterrupt)  # a kind of it that Chorus's own handler raises
    return signal.getsignal(signal.SIGINT) is signal.default_int_handler
