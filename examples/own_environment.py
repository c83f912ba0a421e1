"""An environment of your own, from the class to a trained team.

    python examples/own_environment.py

Two carriers stand on a line of seven places and should meet at the parcel. The class speaks PettingZoo's parallel API;
it need not inherit from anything. See docs/environments.md for what else an environment may do.
"""

import sys

import numpy as np
from gymnasium.spaces import Box, Discrete

import chorus


class Carriers:
    """Each agent sees how far the parcel and the other are, and steps left, stays, or steps right."""

    metadata = {"name": "carriers"}  # noqa: RUF012 (PettingZoo has it so)

    def __init__(self, places: int = 7, max_steps: int = 12) -> None:
        self.possible_agents = ["left", "right"]
        self.agents: list[str] = []
        self.places, self.max_steps = places, max_steps

    def observation_space(self, agent: str) -> Box:
        return Box(-1.0, 1.0, (2,), np.float32)

    def action_space(self, agent: str) -> Discrete:
        return Discrete(3)

    def reset(self, seed: int | None = None, options: object = None):
        draws = np.random.default_rng(seed)
        self.agents = list(self.possible_agents)
        self.at = dict(zip(self.agents, draws.integers(self.places, size=2).tolist(), strict=True))
        self.parcel, self.steps = int(draws.integers(self.places)), 0
        return self._observations(), {}

    def step(self, actions: dict[str, int]):
        for agent, action in actions.items():
            self.at[agent] = min(max(self.at[agent] + action - 1, 0), self.places - 1)
        self.steps += 1
        there = all(place == self.parcel for place in self.at.values())
        rewards = {agent: -abs(self.at[agent] - self.parcel) / self.places for agent in self.agents}
        infos = {agent: {"team_reward": 1.0 if there else 0.0} for agent in self.agents}
        over, late = dict.fromkeys(self.agents, there), dict.fromkeys(self.agents, self.steps == self.max_steps)
        if there or self.steps == self.max_steps:
            self.agents = []
        return self._observations(), rewards, over, late, infos

    def close(self) -> None:
        pass

    def _observations(self) -> dict[str, np.ndarray]:
        left, right = self.at["left"], self.at["right"]
        seen = {"left": [self.parcel - left, right - left], "right": [self.parcel - right, left - right]}
        return {agent: np.array(numbers, np.float32) / self.places for agent, numbers in seen.items()}


def main(updates: int, out: str) -> None:
    chorus.register_env("carriers", Carriers)
    run = chorus.train("carriers?places=7", updates=updates, seed=1, actors=2, out=out, callbacks=[print])
    print("return at first and at last:", run.metrics["mixed_return"][[0, -1]])
    print("episode length:", chorus.evaluate(out, episodes=50, greedy=True)["episode_length"])


if __name__ == "__main__":  # the processes that train import this file to find Carriers
    main(
        updates=int(sys.argv[1]) if len(sys.argv) > 1 else 60, out=sys.argv[2] if len(sys.argv) > 2 else "runs/carriers"
    )
