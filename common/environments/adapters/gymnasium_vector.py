"""Gymnasium's vectorised environments, the K episodes of a task at once: `gymnasium.vector:CartPole-v1`.

An environment that is registered with a vectorised form of its own is played in that form, with one seed for all K
episodes; any other by `gymnasium.vector.SyncVectorEnv`, each episode by a seed of its own, exactly as `gymnasium:`
plays it. The setting `vectorization_mode`, `vector_entry_point` or `sync`, is that of `gymnasium.make_vec`. Its `async`
forks processes, which must not happen beside gRPC; more actors serve the same end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from chorus.common.environments.adapters.batch import Batch
from chorus.common.environments.adapters.gymnasium import PICTURES, Build, find
from chorus.common.environments.address import Address
from chorus.common.environments.packages import provenance
from chorus.common.errors import EnvironmentFault

LAST = "final_obs"
MODE, OWN, SYNC = "vectorization_mode", "vector_entry_point", "sync"


def make(address: Address, render: bool) -> Batch:
    """K episodes of one Gymnasium environment."""
    library, name, module = find(address)
    mode = _mode(address, library.registry[name])
    settings = {key: value for key, value in address.settings.items() if key != MODE}
    build = Build(library, name, replace(address, settings=MappingProxyType(settings)))

    def construct(episodes: int) -> _Vector:
        if mode == SYNC:
            several = library.vector.SyncVectorEnv([lambda: build(render)] * episodes)
            return _Vector(library, several, lambda seeds: seeds, address.spec)
        drawing = {"render_mode": PICTURES} if render and build.can_draw() else {}
        several = build.make_by(library.make_vec, num_envs=episodes, vectorization_mode=OWN, **drawing, **settings)
        return _Vector(library, several, lambda seeds: seeds[0], address.spec)

    return Batch(construct, name=address.spec, package=provenance(module), max_steps=build.registered_limit())


def _mode(address: Address, entry: Any) -> str:
    """How it is vectorised."""
    has_own = entry.vector_entry_point is not None
    mode = address.settings.get(MODE, OWN if has_own else SYNC)
    if mode not in (OWN, SYNC):
        raise EnvironmentFault(
            f"environment {address.spec!r}: {MODE}={mode!r} is impossible; give {OWN} or {SYNC} (for more processes,"
            " start more actors)"
        )
    if mode == OWN and not has_own:
        raise EnvironmentFault(
            f"environment {address.spec!r}: {entry.id} has no vectorised form of its own; give {MODE}={SYNC}"
        )
    return str(mode)


class _Vector:
    """One `gymnasium.vector.VectorEnv` as a pool."""

    def __init__(self, library: Any, several: Any, seeding: Callable[[list[int]], Any], spec: str) -> None:
        self._several = several
        self._seeding = seeding
        self._iterate = library.vector.utils.iterate
        self._concatenate = library.vector.utils.concatenate
        self._moves = library.vector.utils.create_empty_array(several.single_action_space, several.num_envs)
        self.observation_space = several.single_observation_space
        self.action_space = several.single_action_space
        modes = library.vector.AutoresetMode
        if several.metadata.get("autoreset_mode") not in (modes.NEXT_STEP, modes.SAME_STEP):
            self.close()
            raise EnvironmentFault(
                f"environment {spec!r}: its vectorised form does not begin episodes again by itself (autoreset_mode is"
                f" {several.metadata.get('autoreset_mode')}); give {MODE}={SYNC}"
            )

    def begin(self, seeds: list[int]) -> tuple[Iterable[Any], Mapping[str, Any]]:
        """Begin one episode for each seed."""
        observed, told = self._several.reset(seed=self._seeding(seeds))
        return self._by_episode(observed), told

    def step(self, actions: list[Any]) -> tuple[Iterable[Any], Any, Any, Any, Mapping[str, Any]]:
        """Step all."""
        moves = self._concatenate(self.action_space, actions, self._moves)
        observed, rewards, terminated, truncated, told = self._several.step(moves)
        seen = self._by_episode(observed)
        if LAST in told:  # where episodes begin again within the step, what was seen last stands aside
            kept = told[f"_{LAST}"]
            seen = [told[LAST][k] if kept[k] else now for k, now in enumerate(seen)]
        return seen, rewards, terminated, truncated, told

    def _by_episode(self, observed: Any) -> Iterable[Any]:
        if isinstance(observed, np.ndarray):
            return observed
        episodes: Iterable[Any] = self._iterate(self._several.observation_space, observed)
        return episodes

    def render(self) -> Any:
        """The first episode."""
        pictures = self._several.render() if self._several.render_mode == PICTURES else None
        return None if pictures is None else pictures[0]

    def close(self) -> None:
        """Close all."""
        self._several.close()
