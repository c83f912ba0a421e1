"""How Chorus starts itself as a program of its own: never a fork of the process that starts it."""

from __future__ import annotations

import os
import sys

PLACES = "CHORUS_PLACES"
"""The variable in which a process is told where its starter looks for modules."""


def module_command(module: str, *arguments: object) -> list[str]:
    """The command that runs a module of Chorus by this interpreter.

    `-P` keeps the working folder off the import path: a file `yaml.py` that lies there is nobody's dependency. Where a
    run names an environment of the user's own, its adapter appends the working folder, as the last place to look.
    """
    return [sys.executable, "-P", "-m", module, *map(str, arguments)]


def command(*arguments: object) -> list[str]:
    """The `chorus` command with these arguments."""
    return module_command("chorus", *arguments)


def surroundings(**variables: str) -> dict[str, str]:
    """The environment of a program of Chorus that is to find the modules that this process finds (`look_there_too`).

    Not by PYTHONPATH: its places come before all others, so that a file in the working folder would stand in for an
    installed package, and every interpreter that a simulator starts would be shown the libraries of this one.
    """
    return os.environ | variables | {PLACES: os.pathsep.join(place for place in sys.path if place)}


def look_there_too() -> None:
    """Have this process look for modules where its starter does, after it has looked where it does by itself."""
    places = filter(None, os.environ.pop(PLACES, "").split(os.pathsep))
    sys.path.extend(place for place in places if place not in sys.path)
