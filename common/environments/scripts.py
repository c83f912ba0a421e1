"""Programs that play for opponents: `opponents: {agent_1: scripted:package.module:factory}`.

The factory is called with the agent's `AgentSpec` at the beginning of each of its lives, and returns what acts in it,

    act(observation, mask, rng) -> choice, or one number per component

of the observation in its own shape (float32, or uint8 where observations are bytes), the mask of allowed choices (bool,
None where the environment has none) and a `numpy.random.Generator` of this episode and agent. So what `act` remembers
is of one life, and what it draws follows from the task. Beside these two it must depend on nothing.

The module is looked for where Python looks, then in the working directory, then in the folders of CHORUS_ENV_PATH.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from collections.abc import Callable
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import numpy as np

from chorus.common.environments.interface import AgentSpec, BoolArray, ObservationArray
from chorus.common.environments.own_modules import function, places
from chorus.common.errors import ConfigError

Act = Callable[[ObservationArray, BoolArray | None, np.random.Generator], Any]
"""From an observation, what is allowed, and a generator to an action."""
Factory = Callable[[AgentSpec], Act]


@cache
def load(script: str) -> Factory:
    """The factory that `module:factory` names.

    Raises:
        ConfigError: there is no such module, or it has no such function, or it cannot be imported.
    """
    module, _, name = script.partition(":")
    _source(module, script)
    sys.path += [place for place in places() if place not in sys.path]
    try:
        found = importlib.import_module(module)
    except Exception as fault:
        raise ConfigError(
            f"opponents: scripted:{script}: its import failed: {type(fault).__name__}: {fault}"
        ) from fault
    return function(found, name, f"opponents: scripted:{script}", "a function", ConfigError)


def provenance(script: str) -> str:
    """The digest of the module's file, which is not imported for this.

    Raises:
        ConfigError: there is no such module.
    """
    return f"sha256:{hashlib.sha256(_source(script.partition(':')[0], script).read_bytes()).hexdigest()}"


def _source(module: str, script: str) -> Path:
    """The file of a module, found without importing anything."""
    path: list[str] | None = [*sys.path, *places()]
    origin: str | None = None
    parts = module.split(".")
    for place in range(len(parts)):
        found = PathFinder.find_spec(".".join(parts[: place + 1]), path)
        if found is None:
            raise ConfigError(
                f"opponents: scripted:{script}: there is no module {module!r}, neither installed nor in {os.getcwd()};"
                " start where it lies, set PYTHONPATH, or install it"
            )
        origin, path = found.origin, list(found.submodule_search_locations or [])
    if origin is None or not Path(origin).is_file():
        raise ConfigError(f"opponents: scripted:{script}: {module!r} has no file; name the module that has the factory")
    return Path(origin)
