"""The interface of an environment: K episodes of one team of agents, stepped together.

A vectorised environment implements `Environment` itself; all others come through an adapter in `adapters`. Everything
is an array over `[episode, agent]`. Every (episode, agent) slot exists at every step, and `Frame.present` says which
agents are present. Agents with different spaces share the same arrays: observations are flattened and padded with zeros
to the longest, and `AgentSpec` has the true sizes.

A **life** of an agent begins when it is first present and ends when it is `terminated` or `truncated`. An agent that is
present again after that begins a new life (its recurrent state starts at zero). An agent that is only absent, as in a
game played in turns, keeps its life and its recurrent state. The episode ends with `Outcome.over`, which ends every
life in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import isfinite, prod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int32]
ActionArray = NDArray[np.int32] | NDArray[np.float32]
ObservationArray = NDArray[Any]
"""float32, or uint8 where every agent's observations are bytes."""


BYTE = np.float32(1 / 255)
"""The factor of byte observations at the network's input."""


def as_seen(observations: ObservationArray) -> FloatArray:
    """Observations as the networks read them: float32, bytes scaled to 0 … 1."""
    if observations.dtype != np.uint8:
        return observations
    seen: FloatArray = np.multiply(observations, BYTE, dtype=np.float32)
    return seen


class Bounds(Enum):
    """Which sides of a continuous action component are bounded."""

    NEITHER = "neither"
    LOW = "low"
    HIGH = "high"
    BOTH = "both"


def kind_of(bounds: tuple[float, float]) -> Bounds:
    """Which of `(low, high)` is finite."""
    low, high = map(isfinite, bounds)
    return Bounds.BOTH if low and high else Bounds.LOW if low else Bounds.HIGH if high else Bounds.NEITHER


@dataclass(frozen=True)
class AgentSpec:
    """Observations and actions of one agent.

    Attributes:
        name: unique in its environment; the glob patterns of `sharing.groups` match it.
        observation_shape: of one observation before it is flattened, `(18,)` or `(height, width, channels)`.
        choices: for discrete actions the number of choices of each component: `(5,)` is one choice of five,
            `(3, 2)` two components. Empty for continuous actions.
        bounds: for continuous actions `(low, high)` of each component, where either may be infinite. Empty for discrete
            actions.
        raw: observations are bytes from 0 to 255, which the networks read as 0 … 1.
    """

    name: str
    observation_shape: tuple[int, ...]
    choices: tuple[int, ...] = ()
    bounds: tuple[tuple[float, float], ...] = ()
    raw: bool = False

    def __post_init__(self) -> None:
        if bool(self.choices) == bool(self.bounds):
            raise ValueError(f"agent {self.name!r}: give either choices (discrete) or bounds (continuous)")

    @property
    def observation_size(self) -> int:
        """Length of the flattened observation."""
        return prod(self.observation_shape)

    @property
    def action_size(self) -> int:
        """Number of action components."""
        return len(self.choices) or len(self.bounds)


