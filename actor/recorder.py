"""Records a rollout step by step, and gives it away part by part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chorus.common.environments.interface import (
    ActionArray,
    BoolArray,
    EnvironmentSpec,
    FloatArray,
    Frame,
    IntArray,
    Outcome,
)
from chorus.common.errors import MalformedData
from chorus.common.tasks.parts import Part, Place, arrays_for, slots_of_part
from chorus.common.tasks.task import Task
from chorus.common.tasks.trajectory import Array, Trajectory


@dataclass(frozen=True)
class Row:
    """What a step's actors fill in."""

    actions: ActionArray
    log_probabilities: FloatArray


class Recorder:
    """Records a task into the arrays of one part at a time.

    Attributes:
        steps: played of the present wave.
        wave: the numbers of the present wave's episodes.
    """

    def __init__(self, spec: EnvironmentSpec, task: Task, version: int, episodes: int, instances: int) -> None:
        """Record K episodes that are played L at a time, in as many waves as `begin_wave` begins."""
        self.steps = 0
        self.wave = range(0)
        self._spec = spec
        self._task, self._version, self._episodes = task, version, episodes
        room = slots_of_part(spec, instances)
        self._room = min(room, episodes * spec.max_steps) if spec.max_steps else room
        self._place = Place(0, 0)
        self._arrays: dict[str, Array] = {}
        self._lengths: list[IntArray] = []
        self._used = 0
        self._running: BoolArray = np.ones(0, np.bool_)
        self._length: IntArray = np.zeros(0, np.int32)
        self._somebody = self._over = False

    @property
    def full(self) -> bool:
        """Whether the next step of this wave would not go into the present part."""
        return self._used + len(self.wave) > self._room

    def begin_wave(self, wave: range) -> None:
        """Record these episodes next."""
        self.steps, self.wave = 0, wave
        self._running = np.ones(len(wave), np.bool_)
        self._length = np.zeros(len(wave), np.int32)

    def begin_step(self, frame: Frame, everybody: bool) -> Row:
        """Record what the agents see, all of them if `everybody` is there; return where their actions go.

        Raises:
            MalformedData: an agent is present in an episode that is over.
        """
        if not self._arrays:
            shapes = arrays_for(self._spec, self._room)
            self._arrays = {name: np.zeros(shape, dtype) for name, (shape, dtype) in shapes.items()}
            self._place = Place(self.wave.start, self.steps)
        arrays, slots = self._arrays, slice(self._used, self._used + len(self.wave))
        if not self._running.all() and frame.present[~self._running].any():
            raise MalformedData("acted is set after the end of an episode")
        self._somebody = self._somebody or bool(frame.present.any())
        arrays["acted"][slots] = frame.present
        if everybody:
            arrays["observations"][slots] = frame.observations
        else:
            np.copyto(arrays["observations"][slots], frame.observations, where=frame.present[:, :, None])
        if frame.action_mask is not None:
            np.copyto(arrays["action_masks"][slots], frame.action_mask, where=frame.present[:, :, None])
        actions: Any = arrays["actions"][slots]
        log_probabilities: Any = arrays["log_probabilities"][slots]
        return Row(actions, log_probabilities)

    def end_step(self, outcome: Outcome) -> None:
        """Record what the step did, in the episodes that were still running."""
        arrays, running = self._arrays, self._running
        slots = slice(self._used, self._used + len(self.wave))
        arrays["individual_rewards"][slots] = outcome.rewards
        arrays["team_rewards"][slots] = outcome.team_rewards
        arrays["terminated"][slots] = outcome.terminated
        arrays["truncated"][slots] = outcome.truncated
        if not running.all():
            for name in ("individual_rewards", "team_rewards", "terminated", "truncated"):
                arrays[name][slots][~running] = 0
        self._length[running] += 1
        self._running = running & ~outcome.over
        self._used = slots.stop
        self.steps += 1

    def end_wave(self) -> None:
        """The wave's last episode is over.

        Raises:
            MalformedData: so is the task, and nobody did anything in it.
        """
        self._lengths.append(self._length)
        self._over = self.wave.stop == self._episodes
        if self._over and not self._somebody:
            raise MalformedData("acted is empty: nobody did anything")

    def take(self) -> Part:
        """What was recorded since the last part; it belongs to the caller."""
        recorded, lengths = self._arrays, np.concatenate([np.zeros(0, np.int32), *self._lengths])
        arrays: dict[str, Array] = {
            name: lengths if name == "lengths" else recorded[name][: self._used] for name in Trajectory.NAMES
        }
        self._arrays, self._lengths, self._used = {}, [], 0
        return Part(self._task, self._version, self._place, self._over, arrays)
