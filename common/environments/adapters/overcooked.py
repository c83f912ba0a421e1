"""Overcooked, two cooks who must work together: `overcooked:cramped_room?horizon=400`.

It is the package `overcooked`, the kitchen of Carroll et al. (2019) without its learning algorithms. A cook sees the
kitchen as a picture `[width, height, 26]`, with itself first (the package's `lossless_state_encoding`). What a soup
that is delivered is worth is the team's reward; what the package pays for the steps towards it (an onion into a pot, a
dish, a soup taken up) is the cook's own, so that `reward.individual` sets how much that shaping counts.

Settings: `horizon`, after which an episode is cut off; `cook_time`, `num_items_for_soup`, `old_dynamics` as the package
has them. Nothing here is random, so all episodes begin alike.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from chorus.common.environments.adapters.lockstep import TEAM_KEY, Lockstep
from chorus.common.environments.address import Address, nearest
from chorus.common.environments.packages import load, provenance
from chorus.common.errors import EnvironmentFault

HORIZON = 400
_OF_KITCHEN = ("cook_time", "num_items_for_soup", "old_dynamics")


def make(address: Address, render: bool) -> Lockstep:
    """K kitchens of one layout."""
    library, spaces = load("overcooked", address.spec), load("gymnasium.spaces", address.spec)
    address.allow(("horizon", *_OF_KITCHEN))
    layouts = {file.stem for file in (_folder(library) / "data" / "layouts").glob("*.layout")}
    if address.target not in layouts:
        raise EnvironmentFault(
            f"environment {address.spec!r}: Overcooked has no layout {address.target!r};"
            f" {nearest(address.target, layouts)}"
        )
    horizon = address.integer("horizon", HORIZON, least=1)
    changed = {key: value for key, value in address.settings.items() if key in _OF_KITCHEN}
    kitchen = library.OvercookedGridworld.from_layout_name(address.target, **changed)
    if kitchen.num_players != 2:
        raise EnvironmentFault(
            f"environment {address.spec!r}: {address.target} has {kitchen.num_players} cook(s), and the package's"
            " pictures are of kitchens for two; choose another layout"
        )

    def construct(drawing: bool) -> Kitchen:
        return Kitchen(library, spaces, kitchen, horizon)

    return Lockstep(
        construct, name=address.spec, package=provenance("overcooked"), max_steps=lambda _: horizon, render=render
    )


class Kitchen:
    """One kitchen, with PettingZoo's parallel API."""

    def __init__(self, library: Any, spaces: Any, kitchen: Any, horizon: int) -> None:
        self._moves = library.Action.ALL_ACTIONS
        self._kitchen = kitchen
        self._horizon = horizon
        self._draw: Any = None
        self.possible_agents = [f"cook_{number}" for number in range(kitchen.num_players)]
        self.agents: list[str] = []
        shape = tuple(int(side) for side in kitchen.lossless_state_encoding_shape)
        self._seen = spaces.Box(0.0, np.inf, shape, np.float32)
        self._done = spaces.Discrete(len(self._moves))

    def observation_space(self, agent: str) -> Any:
        """The kitchen as a picture."""
        return self._seen

    def action_space(self, agent: str) -> Any:
        """Four directions, stay, and do something with what is in front."""
        return self._done

    def reset(self, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin an episode; nothing is random."""
        self._state = self._kitchen.get_standard_start_state()
        self._steps = 0
        self.agents = list(self.possible_agents)
        return self._look(), {}

    def step(self, actions: dict[str, int]) -> tuple[Any, Any, Any, Any, Any]:
        """Let both cooks act."""
        moves = [self._moves[actions[cook]] for cook in self.possible_agents]
        self._state, told = self._kitchen.get_state_transition(self._state, moves)
        self._steps += 1
        own = dict(zip(self.possible_agents, map(float, told["shaped_reward_by_agent"]), strict=True))
        ended = bool(self._kitchen.is_terminal(self._state))
        cut = not ended and self._steps >= self._horizon
        if ended or cut:
            self.agents = []
        infos = {self.possible_agents[0]: {TEAM_KEY: float(sum(told["sparse_reward_by_agent"]))}}
        over = dict.fromkeys(self.possible_agents, ended), dict.fromkeys(self.possible_agents, cut)
        return self._look(), own, *over, infos

    def _look(self) -> dict[str, Any]:
        pictures = self._kitchen.lossless_state_encoding(self._state, horizon=self._horizon)
        return dict(zip(self.possible_agents, (np.asarray(seen, np.float32) for seen in pictures), strict=True))

    def render(self) -> Any:
        """The kitchen as the package draws it."""
        draw = _drawing()
        return draw(self._state, self._kitchen.terrain_mtx)

    def close(self) -> None:
        """Nothing is held."""


def _folder(library: Any) -> Path:
    return Path(library.__file__).parent


@functools.cache
def _drawing() -> Any:
    """The package's drawing of a state, as an RGB array; loaded when the first picture is wanted."""
    import pygame
    from overcooked.visualization import StateVisualizer

    artist = StateVisualizer()

    def draw(state: Any, grid: Any) -> Any:
        surface = artist.render_state(state=state, grid=grid)
        return np.transpose(pygame.surfarray.array3d(surface), (1, 0, 2))

    return draw
