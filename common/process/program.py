"""How Chorus starts itself as a program of its own: never a fork of the process that starts it."""

from __future__ import annotations

import sys


def module_command(module: str, *arguments: object) -> list[str]:
    """The command that runs a module of Chorus by this interpreter.

    `-P` keeps the working folder off the import path: a file `yaml.py` that lies there is nobody's dependency. Where a
    run names an environment of the user's own, its adapter appends the working folder, as the last place to look.
    """
    return [sys.executable, "-P", "-m", module, *map(str, arguments)]


def command(*arguments: object) -> list[str]:
    """The `chorus` command with these arguments."""
    return module_command("chorus", *arguments)
