"""Synthetic trajectories: valid, made of random numbers, for benchmarks that only move or encode them."""

from __future__ import annotations

import numpy as np

from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.tasks.task import Task
from chorus.common.tasks.trajectory import Trajectory


def made_trajectory(environment: EnvironmentSpec, episodes: int, task: Task, version: int = 0) -> Trajectory:
    """A trajectory of the environment's longest episodes; discrete actions, no masks."""
    generator = np.random.default_rng(0)
    slots = (environment.max_steps or 25, episodes, len(environment.agents))
    ended = np.zeros(slots, np.bool_)
    ended[-1] = True
    return Trajectory(
        task=task,
        version=version,
        observations=generator.random((*slots, environment.observation_size), np.float32),
        actions=np.zeros((*slots, environment.action_size), np.int32),
        log_probabilities=-generator.random(slots, np.float32),
        acted=np.ones(slots, np.bool_),
        individual_rewards=generator.random(slots, np.float32),
        team_rewards=generator.random(slots[:2], np.float32),
        terminated=np.zeros(slots, np.bool_),
        truncated=ended,
        lengths=np.full(episodes, slots[0], np.int32),
        action_masks=np.zeros((0, 0, 0, 0), np.bool_),
    )
