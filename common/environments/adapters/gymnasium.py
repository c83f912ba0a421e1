"""Gymnasium's multi-agent environments: `gymnasium:Foraging-8x8-2p-3f-v3`, `gymnasium:rware-tiny-2ag-v2`.

Such environments register themselves when their package is imported. That of level-based foraging and of the robotic
warehouse is known here; for any other write `gymnasium:package:Name-v0`, as Gymnasium itself has it.
"""

from __future__ import annotations

import warnings
from typing import Any

from chorus.common.environments.adapters.lockstep import Lockstep
from chorus.common.environments.adapters.team import Team
from chorus.common.environments.address import Address, nearest
from chorus.common.environments.packages import load, missing, provenance
from chorus.common.errors import EnvironmentFault

_PACKAGES = {"Foraging": "lbforaging", "rware": "rware"}
_PICTURES = "rgb_array"
_LIMITS = ("_max_episode_steps", "max_steps")  # of level-based foraging and the robotic warehouse


def make(address: Address, render: bool) -> Lockstep:
    """K copies of one Gymnasium environment."""
    library = load("gymnasium", address.spec)
    package, _, name = address.target.rpartition(":")
    package = package or next((known for prefix, known in _PACKAGES.items() if name.startswith(prefix)), "")
    if package:
        load(package, address.spec)
    if name not in library.registry:
        raise EnvironmentFault(
            f"environment {address.spec!r}: Gymnasium knows no {name!r}; {nearest(name, library.registry)} "
            "If a package registers it, write gymnasium:PACKAGE:NAME"
        )
    entry = library.registry[name].entry_point
    module = entry.partition(":")[0] if isinstance(entry, str) else entry.__module__
    build = _Build(library, name, address)

    def construct(drawing: bool) -> Any:
        return Team(build(drawing), address.spec)

    return Lockstep(construct, name=address.spec, package=provenance(module), max_steps=build.longest, render=render)


class _Build:
    """Makes environments of one name, quietly."""

    def __init__(self, library: Any, name: str, address: Address) -> None:
        self._library = library
        self._name = name
        self._address = address

    def __call__(self, drawing: bool) -> Any:
        settings = dict(self._address.settings)
        if drawing and self._can_draw(settings):
            settings.setdefault("render_mode", _PICTURES)
        return self._make(settings)

    def _make(self, settings: dict[str, Any]) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # lists of rewards, which is what we are here for, are warned of
                return self._library.make(self._name, disable_env_checker=True, **settings)
        except TypeError as error:
            raise EnvironmentFault(
                f"environment {self._address.spec!r}: it refuses its settings: {error}; "
                "its own documentation lists those that it takes"
            ) from error
        except ImportError as error:
            raise missing(error, self._address.spec) from error

    def _can_draw(self, settings: dict[str, Any]) -> bool:
        sample = self._make(settings)
        modes = sample.metadata.get("render_modes", ())
        sample.close()
        return _PICTURES in modes

    def longest(self, team: Any) -> int | None:
        """The limit of an episode's length, where one is registered or kept as known packages do."""
        limit = self._library.registry[self._name].max_episode_steps
        if isinstance(limit, int) and limit > 0:
            return limit
        if self._name.startswith(tuple(_PACKAGES)):
            for key in _LIMITS:
                if isinstance(getattr(team.unwrapped, key, None), int):
                    return int(getattr(team.unwrapped, key))
        return None
