"""A program in a policy's place: one side's agents in one task, each life of each by an `act` of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from chorus.actor.recorder import Row
from chorus.common.environments.interface import ActionArray, AgentSpec, BoolArray, EnvironmentSpec, Frame
from chorus.common.environments.scripts import Act, load
from chorus.common.environments.user_errors import blame
from chorus.common.errors import EnvironmentFault
from chorus.common.tasks.seeding import script_stream
from chorus.common.tasks.task import Task


class Scripted:
    """The agents that a script plays in one wave of a task's episodes."""

    def __init__(
        self,
        script: str,
        agents: tuple[int, ...],
        environment: EnvironmentSpec,
        seed: int,
        task: Task,
        episodes: range,
    ) -> None:
        """Play for `agents` in the task's `episodes`.

        Raises:
            ConfigError: there is no such script.
        """
        self._script = script
        self._factory = load(script)
        self._specs = {agent: environment.agents[agent] for agent in agents}
        self._task = task
        self._episodes = episodes
        self._acting: dict[tuple[int, int], Act] = {}
        self._draws = {
            (place, agent): script_stream(seed, task, episode, agent)
            for place, episode in enumerate(episodes)
            for agent in agents
        }

    def act(self, frame: Frame, born: BoolArray, record: Row, taken: ActionArray, step: int) -> None:
        """Fill in the script's part of the record and of the actions `taken`, where its agents are present.

        What is recorded is what the environment gets, with a probability of one.

        Raises:
            EnvironmentFault: the script raised something, or answered what is no allowed action.
        """
        for slot, draws in self._draws.items():
            if not frame.present[slot]:
                continue
            place, number = slot
            spec = self._specs[number]
            where = (
                f"opponents: scripted:{self._script}: {spec.name}, episode {self._episodes[place]}, step {step} of"
                f" {self._task}"
            )
            seen = frame.observations[slot][: spec.observation_size].reshape(spec.observation_shape).copy()
            mask = None if frame.action_mask is None else frame.action_mask[slot][: sum(spec.choices)].copy()
            try:
                if born[slot]:
                    self._acting[slot] = self._factory(spec)
                answer = self._acting[slot](seen, mask, draws)
            except Exception as fault:
                raise EnvironmentFault(f"{where}: it raised {type(fault).__name__}: {fault}") from fault
            except BaseException as error:
                blamed = blame(error, where)
                raise blamed from blamed.__cause__
            action = checked(answer, spec, mask, where)
            size = spec.action_size
            record.actions[place, number, :size] = action
            taken[place, number, :size] = action


def checked(answer: Any, spec: AgentSpec, mask: BoolArray | None, where: str) -> ActionArray:
    """The action that a script answered.

    Returns:
        int32 or float32 `[component]`.

    Raises:
        EnvironmentFault: it is none of this agent's actions, or is not allowed now; begins with `where`.
    """
    wanted = (
        f"one whole number per component, {list(spec.choices)} choices" if spec.choices else f"within {spec.bounds}"
    )
    try:
        action = np.asarray(answer).reshape(spec.action_size)
    except (TypeError, ValueError) as fault:
        raise EnvironmentFault(f"{where}: it answered {answer!r}; expected {wanted}") from fault
    if spec.choices:
        if action.dtype.kind not in "iu" or (action < 0).any() or (action >= np.asarray(spec.choices)).any():
            raise EnvironmentFault(f"{where}: it answered {answer!r}; expected {wanted}")
        begins = np.cumsum([0, *spec.choices[:-1]])
        if mask is not None and not mask[begins + action].all():
            raise EnvironmentFault(f"{where}: it answered {answer!r}, which the mask forbids")
        return action.astype(np.int32)
    if action.dtype.kind not in "iuf" or not np.isfinite(action).all():
        raise EnvironmentFault(f"{where}: it answered {answer!r}; expected {wanted}")
    low, high = np.asarray(spec.bounds, np.float64).T
    if (action < low).any() or (action > high).any():
        raise EnvironmentFault(f"{where}: it answered {answer!r}; expected {wanted}")
    return action.astype(np.float32)
