"""An environment to start from: two agents on a line of nine places have to meet. Change it into your own.

    chorus check-env my_team:MyTeam
    chorus train --config config.yaml

It has the methods of PettingZoo's parallel API, and need not inherit from anything. Chorus creates one object for each
episode that is played at the same time and calls `reset` with a seed before each episode. The most important rule: the
seed and the actions must determine everything that happens. So draw every random number from `self.random`, and let
`reset` restore the whole state. `chorus check-env` checks this, and more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

PLACES = 9


class MyTeam:
    """The environment. The arguments of `__init__` are its settings: `my_team:MyTeam?max_steps=30`.

    Attributes:
        possible_agents: every agent that may ever take part.
        agents: the agents that take part now; empty when the episode is over.
        max_steps: no episode is longer; leave it out if there is no such limit.
    """

    possible_agents = ["left", "right"]  # noqa: RUF012 (PettingZoo has it so)

    def __init__(self, max_steps: int = 20) -> None:
        self.max_steps = max_steps
        self.agents: list[str] = []

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """What an agent observes: here its own place and the other's, both scaled to 0 … 1."""
        return spaces.Box(0.0, 1.0, (2,), np.float32)

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """What an agent can do: here 0 goes left, 1 stays, 2 goes right."""
        return spaces.Discrete(3)

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict[str, Any], Any]:
        """Begin an episode. Returns what each agent observes, and further information (none here)."""
        self.random = np.random.default_rng(seed)
        self.steps = 0
        self.agents = list(self.possible_agents)
        self.place = {agent: int(self.random.integers(PLACES)) for agent in self.agents}
        return self._observations(), {}

    def step(self, actions: dict[str, int]) -> tuple[dict[str, Any], ...]:
        """Do what every agent chose. Returns a dictionary by agent for each of: observation, reward, terminated,
        truncated, further information."""
        self.steps += 1
        for agent, action in actions.items():
            self.place[agent] = min(max(self.place[agent] + int(action) - 1, 0), PLACES - 1)
        met = self.place["left"] == self.place["right"]

        # The reward of each agent for itself: walking costs a little.
        rewards = {agent: -0.1 if action != 1 else 0.0 for agent, action in actions.items()}
        # The reward of the team, if there is one: in the information of any agent, at every step.
        information = {agent: {"team_reward": float(met)} for agent in self.agents}

        terminated = dict.fromkeys(self.agents, met)  # the episode ended by its rules
        truncated = dict.fromkeys(self.agents, self.steps == self.max_steps and not met)  # a time limit ended it
        observations = self._observations()
        if met or self.steps == self.max_steps:
            self.agents = []
        return observations, rewards, terminated, truncated, information

    def render(self) -> NDArray[np.uint8]:
        """An image of the present state, `[height, width, 3]`, for animations. Leave it out if you need none."""
        picture = np.full((1, PLACES, 3), 255, np.uint8)
        for agent, colour in (("left", 0), ("right", 2)):
            picture[0, self.place[agent]] = np.eye(3, dtype=np.uint8)[colour] * 200
        return picture.repeat(24, axis=0).repeat(24, axis=1)

    def close(self) -> None:
        """Release what the environment holds: files, windows. Nothing here."""

    def _observations(self) -> dict[str, Any]:
        left, right = self.place["left"] / (PLACES - 1), self.place["right"] / (PLACES - 1)
        return {"left": np.array([left, right], np.float32), "right": np.array([right, left], np.float32)}
