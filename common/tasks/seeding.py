"""Where every random number comes from: counter-based streams named by (run seed, purpose, update, index).

Philox (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") turns a key and a counter into draws, so
streams need no order and no state that outlives a task. The key is (seed, purpose); the two high words of the counter
are (update, index), which leaves each stream 2^128 draws of its own.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from chorus.common.tasks.task import Purpose, Task


class Draw(IntEnum):
    """What a stream is drawn for; part of its key, never renumber."""

    INITIALISATION = 0
    ENVIRONMENT = 1
    ACTION = 2
    EVALUATION_ENVIRONMENT = 3
    EVALUATION_ACTION = 4
    AUDIT = 5
    OPPONENT = 6
    SCRIPT = 7


def stream(seed: int, draw: Draw, update: int = 0, index: int = 0, part: int = 0) -> np.random.Generator:
    """The generator of one named stream; equal names give equal draws. One of many parts has 2^64 draws."""
    return np.random.Generator(np.random.Philox(key=[seed, int(draw)], counter=[0, part, index, update]))


def environment_stream(seed: int, task: Task) -> np.random.Generator:
    """All the randomness of a task's environments."""
    draw = Draw.ENVIRONMENT if task.purpose is Purpose.TRAINING else Draw.EVALUATION_ENVIRONMENT
    return stream(seed, draw, task.update, task.index)


def script_stream(seed: int, task: Task, episode: int, agent: int) -> np.random.Generator:
    """All the randomness of a scripted agent in one episode of a task."""
    return stream(seed, Draw.SCRIPT, task.update, task.index, (episode << 32) | agent)


def action_stream(seed: int, task: Task) -> np.random.Generator:
    """All the randomness of a task's actions."""
    draw = Draw.ACTION if task.purpose is Purpose.TRAINING else Draw.EVALUATION_ACTION
    return stream(seed, draw, task.update, task.index)
