"""Records a rollout step by step, and wave by wave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chorus.common.environments.interface import (
    ActionArray,
    EnvironmentSpec,
    FloatArray,
    Frame,
    Outcome,
)
from chorus.common.tasks.task import Task
from chorus.common.tasks.trajectory import Trajectory

STEPS_AT_FIRST = 64


@dataclass(frozen=True)
class Row:
    """What a step's actors fill in."""

    actions: ActionArray
    log_probabilities: FloatArray


class Recorder:
    """Records a task into arrays that grow by doubling; a wave of episodes writes to its own part of them.

    Attributes:
        steps: played of the present wave.
        size: episodes in the present wave.
    """

    def __init__(self, spec: EnvironmentSpec, episodes: int) -> None:
        """Room for `episodes` episodes, in as many waves as `begin_wave` begins."""
        self._spec = spec
        self.steps = 0
        self.size = 0
        self._wave = slice(0, 0)
        slots = (spec.max_steps or STEPS_AT_FIRST, episodes, len(spec.agents))
        masks = (*slots, spec.choice_size) if spec.action_masks else (0, 0, 0, 0)
        self._arrays = {
            "observations": np.zeros((*slots, spec.observation_size), spec.observation_dtype),
            "actions": np.zeros((*slots, spec.action_size), np.int32 if spec.discrete else np.float32),
            "log_probabilities": np.zeros(slots, np.float32),
            "acted": np.zeros(slots, np.bool_),
            "individual_rewards": np.zeros(slots, np.float32),
            "team_rewards": np.zeros(slots[:2], np.float32),
            "terminated": np.zeros(slots, np.bool_),
            "truncated": np.zeros(slots, np.bool_),
            "action_masks": np.zeros(masks, np.bool_),
        }
        self._lengths = np.zeros(episodes, np.int32)
        self._running = np.ones(0, np.bool_)

    @property
    def wave(self) -> range:
        """The numbers of the present wave's episodes."""
        return range(self._wave.start, self._wave.stop)

    def begin_wave(self, first: int, size: int) -> None:
        """Record the `size` episodes from number `first` on next."""
        self.steps, self.size = 0, size
        self._wave = slice(first, first + size)
        self._running = np.ones(size, np.bool_)

    def begin_step(self, frame: Frame, everybody: bool) -> Row:
        """Record what the agents see, all of them if `everybody` is there; return where their actions go."""
        step, arrays, wave = self.steps, self._arrays, self._wave
        if step == len(arrays["acted"]):
            for name, array in arrays.items():
                if array.ndim and len(array):
                    arrays[name] = np.concatenate([array, np.zeros_like(array)])
        arrays["acted"][step, wave] = frame.present
        if everybody:
            arrays["observations"][step, wave] = frame.observations
        else:
            np.copyto(arrays["observations"][step, wave], frame.observations, where=frame.present[:, :, None])
        if frame.action_mask is not None:
            np.copyto(arrays["action_masks"][step, wave], frame.action_mask, where=frame.present[:, :, None])
        return Row(arrays["actions"][step, wave], arrays["log_probabilities"][step, wave])

    def end_step(self, outcome: Outcome) -> None:
        """Record what the step did, in the episodes that were still running."""
        step, arrays, running, wave = self.steps, self._arrays, self._running, self._wave
        arrays["individual_rewards"][step, wave] = outcome.rewards
        arrays["team_rewards"][step, wave] = outcome.team_rewards
        arrays["terminated"][step, wave] = outcome.terminated
        arrays["truncated"][step, wave] = outcome.truncated
        if not running.all():
            for name in ("individual_rewards", "team_rewards", "terminated", "truncated"):
                arrays[name][step, wave][~running] = 0
        self._lengths[wave][running] += 1
        self._running = running & ~outcome.over
        self.steps += 1

    def trajectory(self, task: Task, version: int) -> Trajectory:
        """All that was recorded."""
        steps = int(self._lengths.max())
        arrays = {name: array[:steps] for name, array in self._arrays.items()}
        return Trajectory(task, version, lengths=self._lengths, **arrays)
