"""Gymnasium's multi-agent environments: `gymnasium:Foraging-8x8-2p-3f-v3`, `gymnasium:rware-tiny-2ag-v2`.

Such environments register themselves when their package is imported. That of level-based foraging and of the robotic
warehouse is known here; for any other write `gymnasium:package:Name-v0`, as Gymnasium itself has it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from chorus.common.environments.adapters.lockstep import Lockstep
from chorus.common.environments.adapters.team import Team
from chorus.common.environments.address import Address, nearest
from chorus.common.environments.packages import load, missing, provenance
from chorus.common.errors import EnvironmentFault

_PACKAGES = {"Foraging": "lbforaging", "rware": "rware"}
PICTURES = "rgb_array"
_LIMITS = ("_max_episode_steps", "max_steps")  # of level-based foraging and the robotic warehouse


def make(address: Address, render: bool) -> Lockstep:
    """K copies of one Gymnasium environment."""
    library, name, module = find(address)
    build = Build(library, name, address)

    def construct(drawing: bool) -> Any:
        return Team(build(drawing), address.spec)

    return Lockstep(construct, name=address.spec, package=provenance(module), max_steps=build.longest, render=render)


def find(address: Address) -> tuple[Any, str, str]:
    """Gymnasium itself, the name of the environment in its registry, and the module that it is in."""
    library = load("gymnasium", address.spec)
    package, _, name = address.target.rpartition(":")
    package = package or next((known for prefix, known in _PACKAGES.items() if name.startswith(prefix)), "")
    if package:
        load(package, address.spec)
    if name not in library.registry:
        raise EnvironmentFault(
            f"environment {address.spec!r}: Gymnasium knows no {name!r}; {nearest(name, library.registry)} "
            f"If a package registers it, write {address.kind}:PACKAGE:NAME"
        )
    entry = library.registry[name].entry_point or library.registry[name].vector_entry_point
    return library, name, entry.partition(":")[0] if isinstance(entry, str) else entry.__module__


class Build:
    """Makes environments of one name, quietly."""

    def __init__(self, library: Any, name: str, address: Address) -> None:
        self._library = library
        self._name = name
        self._address = address

    def __call__(self, drawing: bool) -> Any:
        """One environment; told whether it will be asked for pictures."""
        settings = dict(self._address.settings)
        if drawing and self.can_draw():
            settings.setdefault("render_mode", PICTURES)
        return self._make(settings)

    def _make(self, settings: Mapping[str, Any]) -> Any:
        return self.make_by(self._library.make, disable_env_checker=True, **settings)

    def make_by(self, function: Callable[..., Any], **settings: Any) -> Any:
        """What one of Gymnasium's functions makes of the environment's name."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # lists of rewards, which is what we are here for, are warned of
                return function(self._name, **settings)
        except TypeError as error:
            raise EnvironmentFault(
                f"environment {self._address.spec!r}: it refuses its settings: {error}; "
                "its own documentation lists those that it takes"
            ) from error
        except ImportError as error:
            raise missing(error, self._address.spec) from error

    def can_draw(self) -> bool:
        """Whether the environment knows how to draw without a screen."""
        sample = self._make(self._address.settings)
        modes = sample.metadata.get("render_modes", ())
        sample.close()
        return PICTURES in modes

    def registered_limit(self) -> int | None:
        """The limit of an episode's length that was set, or else is registered."""
        limit = self._address.settings.get("max_episode_steps", self._library.registry[self._name].max_episode_steps)
        return limit if isinstance(limit, int) and limit > 0 else None

    def longest(self, team: Any) -> int | None:
        """The same, or a limit that a known package keeps elsewhere."""
        limit = self.registered_limit()
        if limit is None and self._name.startswith(tuple(_PACKAGES)):
            for key in _LIMITS:
                if isinstance(getattr(team.unwrapped, key, None), int):
                    return int(getattr(team.unwrapped, key))
        return limit
