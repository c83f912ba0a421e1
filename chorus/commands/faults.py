"""How a fault ends a command: in a sentence on standard error, with an exit code for each kind.

Faults that Chorus foresees carry both themselves (`chorus/common/errors.py`); here the others get theirs.
"""

from __future__ import annotations

import errno
import logging
import sys
import traceback
from dataclasses import dataclass

from chorus.common.errors import ChorusError
from chorus.common.process.logs import printable

USAGE = 2
FILE = 8
NOT_INSTALLED = 9
OWN = 11
INTERRUPTED = 130

CODES = {
    0: "done; also a run that was stopped and can be resumed",
    1: "the answer is no: two runs differ, a replay differs from the record, an environment cannot be trained on",
    USAGE: "the command line is wrong",
    3: "a setting is unknown, not allowed, or different from the run's",
    4: "the environment cannot be created, or breaks the rules of the interface",
    5: "the run folder is in use, or holds another run or no run",
    6: "an address is malformed or in use, or nobody answers there; the learner refused this actor",
    7: "training cannot continue",
    FILE: "a file cannot be read or written",
    NOT_INSTALLED: "a package is not installed",
    10: "data fails its checks (digest, format, shape)",
    OWN: "a bug in Chorus",
    12: "another process of this learner is gone; started again, all continue",
    INTERRUPTED: "interrupted outside of training",
}
"""What each exit code means; docs/faults.md and `chorus --help` show it."""

FULL = (errno.ENOSPC, errno.EDQUOT)
"""What the system says of a disk that holds no more."""

_EXTRAS = {
    "learner": ("PIL", "cryptography", "grpc_reflection", "matplotlib", "psutil", "rich", "torch"),
    "environments": ("gymnasium", "mpe2", "pettingzoo"),
    "teams": ("lbforaging", "rware", "pymunk", "Box2D", "pygame"),
    "vmas": ("vmas",),
    "dev": ("grpc_tools", "hypothesis", "pytest"),
}


@dataclass(frozen=True)
class Ending:
    """How a command ends: the exit code, and the sentence."""

    code: int
    sentence: str


def explain(fault: BaseException) -> Ending | None:
    """How a fault ends a command; None for one that nobody foresaw."""
    if isinstance(fault, ChorusError):
        return Ending(fault.code, printable(str(fault)))
    if isinstance(fault, KeyboardInterrupt):
        return Ending(INTERRUPTED, "interrupted; what was saved before stands")
    if isinstance(fault, ModuleNotFoundError):
        return _not_installed(fault)
    if isinstance(fault, OSError):
        about = f": {fault.filename}" if fault.filename else ""
        remedy = "; make room there and give the same command again" if fault.errno in FULL else ""
        return Ending(FILE, printable(f"{fault.strerror or fault}{about}{remedy}"))
    return None


def end(command: str, fault: BaseException) -> int:
    """Say why the command ends; return the exit code."""
    ending = explain(fault)
    if ending is None:
        traceback.print_exception(fault)
        ending = Ending(
            OWN,
            f"this is a bug in Chorus ({type(fault).__name__}), not of what was asked; please report the lines"
            " above together with the command",
        )
    _say(command, ending.sentence)
    return ending.code


def _say(command: str, sentence: str) -> None:
    """In plain words, or as a line of the log where that is all that anybody reads."""
    if command in ("learner", "actor") and logging.getLogger().handlers and not sys.stderr.isatty():
        logging.getLogger("chorus").critical("ended by a fault", extra={"fault": sentence})
    else:
        print(f"chorus {command}: {sentence}", file=sys.stderr)


def _not_installed(fault: ModuleNotFoundError) -> Ending | None:
    package = (fault.name or "").partition(".")[0]
    for extra, packages in _EXTRAS.items():
        if package in packages:
            remedy = f"pip install 'chorus-marl[{extra}]'"
            return Ending(NOT_INSTALLED, f"this needs {package}, which is not installed; {remedy}")
    return None
