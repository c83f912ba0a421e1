"""Whether what was played could have come from its environment: a whole trajectory, or a part of one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chorus.common.environments.interface import AgentSpec, EnvironmentSpec
from chorus.common.errors import MalformedData
from chorus.common.tasks.parts import arrays_for
from chorus.common.tasks.trajectory import Array, Trajectory

LOOKED_AT = 1 << 20
"""Numbers that are looked at together."""


def validate(trajectory: Trajectory, environment: EnvironmentSpec, episodes: int) -> None:
    """Check that a trajectory could have come from this environment: types, shapes, ranges, finiteness.

    Raises:
        MalformedData: names the field and what is wrong with it.
    """
    time = trajectory.acted.shape[0] if trajectory.acted.ndim else 0
    if time < 1 or (environment.max_steps is not None and time > environment.max_steps):
        raise MalformedData(f"acted covers {time} steps; expected 1 to {environment.max_steps or 'any'}")
    lengths = {"lengths": ((episodes,), np.dtype(np.int32))}
    for name, (shape, dtype) in (arrays_for(environment, time, episodes) | lengths).items():
        array = trajectory.arrays[name]
        if array.dtype != dtype or array.shape != shape:
            raise MalformedData(f"{name} is {array.dtype} {list(array.shape)}; expected {dtype} {list(shape)}")
    validate_ends(trajectory)
    validate_slots(trajectory.arrays, environment)


def validate_slots(arrays: Mapping[str, Array], environment: EnvironmentSpec) -> None:
    """Check what was recorded at some steps, by itself: finiteness and ranges.

    Args:
        arrays: of a trajectory or of a part, their shapes and types being right.
        environment: that they are from.

    Raises:
        MalformedData: names the field and what is wrong with it.
    """
    for name, array in arrays.items():
        if array.dtype == np.float32 and not _is_finite(array):
            raise MalformedData(f"{name} holds a NaN or an infinity")
    if environment.discrete and (arrays["log_probabilities"] > 0).any():
        raise MalformedData("log_probabilities holds a probability above 1")
    for number, agent in enumerate(environment.agents):
        for component, choices in enumerate(agent.choices):
            taken = arrays["actions"][..., number, component]
            if taken.min() < 0 or taken.max() >= choices:
                raise MalformedData(
                    f"actions of {agent.name} component {component} run from {taken.min()} to {taken.max()};"
                    f" expected 0 to {choices - 1}"
                )
        if environment.action_masks:
            _validate_masks(arrays, number, agent)


def validate_ends(trajectory: Trajectory) -> None:
    """Check that nothing happens after the end of an episode, and something before it.

    Raises:
        MalformedData: names the field and what is wrong with it.
    """
    acted, lengths = trajectory.acted, trajectory.lengths
    if lengths.min() < 1 or lengths.max() != acted.shape[0]:
        raise MalformedData(f"lengths run from {lengths.min()} to {lengths.max()}; expected 1 to {acted.shape[0]}")
    running = np.arange(acted.shape[0])[:, None] < lengths[None, :]
    for name in ("acted", "individual_rewards", "team_rewards", "terminated", "truncated"):
        array = trajectory.arrays[name]
        if array[~running].any():
            raise MalformedData(f"{name} is set after the end of an episode")
    if not acted.any():
        raise MalformedData("acted is empty: nobody did anything")


def _is_finite(array: Array) -> bool:
    """Whether every number is, looked at a few at a time: what says so of each would weigh a quarter of the array."""
    numbers = array.reshape(-1)
    parts = (numbers[begin : begin + LOOKED_AT] for begin in range(0, len(numbers), LOOKED_AT))
    return all(bool(np.isfinite(part).all()) for part in parts)


def _validate_masks(arrays: Mapping[str, Array], number: int, agent: AgentSpec) -> None:
    """An action that was not allowed has a probability of zero, and would make the gradient infinite."""
    start = 0
    for component, choices in enumerate(agent.choices):
        allowed = arrays["action_masks"][..., number, start : start + choices]
        taken = arrays["actions"][..., number, component, None].astype(np.intp)
        forbidden = np.logical_not(np.take_along_axis(allowed, taken, axis=-1))
        if np.logical_and(arrays["acted"][..., number, None], forbidden).any():
            raise MalformedData(f"actions of {agent.name} component {component} hold one that action_masks forbids")
        start += choices
