"""A user's own environment: `package.module:factory?key=value`.

The factory is called with the settings and returns one of

- a `chorus.common.environments.interface.Environment`, which steps K episodes at once itself;
- an environment with PettingZoo's parallel API (it need not inherit from PettingZoo), or its AEC API;
- a Gymnasium environment, for a team (tuples) or for one.

The module is looked for where Python looks, and then in the working directory, and then in the folders that the
variable CHORUS_ENV_PATH names (`chorus.train` called from Python names those of the caller).
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, cast

from chorus.common.environments.adapters.lockstep import Lockstep
from chorus.common.environments.adapters.pettingzoo import as_parallel
from chorus.common.environments.adapters.team import Team
from chorus.common.environments.address import Address, nearest
from chorus.common.environments.interface import Environment
from chorus.common.environments.own_modules import function, places
from chorus.common.environments.packages import missing, provenance
from chorus.common.errors import EnvironmentFault


def make(address: Address, render: bool) -> Environment:
    """Call the user's factory and fit what it returns."""
    factory, keys = _factory(address)

    def build(drawing: bool) -> Any:
        settings = dict(address.settings)
        if drawing and keys and "render_mode" in keys:
            settings.setdefault("render_mode", "rgb_array")
        try:
            return factory(**settings)
        except ImportError as error:
            raise missing(error, address.spec) from error

    first = build(render)
    if hasattr(getattr(first, "spec", None), "agents"):
        return cast("Environment", first)
    waiting = [first]

    def construct(drawing: bool) -> Any:
        return _fit(waiting.pop() if waiting else build(drawing), address.spec)

    return Lockstep(construct, name=address.spec, package=provenance(address.kind), max_steps=_longest, render=render)


def _factory(address: Address) -> tuple[Callable[..., Any], list[str] | None]:
    """The function that the address names, and the settings that it takes (None if any)."""
    where, wanted = f"environment {address.spec!r}", "a function or a class that makes an environment"
    found = function(_module(address), address.target, where, wanted, EnvironmentFault)
    parameters = inspect.signature(found).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return found, None
    keys = [p.name for p in parameters]
    address.allow(keys)
    return found, keys


def _module(address: Address) -> ModuleType:
    """The user's module, installed or in the working directory."""
    more = [place for place in places() if place not in sys.path]
    try:
        return importlib.import_module(address.kind)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{address.kind}.".startswith(f"{error.name}.") or not more:
            raise _unknown(address, error) from error
    except ImportError as error:
        raise missing(error, address.spec) from error
    sys.path += more
    try:
        return importlib.import_module(address.kind)
    except ImportError as error:
        raise _unknown(address, error) from error


def _unknown(address: Address, error: ImportError) -> EnvironmentFault:
    if error.name is None or not f"{address.kind}.".startswith(f"{error.name}."):
        return missing(error, address.spec)
    adapters = ("pettingzoo", "gymnasium", "gymnasium.vector", "vmas", "jaxmarl", "envpool", "overcooked")
    close = nearest(address.kind, adapters)
    hint = close if close.startswith("did you mean") else "an adapter's name is one of " + ", ".join(adapters)
    return EnvironmentFault(
        f"environment {address.spec!r}: there is no module {address.kind!r}, neither installed nor in {os.getcwd()}; "
        f"start where it lies, set PYTHONPATH, or install it; {hint}"
    )


def _fit(environment: Any, spec: str) -> Any:
    """The user's environment as `lockstep` reads it."""
    if hasattr(environment, "possible_agents"):
        return as_parallel(environment)
    if hasattr(environment, "action_space") and not callable(environment.action_space):
        return Team(environment, spec)
    raise EnvironmentFault(
        f"environment {spec!r}: the factory returned a {type(environment).__name__}, which is none of: a "
        "chorus.common.environments.interface.Environment, a PettingZoo environment (possible_agents), a Gymnasium "
        "environment (action_space); see docs/environments.md"
    )


def _longest(environment: Any) -> int | None:
    """What the environment promises by an attribute `max_steps`."""
    for holder in (environment, getattr(environment, "unwrapped", None)):
        limit = getattr(holder, "max_steps", None)
        if isinstance(limit, int) and not isinstance(limit, bool):
            return limit
    return None
