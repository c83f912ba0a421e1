"""A world of exact arithmetic: three agents whose numbers drift by sums and products, so that only the policy's own
arithmetic can differ from machine to machine. Observations are numbers, sets or pictures; actions of every kind."""

from __future__ import annotations

from math import inf, prod

import numpy as np
from numpy.typing import NDArray

from chorus.common.environments.interface import (
    ActionArray,
    AgentSpec,
    BoolArray,
    EnvironmentSpec,
    FloatArray,
    Frame,
    Outcome,
)
from chorus.common.errors import EnvironmentFault

AGENTS, STEPS = 3, 8
KEPT = np.float32(0.75)
BOUNDS = {"bounded": ((-1.0, 1.0), (0.0, 3.0)), "unbounded": ((-inf, inf), (0.0, inf), (-inf, 2.0), (-2.0, 2.0))}


class Meadow:
    """K episodes at once, as `chorus.common.environments.interface.Environment` has it."""

    def __init__(self, shape: tuple[int, ...], actions: str, uneven: bool) -> None:
        """Agents that see `shape` and act by `actions`: `choice`, or a key of `BOUNDS`; `uneven`: they die early."""
        bounds = BOUNDS.get(actions, ())
        choices = () if bounds else (5,)
        agents = tuple(AgentSpec(f"agent_{i}", shape, choices, bounds) for i in range(AGENTS))
        self.spec = EnvironmentSpec("meadow", "chorus-meadow 1", agents, max_steps=STEPS, team_reward=True)
        self._uneven = uneven
        self._size = prod(shape)
        self._state: FloatArray | None = None
        self._ends: NDArray[np.int64] = np.empty(0, np.int64)
        self._step = 0

    def reset(self, episodes: int, generator: np.random.Generator) -> Frame:
        """Anywhere; with lives of drawn lengths if they are uneven."""
        self._state = generator.uniform(-1.0, 1.0, (episodes, AGENTS, self._size)).astype(np.float32)
        lengths = generator.integers(1, STEPS + 1, (episodes, AGENTS))
        self._ends = lengths if self._uneven else np.full_like(lengths, STEPS)
        self._step = 0
        return self._frame()

    def step(self, actions: ActionArray) -> Outcome:
        """Drift; whoever acts as its first numbers say is rewarded, and pushes them."""
        if self._state is None:
            raise EnvironmentFault("environment 'meadow': step before reset; call reset first")
        self._step += 1
        push = actions.astype(np.float32)
        count = push.shape[2]
        rewards = -np.abs(self._state[:, :, :count] - np.float32(0.25) * push).sum(axis=2)
        alive: BoolArray = np.less_equal(self._step, self._ends)
        rewards = np.where(alive, rewards, np.float32(0.0)).astype(np.float32)
        self._state = KEPT * self._state + (np.float32(1.0) - KEPT) * np.roll(self._state, 1, axis=2)
        self._state[:, :, :count] += np.float32(0.125) * push
        frame = self._frame()
        return Outcome(
            rewards=rewards,
            team_rewards=(rewards[:, 0] - rewards[:, 1] * np.float32(0.5)).astype(np.float32),
            terminated=np.equal(self._step, self._ends),
            truncated=np.zeros_like(alive),
            over=np.logical_not(frame.present.any(axis=1)),
            frame=frame,
        )

    def render(self) -> NDArray[np.uint8] | None:
        """There is nothing to see."""
        return None

    def close(self) -> None:
        """Nothing is held."""

    def _frame(self) -> Frame:
        if self._state is None:
            raise EnvironmentFault("environment 'meadow': no episode has begun; call reset first")
        present: BoolArray = np.less(self._step, self._ends)
        return Frame(np.where(present[:, :, None], self._state, np.float32(0.0)), present)
