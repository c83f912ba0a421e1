"""Functions of a user's own modules, named `package.module:function`: where they lie, and which one is meant."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

from chorus.common.environments.address import nearest
from chorus.common.errors import ChorusError

PATH = "CHORUS_ENV_PATH"
"""The variable that names more folders of the user's own modules; they come last on the path."""


def places() -> list[str]:
    """The folders where a user's modules lie beside the installed ones: the working directory, then those of PATH."""
    return [place for place in dict.fromkeys([os.getcwd(), *os.environ.get(PATH, "").split(os.pathsep)]) if place]


def function(module: ModuleType, name: str, where: str, wanted: str, fault: type[ChorusError]) -> Callable[..., Any]:
    """What a dotted name means in a module.

    Args:
        module: imported already.
        name: `function`, or `Holder.function`.
        where: begins the message of a fault.
        wanted: what should have been named, for that message.
        fault: the kind of error to raise.

    Raises:
        fault: there is no such attribute, or it cannot be called.
    """
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            names = [known for known in vars(found) if callable(getattr(found, known)) and not known.startswith("_")]
            raise fault(f"{where}: {module.__name__} has no {name!r}; {nearest(part, names)}")
        found = getattr(found, part)
    if not callable(found):
        raise fault(f"{where}: {name!r} is a {type(found).__name__}; name {wanted}")
    chosen: Callable[..., Any] = found
    return chosen
