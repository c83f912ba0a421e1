"""A Gymnasium environment for a team (tuples of observations and actions), dressed up for `lockstep`.

Lists of rewards are the agents' own; one number for all of them is the team's. `done` may be one flag or one for each
agent, and old Gym's four results (without `truncated`) are understood too. A plain single-agent environment is a team
of one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chorus.common.environments.adapters.answers import flag, results_of_reset, results_of_step
from chorus.common.environments.spaces import MASK_KEY, action_coder
from chorus.common.errors import EnvironmentFault

TEAM_KEY = "team_reward"


class Team:
    """One Gymnasium environment, its agents named `agent_0`, `agent_1`, …"""

    def __init__(self, environment: Any, name: str) -> None:
        self._environment = environment
        self._name = name
        seen, done = _parts(environment.observation_space), _parts(environment.action_space)
        self._alone = done is None
        if self._alone:
            seen, done = [environment.observation_space], [environment.action_space]
        if seen is None or done is None or len(seen) != len(done):
            raise EnvironmentFault(
                f"environment {name!r}: {environment.action_space} is a tuple over agents but "
                f"{environment.observation_space} is not one of the same length; wrap it so that both have one "
                "part for each agent"
            )
        self.possible_agents = [f"agent_{i}" for i in range(len(done))]
        self.agents: list[str] = []
        self._seen = dict(zip(self.possible_agents, seen, strict=True))
        self._done = dict(zip(self.possible_agents, done, strict=True))
        self._idle: dict[str, Any] = {}
        for agent, space in self._done.items():
            coder = action_coder(space, f"environment {name!r}, {agent}")
            self._idle[agent] = coder.read(coder.allowed())

    def observation_space(self, agent: str) -> Any:
        """What `agent` may see."""
        return self._seen[agent]

    def action_space(self, agent: str) -> Any:
        """What `agent` may do."""
        return self._done[agent]

    @property
    def render_mode(self) -> Any:
        """How the environment draws, if at all."""
        return getattr(self._environment, "render_mode", None)

    @property
    def unwrapped(self) -> Any:
        """The environment below all wrappers."""
        return self._environment.unwrapped

    def reset(self, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin an episode."""
        self._forget()
        observations, info = results_of_reset(self._environment.reset(seed=seed), f"environment {self._name!r}")
        self.agents = list(self.possible_agents)
        return self._by_name(observations, "observations"), self._infos(info)

    def _forget(self) -> None:
        """Take the players of level-based foraging off the field: its reset lets nobody begin where one stood last."""
        inner: Any = getattr(self._environment, "unwrapped", None)
        if type(inner).__module__.startswith("lbforaging."):
            for player in inner.players:
                player.position = None

    def step(self, actions: dict[str, Any]) -> tuple[Any, Any, Any, Any, Any]:
        """Let everybody act; those whose life is over stand idle."""
        chosen = self._idle | actions
        results = self._environment.step(chosen["agent_0"] if self._alone else tuple(chosen.values()))
        results = results_of_step(results, f"environment {self._name!r}")
        if len(results) == 5:
            observations, rewards, terminated, truncated, info = results
        else:
            observations, rewards, done, info = results
            limit = bool((info or {}).get("TimeLimit.truncated", False))
            terminated, truncated = (False, done) if limit else (done, False)
        infos = self._infos(info)
        if np.ndim(rewards) == 0 and not self._alone:
            infos["agent_0"] = {**infos.get("agent_0", {}), TEAM_KEY: rewards}
            rewards = [0.0] * len(self.possible_agents)
        died, cut = self._flags(terminated, "terminated"), self._flags(truncated, "truncated")
        self.agents = [agent for agent in self.agents if not (died[agent] or cut[agent])]
        return self._by_name(observations, "observations"), self._by_name(rewards, "rewards"), died, cut, infos

    def _by_name(self, values: Any, field: str) -> dict[str, Any]:
        if self._alone:
            return {"agent_0": values[0] if isinstance(values, list) else values}
        return dict(zip(self.possible_agents, self._each(values, field), strict=True))

    def _each(self, values: Any, field: str) -> Any:
        """One for each agent."""
        count = len(values) if hasattr(values, "__len__") and np.shape(values) != () else -1
        if count != len(self.possible_agents) or isinstance(values, str | bytes):
            found = f"{count} entries" if count >= 0 else repr(values)[:80]
            raise EnvironmentFault(
                f"environment {self._name!r}: {field} are {found} for {len(self.possible_agents)} agents; give one "
                "entry for each agent"
            )
        return values

    def _flags(self, flags: Any, field: str) -> dict[str, bool]:
        if np.ndim(flags) == 0:
            return dict.fromkeys(self.possible_agents, flag(flags, f"environment {self._name!r}", field))
        return {
            agent: flag(value, f"environment {self._name!r}, {agent}", field)
            for agent, value in zip(self.possible_agents, self._each(flags, field), strict=True)
        }

    def _infos(self, info: Any) -> dict[str, Any]:
        """The parts of `info` that Chorus reads, by agent."""
        if not info:
            return {}
        infos: dict[str, Any] = {}
        if MASK_KEY in info:
            masks = self._by_name(info[MASK_KEY], "action masks")
            infos = {agent: {MASK_KEY: mask} for agent, mask in masks.items()}
        if TEAM_KEY in info:
            infos["agent_0"] = {**infos.get("agent_0", {}), TEAM_KEY: info[TEAM_KEY]}
        return infos

    def render(self) -> Any:
        """The environment's own picture."""
        return self._environment.render()

    def close(self) -> None:
        """Close the environment."""
        self._environment.close()


def _parts(space: Any) -> list[Any] | None:
    """The spaces of the agents; None if the space is not one over agents."""
    if isinstance(space, (list, tuple)):
        return list(space)
    parts = getattr(space, "spaces", None)
    return list(parts) if isinstance(parts, (list, tuple)) else None
