"""Names for environments of the user's own, for `chorus.train(env="name?key=value")`.

A learner and its actors are processes of their own, on other machines too: what they are told is not the function but
where it is to be found, `module:function`. So the factory has to lie in a module that they can import.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chorus.common.environments.address import parse
from chorus.common.environments.own_modules import PATH
from chorus.common.environments.registry import is_ours
from chorus.common.errors import EnvironmentFault

_registered: dict[str, str] = {}


def register_env(name: str, factory: Callable[..., Any] | str) -> str:
    """Give an environment of the user's own a name, in this process.

    Args:
        name: letters, digits, `_` and `-`; from then on `chorus.train(env="name?key=value")` calls
            `factory(key=value)`. A name that was registered before is replaced.
        factory: a function or class at the top level of a module, or where it is as a string: `module:function`.

    Returns:
        `module:function`: what stands in the run's `config.yaml`, and what `chorus train --env` takes.

    Raises:
        EnvironmentFault: the name is taken or impossible, or other processes could not import the factory.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name) or is_ours(parse(name + ":x")):
        raise EnvironmentFault(
            f"register_env: {name!r} cannot name an environment; use letters, digits, _ and -, and none of Chorus's own"
            " names, such as spread, pettingzoo or gymnasium"
        )
    address = factory if isinstance(factory, str) else _address(name, factory)
    if not all(address.partition(":")):
        raise EnvironmentFault(f"register_env({name!r}): {address!r} names no factory; write module:function")
    _registered[name] = address
    return address


def resolve(spec: str) -> str:
    """The spec string that other processes understand: a registered name becomes `module:function`."""
    head, mark, settings = spec.partition("?")
    return f"{_registered.get(head, head)}{mark}{settings}"


def search_path() -> str:
    """The value of the variable `PATH` for processes started from here: wherever this process finds modules.

    They look there last, and only for the module of an environment that is not installed.
    """
    given = os.environ.get(PATH, "").split(os.pathsep)
    places = [os.path.abspath(place) for place in [*sys.path, *filter(None, given)]]
    return os.pathsep.join(dict.fromkeys(place for place in places if os.path.isdir(place)))


def _address(name: str, factory: Callable[..., Any]) -> str:
    """Where other processes find a factory."""
    module, path = getattr(factory, "__module__", None), getattr(factory, "__qualname__", None)
    if module is None or path is None:
        raise EnvironmentFault(
            f"register_env({name!r}): {factory!r} is neither a function nor a class, so other processes cannot be told"
            f" where it is; give the function itself, and its settings in the spec: env={name + '?key=value'!r}"
        )
    if "<" in path:
        raise EnvironmentFault(
            f"register_env({name!r}): {path} is defined inside a function or is a lambda, and actors in other processes"
            " cannot import it; define it with def or class at the top level of a module"
        )
    module = _of_script(name) if module == "__main__" else module
    found: Any = sys.modules.get(module)
    if module in sys.modules:
        for part in path.split("."):
            found = getattr(found, part, None)
        if found is not factory:
            raise EnvironmentFault(
                f"register_env({name!r}): {module} has another {path} than the one given; import the factory from where"
                " it is defined"
            )
    return f"{module}:{path}"


def _of_script(name: str) -> str:
    """The name under which other processes import the script that is running."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name != "__main__":
        return str(spec.name)
    file = getattr(main, "__file__", None)
    if file is None or not Path(file).stem.isidentifier() or Path(file).suffix != ".py":
        raise EnvironmentFault(
            f"register_env({name!r}): the factory is defined in a notebook or an interactive session, which actors in"
            " other processes cannot import; write it to a module (in a notebook begin the cell with"
            " `%%writefile my_env.py`), then `from my_env import ...`"
        )
    return Path(file).stem
