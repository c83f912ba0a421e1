"""What a rollout task yields: K whole episodes, time-major, every (episode, agent) slot at every step."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from chorus.common.environments.interface import (
    ActionArray,
    BoolArray,
    FloatArray,
    IntArray,
    ObservationArray,
)
from chorus.common.tasks.task import Task

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
