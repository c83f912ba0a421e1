"""A game played in turns (PettingZoo's AEC API), dressed up for `lockstep`: only the one to move is shown anything."""

from __future__ import annotations

from typing import Any


class Turns:
    """One AEC environment; each step is one agent's move.

    Rewards are those of all agents at every move, so that who loses by another's move is told at once.
    """

    def __init__(self, game: Any) -> None:
        self._game = game
        self.possible_agents = list(game.possible_agents)
        self.observation_space = game.observation_space
        self.action_space = game.action_space

    @property
    def agents(self) -> list[str]:
        """Everybody who is still in the game."""
        return list(self._game.agents)

    @property
    def render_mode(self) -> Any:
        """How the game draws, if at all."""
        return getattr(self._game, "render_mode", None)

    def reset(self, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin a game."""
        self._game.reset(seed=seed)
        self._bury()
        return self._view()

    def step(self, actions: dict[str, Any]) -> tuple[Any, Any, Any, Any, Any]:
        """Make the move of the agent whose turn it is."""
        game = self._game
        game.step(actions[game.agent_selection])
        rewards, terminated, truncated = dict(game.rewards), dict(game.terminations), dict(game.truncations)
        told = dict(game.infos)
        self._bury()
        observed, infos = self._view()
        return observed, rewards, terminated, truncated, told | infos

    def _bury(self) -> None:
        """Take those who are out of the game off the list, as the API asks, by moves of None."""
        game = self._game
        while game.agents and (game.terminations[game.agent_selection] or game.truncations[game.agent_selection]):
            game.step(None)

    def _view(self) -> tuple[dict[str, Any], dict[str, Any]]:
        game = self._game
        if not game.agents:
            return {}, {}
        mover = game.agent_selection
        return {mover: game.observe(mover)}, {mover: game.infos.get(mover) or {}}

    def render(self) -> Any:
        """The game's own picture."""
        return self._game.render()

    def close(self) -> None:
        """Close the game."""
        self._game.close()
