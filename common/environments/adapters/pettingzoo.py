"""PettingZoo's environments: `pettingzoo:mpe2.simple_spread_v3?N=3`, `pettingzoo:classic.connect_four_v3`.

What follows the colon is a module with a `parallel_env` or an `env` (of any package, or within `pettingzoo` itself), or
a name in PettingZoo's registry (`sisl/pursuit-v5`). Environments whose agents all act at once go through the parallel
API; games played in turns are stepped move by move, their agents absent while it is not their turn.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import pkgutil
import re
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from chorus.common.environments.adapters.lockstep import Lockstep
from chorus.common.environments.adapters.turns import Turns
from chorus.common.environments.address import Address, nearest
from chorus.common.environments.packages import load, missing, provenance
from chorus.common.errors import EnvironmentFault

_FAMILIES = ("atari", "butterfly", "classic", "sisl")
_EXACT_LIMITS = ("mpe2", "pettingzoo")  # whose `max_cycles` is the length of the longest episode, to the step
_PICTURES = "rgb_array"
_ROMS = "auto_rom_install_path"

Build = Callable[..., Any]


def make(address: Address, render: bool) -> Lockstep:
    """K copies of one PettingZoo environment."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the two ways to name an environment, either is fine
        build, module = _find(address)

    where = _roms(module)

    def construct(drawing: bool) -> Any:
        settings = where | dict(address.settings)
        if drawing and _can_draw(build, settings):
            settings.setdefault("render_mode", _PICTURES)
        try:
            return as_parallel(build(**settings))
        except TypeError as error:
            raise EnvironmentFault(
                f"environment {address.spec!r}: it refuses its settings: {error}; "
                "its own documentation lists those that it takes"
            ) from error
        except ImportError as error:
            raise missing(error, address.spec) from error

    limit = _longest if module.partition(".")[0] in _EXACT_LIMITS else None
    return Lockstep(construct, name=address.spec, package=provenance(module), max_steps=limit, render=render)


def _roms(module: str) -> dict[str, Any]:
    """Where Atari's games lie: `ale_py` brings those that may be passed on, and nothing is downloaded."""
    if not module.startswith("pettingzoo.atari"):
        return {}
    found = importlib.util.find_spec("ale_py")
    return {} if found is None or found.origin is None else {_ROMS: str(Path(found.origin).parent / "roms")}


def as_parallel(environment: Any) -> Any:
    """An environment of either API in the parallel one, as `lockstep` reads it."""
    if not (hasattr(environment, "last") and hasattr(environment, "observe")):
        return environment
    if environment.metadata.get("is_parallelizable", False):
        from pettingzoo.utils.conversions import aec_to_parallel

        return aec_to_parallel(environment)
    return Turns(environment)


def _find(address: Address) -> tuple[Build, str]:
    """What builds the environment, and the module that it is in."""
    old = re.match(r"(pettingzoo\.)?mpe[./]", address.target)
    if old:
        _, _, query = address.spec.partition("?")
        raise EnvironmentFault(
            f"environment {address.spec!r}: these environments have left PettingZoo for a package of their own;"
            f" write pettingzoo:mpe2.{address.target[old.end() :]}{'?' if query else ''}{query}"
        )
    if "/" in address.target:
        return _registered(address)
    module = _module(address)
    build = getattr(module, "parallel_env", None) or getattr(module, "env", None)
    if not callable(build):
        raise EnvironmentFault(
            f"environment {address.spec!r}: the module {module.__name__} has neither parallel_env nor env; "
            f"{nearest(address.target, _siblings(module))}"
        )
    for source in (getattr(module, "raw_env", None), build):
        keys = _keywords(source)
        if keys is not None:
            address.allow(keys)
            break
    return build, module.__name__


def _module(address: Address) -> ModuleType:
    """The module that the target names, in PettingZoo or anywhere."""
    target = address.target
    name = f"pettingzoo.{target}" if target.partition(".")[0] in _FAMILIES else target
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise missing(error, address.spec) from error  # the module is there; what it imports is not
        parent, _, last = name.rpartition(".")
        if error.name != name or not parent:
            raise missing(error, address.spec) from error
        raise EnvironmentFault(
            f"environment {address.spec!r}: there is no {last!r} in {parent}; "
            f"{nearest(last, _siblings(load(parent, address.spec)))}"
        ) from error
    except ImportError as error:
        raise missing(error, address.spec) from error


def _siblings(module: ModuleType) -> Iterable[str]:
    """The environments in a package."""
    return [entry.name for entry in pkgutil.iter_modules(getattr(module, "__path__", ())) if "_v" in entry.name]


def _registered(address: Address) -> tuple[Build, str]:
    """An environment by its name in PettingZoo's registry."""
    library = load("pettingzoo", address.spec)
    for kind, registry in (("parallel", library.parallel_registry), ("aec", library.aec_registry)):
        if address.target in registry:
            entry = registry[address.target].entry_point
            module = entry.partition(":")[0] if isinstance(entry, str) else entry.__module__
            return functools.partial(library.make, kind, address.target), module
    names = {*library.parallel_registry, *library.aec_registry}
    raise EnvironmentFault(
        f"environment {address.spec!r}: PettingZoo's registry has no {address.target!r}; "
        f"{nearest(address.target, names)}"
    )


def _keywords(build: Any) -> list[str] | None:
    """The settings that `build` takes; None if it does not say."""
    if not callable(build):
        return None
    try:
        parameters = inspect.signature(build).parameters
    except (TypeError, ValueError):
        return None
    if any(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in parameters.values()):
        return None
    return list(parameters)


def _can_draw(build: Build, settings: dict[str, Any]) -> bool:
    """Whether the environment knows how to draw without a screen."""
    sample = build(**settings)
    modes = getattr(sample, "metadata", {}).get("render_modes", ())
    sample.close()
    return _PICTURES in modes


def _longest(environment: Any) -> int | None:
    """The limit of an environment whose agents all act at once, as Farama's keep it."""
    if isinstance(environment, Turns):
        return None
    raw = environment.unwrapped
    for holder in (raw, getattr(raw, "env", None)):
        limit = getattr(holder, "max_cycles", None)
        if isinstance(limit, int):
            return limit
    return None
