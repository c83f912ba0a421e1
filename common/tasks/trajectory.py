"""What a rollout task yields: K whole episodes, time-major, every (episode, agent) slot at every step."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from chorus.common.environments.interface import (
    ActionArray,
    AgentSpec,
    BoolArray,
    EnvironmentSpec,
    FloatArray,
    IntArray,
    ObservationArray,
)
from chorus.common.errors import MalformedData
from chorus.common.tasks.task import Task

LOOKED_AT = 1 << 20
"""Numbers that are looked at together."""
Array = NDArray[np.float32] | NDArray[np.int32] | NDArray[np.bool_] | NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The episodes of one rollout task, raw: neither normalised nor mixed, discounted or padded with anything but zero.

    T is the length of the longest episode, K the number of episodes, N of agents.

    Attributes:
        task: what was played.
        version: of the policy that acted.
        observations: float32, or uint8 by the environment's `observation_dtype`, `[time, episode, agent, observation]`.
        actions: int32 or float32 `[time, episode, agent, component]`; continuous ones before the squash.
        log_probabilities: float32 `[time, episode, agent]`, of the action by the policy that acted.
        acted: bool `[time, episode, agent]`, where an agent was present and acted; all else is zero elsewhere.
        individual_rewards: float32 `[time, episode, agent]`.
        team_rewards: float32 `[time, episode]`.
        terminated: bool `[time, episode, agent]`, where a life ended at this step in the environment's own terms.
        truncated: bool `[time, episode, agent]`, where a life was cut off after this step.
        lengths: int32 `[episode]`, steps of each episode.
        action_masks: bool `[time, episode, agent, choice]`, or `[0, 0, 0, 0]` if the environment has none.
    """

    task: Task
    version: int
    observations: ObservationArray
    actions: ActionArray
    log_probabilities: FloatArray
    acted: BoolArray
    individual_rewards: FloatArray
    team_rewards: FloatArray
    terminated: BoolArray
    truncated: BoolArray
    lengths: IntArray
    action_masks: BoolArray

    NAMES: ClassVar[tuple[str, ...]]

    @property
    def arrays(self) -> dict[str, Array]:
        """The arrays by name, in the order of the wire."""
        return {name: getattr(self, name) for name in self.NAMES}

    @property
    def env_steps(self) -> int:
        """Environment steps, summed over episodes."""
        return int(self.lengths.sum())

    @property
    def agent_steps(self) -> int:
        """Actions taken, summed over agents and episodes."""
        return int(np.count_nonzero(self.acted))


Trajectory.NAMES = tuple(field.name for field in fields(Trajectory) if field.name not in ("task", "version"))


def digest(trajectory: Trajectory) -> str:
    """SHA-256 of what was played: task, version, and every array's name, dtype, shape and bytes."""
    hashed = hashlib.sha256(repr((*trajectory.task, trajectory.version)).encode())
    for name, array in trajectory.arrays.items():
        hashed.update(f"{name} {array.dtype} {array.shape}".encode())
        hashed.update(np.ascontiguousarray(array).data)
    return hashed.hexdigest()


def validate(trajectory: Trajectory, environment: EnvironmentSpec, episodes: int) -> None:
    """Check that a trajectory could have come from this environment: types, shapes, ranges, finiteness.

    Raises:
        MalformedData: names the field and what is wrong with it.
    """
    time = trajectory.acted.shape[0] if trajectory.acted.ndim else 0
    agents = len(environment.agents)
    slots = (time, episodes, agents)
    if time < 1 or (environment.max_steps is not None and time > environment.max_steps):
        raise MalformedData(f"acted covers {time} steps; expected 1 to {environment.max_steps or 'any'}")
    masks = (*slots, environment.choice_size) if environment.action_masks else (0, 0, 0, 0)
    seen = environment.observation_dtype.type
    expected: dict[str, tuple[type, tuple[int, ...]]] = {
        "observations": (seen, (*slots, environment.observation_size)),
        "actions": (np.int32 if environment.discrete else np.float32, (*slots, environment.action_size)),
        "log_probabilities": (np.float32, slots),
        "acted": (np.bool_, slots),
        "individual_rewards": (np.float32, slots),
        "team_rewards": (np.float32, (time, episodes)),
        "terminated": (np.bool_, slots),
        "truncated": (np.bool_, slots),
        "lengths": (np.int32, (episodes,)),
        "action_masks": (np.bool_, masks),
    }
    for name, (dtype, shape) in expected.items():
        array = trajectory.arrays[name]
        if array.dtype != dtype or array.shape != shape:
            raise MalformedData(
                f"{name} is {array.dtype} {list(array.shape)}; expected {np.dtype(dtype)} {list(shape)}"
            )
        if dtype is np.float32 and not _is_finite(array):
            raise MalformedData(f"{name} holds a NaN or an infinity")
    _validate_contents(trajectory, environment)


def _is_finite(array: Array) -> bool:
    """Whether every number is, looked at a few at a time: what says so of each would weigh a quarter of the array."""
    numbers = array.reshape(-1)
    parts = (numbers[begin : begin + LOOKED_AT] for begin in range(0, len(numbers), LOOKED_AT))
    return all(bool(np.isfinite(part).all()) for part in parts)


def _validate_contents(trajectory: Trajectory, environment: EnvironmentSpec) -> None:
    acted, lengths = trajectory.acted, trajectory.lengths
    if lengths.min() < 1 or lengths.max() != acted.shape[0]:
        raise MalformedData(f"lengths run from {lengths.min()} to {lengths.max()}; expected 1 to {acted.shape[0]}")
    running = np.arange(acted.shape[0])[:, None] < lengths[None, :]
    if (acted & ~running[:, :, None]).any():
        raise MalformedData("acted is set after the end of an episode")
    for name in ("individual_rewards", "team_rewards", "terminated", "truncated"):
        array = trajectory.arrays[name]
        if array[~running].any():
            raise MalformedData(f"{name} is set after the end of an episode")
    if not acted.any():
        raise MalformedData("acted is empty: nobody did anything")
    if (trajectory.log_probabilities > 0).any() and environment.discrete:
        raise MalformedData("log_probabilities holds a probability above 1")
    for number, agent in enumerate(environment.agents):
        for component, choices in enumerate(agent.choices):
            taken = trajectory.actions[:, :, number, component]
            if taken.min() < 0 or taken.max() >= choices:
                raise MalformedData(
                    f"actions of {agent.name} component {component} run from {taken.min()} to {taken.max()};"
                    f" expected 0 to {choices - 1}"
                )
        if environment.action_masks:
            _validate_masks(trajectory, number, agent)


def _validate_masks(trajectory: Trajectory, number: int, agent: AgentSpec) -> None:
    """An action that was not allowed has a probability of zero, and would make the gradient infinite."""
    start = 0
    for component, choices in enumerate(agent.choices):
        allowed = trajectory.action_masks[:, :, number, start : start + choices]
        taken = trajectory.actions[:, :, number, component, None].astype(np.intp)
        if (trajectory.acted[:, :, number, None] & ~np.take_along_axis(allowed, taken, axis=2)).any():
            raise MalformedData(f"actions of {agent.name} component {component} hold one that action_masks forbids")
        start += choices
