"""The `chorus` command, run for this process in a process of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from chorus.api.environments import search_path
from chorus.common.environments.own_modules import PATH
from chorus.common.errors import ChorusError
from chorus.common.process import program

STARTED = "CHORUS_STARTED_FROM_PYTHON"
"""Set in the processes that are started from here: a module that they import must not start another training."""


def environment() -> dict[str, str]:
    """The environment of a process that works for this one.

    Raises:
        ChorusError: this process itself was started so: a module that it imports asks for training.
    """
    if STARTED in os.environ:
        raise ChorusError(
            "training was asked for while a module was imported by a training's own processes; put the call under"
            " `if __name__ == '__main__':`"
        )
    return os.environ | {STARTED: str(os.getpid()), PATH: search_path()}


def answer(*arguments: object) -> str:
    """What a command prints, run in a process of its own.

    Raises:
        ChorusError: what the command complained of.
    """
    done = subprocess.run(
        program.command(*arguments),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().removeprefix(f"chorus {arguments[0]}: ")
        raise ChorusError(said or f"chorus {arguments[0]} ended with exit code {done.returncode}")
    return done.stdout


def folder(path: str | os.PathLike[str]) -> str:
    """A path as an argument: absolute, so that it is never taken for an option."""
    return str(Path(path).absolute())