@dataclass(frozen=True)
class EnvironmentSpec:
    """The properties that an environment has in all its episodes.

    Attributes:
        name: the spec string that created it.
        package: distribution and version of the environment's code, e.g. `mpe2 1.1.1`; part of the fingerprint.
        agents: all agents that can ever appear, in the order of the agent axis.
        max_steps: no episode is longer; None if unknown.
        team_reward: whether the environment itself gives a team reward beside the individual ones.
        action_masks: whether frames carry `action_mask`.
        instances: how many instances may exist at once, by its own declaration; None for any number. One that is
            vectorised counts as one instance whatever K is.
    """

    name: str
    package: str
    agents: tuple[AgentSpec, ...]
    max_steps: int | None = None
    team_reward: bool = False
    action_masks: bool = False
    instances: int | None = None

    @property
    def observation_size(self) -> int:
        """Length of the observation axis: that of the longest flattened observation."""
        return max(agent.observation_size for agent in self.agents)

    @property
    def observation_dtype(self) -> np.dtype[np.float32] | np.dtype[np.uint8]:
        """Of observations in frames and trajectories: uint8 where every agent's are bytes, else float32."""
        return np.dtype(np.uint8) if all(agent.raw for agent in self.agents) else np.dtype(np.float32)

    @property
    def observation_bytes(self) -> int:
        """Bytes of one agent's observation at one step, as trajectories hold it."""
        return self.observation_size * self.observation_dtype.itemsize

    @property
    def action_size(self) -> int:
        """Length of the action axis: the most components that any agent has."""
        return max(agent.action_size for agent in self.agents)

    @property
    def choice_size(self) -> int:
        """Length of the action mask's last axis: the most choices, summed over components, that any agent has."""
        return max(sum(agent.choices) for agent in self.agents)

    @property
    def step_bytes(self) -> int:
        """Bytes that one step of one episode weighs in a trajectory, all agents and the team's reward."""
        choices = self.choice_size if self.action_masks else 0
        return len(self.agents) * (self.observation_bytes + 4 * (self.action_size + 2) + 3 + choices) + 4

    @property
    def discrete(self) -> bool:
        """Whether every agent's actions are discrete; the action array is then int32, else float32."""
        return all(agent.choices for agent in self.agents)


@dataclass(frozen=True)
class Frame:
    """What the agents observe before they act. The next step may reuse the arrays: copy what must last.

    Attributes:
        observations: float32, or uint8 by `spec.observation_dtype`, `[episode, agent, observation]`, flattened, zero
            beyond the agent's own length.
        present: bool `[episode, agent]`, which agents act now. The other slots are ignored.
        action_mask: bool `[episode, agent, choice]`, True where allowed, components one after the other; None
            if the environment has no masks.
    """

    observations: ObservationArray
    present: BoolArray
    action_mask: BoolArray | None = None


@dataclass(frozen=True)
class Outcome:
    """The outcome of one step. The next step may reuse the arrays: copy what must last.

    Attributes:
        rewards: float32 `[episode, agent]`, the individual rewards.
        team_rewards: float32 `[episode]`, the team reward; zeros where the environment has none.
        terminated: bool `[episode, agent]`, whose life ended at this step by the environment's rules.
        truncated: bool `[episode, agent]`, whose life ended at this step by a time limit.
        over: bool `[episode]`, which episodes are over; stays True from then on, and no step counts any more.
        final_observations: as `frame.observations`, `[episode, agent, observation]`, read only where `truncated`:
            the agent's last observation. None if no agent was truncated, or if `frame.observations` holds it.
        frame: the next observations; no agent is present in an episode that is over.
    """

    rewards: FloatArray
    team_rewards: FloatArray
    terminated: BoolArray
    truncated: BoolArray
    over: BoolArray
    frame: Frame
    final_observations: ObservationArray | None = None


class Environment(Protocol):
    """K episodes in lockstep. One object plays task after task; each task begins with `reset`.

    An episode must be a pure function of the generator given to `reset` and of the actions: `checks/purity.py` checks
    it before the first task.
    """

    @property
    def spec(self) -> EnvironmentSpec:
        """What stays the same over all episodes."""
        ...

    def reset(self, episodes: int, generator: np.random.Generator) -> Frame:
        """Begin `episodes` fresh episodes whose randomness, now and later, comes from `generator` alone."""
        ...

    def step(self, actions: ActionArray) -> Outcome:
        """Step every episode by `actions` `[episode, agent, component]`, int32 or float32 by `spec.discrete`.

        The actions of absent agents, and of episodes that are over, are zero and are ignored.
        """
        ...

    def render(self) -> NDArray[np.uint8] | None:
        """The first episode as an RGB image `[height, width, 3]`; None if the environment cannot be drawn."""
        ...

    def close(self) -> None:
        """Release what the environment holds."""
        ...
