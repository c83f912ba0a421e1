"""EnvPool, which steps K episodes at once in C++: `envpool:CartPole-v1`, `envpool:Pong-v5`.

Settings are those of `envpool.make_gymnasium`; there is one thread, since more actors use a machine's cores as well.
EnvPool takes seeds, one for each episode, only when it is made, so every task has a pool of its own. Pictures are of
bytes with the channels first; they are turned round, as Chorus' convolutions have them last.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from chorus.common.environments.adapters.batch import Batch
from chorus.common.environments.address import Address, nearest
from chorus.common.environments.packages import load, provenance
from chorus.common.errors import EnvironmentFault

_OURS = ("num_envs", "seed", "env_seed", "batch_size", "num_threads", "thread_affinity_offset", "base_path")


def make(address: Address, render: bool) -> Batch:
    """K episodes of one of EnvPool's environments."""
    library = load("envpool", address.spec)
    known = library.list_all_envs()
    if address.target not in known:
        raise EnvironmentFault(
            f"environment {address.spec!r}: EnvPool knows no {address.target!r}; {nearest(address.target, known)}"
        )
    for key in _OURS:
        if key in address.settings:
            raise EnvironmentFault(
                f"environment {address.spec!r}: {key} is for Chorus to set; leave it out (task.episodes says how many"
                " episodes are played at once)"
            )
    limit = _make(library, address, [0]).spec.config.max_episode_steps
    return Batch(
        lambda episodes: _Pool(library, address, episodes),
        name=address.spec,
        package=provenance("envpool"),
        max_steps=int(limit) if 0 < limit < np.iinfo(np.int32).max else None,
    )


def _make(library: Any, address: Address, seeds: list[int]) -> Any:
    """A pool of one episode for each seed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pool = library.make_gymnasium(
                address.target, num_envs=len(seeds), seed=seeds, num_threads=1, **address.settings
            )
    except (TypeError, ValueError, AssertionError) as error:
        raise EnvironmentFault(
            f"environment {address.spec!r}: it refuses its settings: {error}; its own documentation lists those that it"
            " takes"
        ) from error
    if pool.spec.config.max_num_players != 1:
        raise EnvironmentFault(
            f"environment {address.spec!r}: it has {pool.spec.config.max_num_players} players; Chorus plays EnvPool's"
            " environments of one"
        )
    return pool


class _Pool:
    """A fresh pool of EnvPool's for every task."""

    def __init__(self, library: Any, address: Address, episodes: int) -> None:
        self._library = library
        self._address = address
        self._pool = _make(library, address, [0] * episodes)
        self.action_space = self._pool.action_space
        self.observation_space, self._turned = _channels_last(self._pool.observation_space)

    def begin(self, seeds: list[int]) -> tuple[Iterable[Any], Mapping[str, Any]]:
        """Begin one episode for each seed."""
        self._pool.close()
        self._pool = _make(self._library, self._address, seeds)
        observed, _ = self._pool.reset()
        return self._by_episode(observed, len(seeds)), {}

    def step(self, actions: list[Any]) -> tuple[Iterable[Any], Any, Any, Any, Mapping[str, Any]]:
        """Step all; EnvPool begins an episode again at the step after its last."""
        moves = np.asarray(actions, self.action_space.dtype)
        observed, rewards, terminated, truncated, _ = self._pool.step(moves)
        return self._by_episode(observed, len(actions)), rewards, terminated, truncated, {}

    def _by_episode(self, observed: Any, episodes: int) -> Iterable[Any]:
        if isinstance(observed, Mapping):
            return [{key: part[k] for key, part in observed.items()} for k in range(episodes)]
        rows: Iterable[Any] = np.moveaxis(observed, 1, -1) if self._turned else observed
        return rows

    def render(self) -> None:
        """EnvPool's own pictures need a screen."""
        return

    def close(self) -> None:
        """End EnvPool's threads."""
        self._pool.close()


def _channels_last(space: Any) -> tuple[Any, bool]:
    """The space of observations, pictures turned so that their channels come last, and whether they were turned."""
    shape: tuple[int, ...] = getattr(space, "shape", None) or ()
    if len(shape) != 3 or space.dtype != np.uint8 or shape[0] >= shape[-1]:
        return space, False
    turned = copy.copy(space)
    turned.low, turned.high = (np.moveaxis(side, 0, -1) for side in (space.low, space.high))
    turned._shape = turned.low.shape
    return turned, True
