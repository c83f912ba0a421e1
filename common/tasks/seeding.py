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


def stream(seed: int, draw: Draw, update: int = 0, index: int = 0) -> np.random.Generator:
    """The generator of one named stream; equal names give equal draws."""
    return np.random.Generator(np.random.Philox(key=[seed, int(draw)], counter=[0, 0, index, update]))


def environment_stream(seed: int, task: Task) -> np.random.Generator:
    """All the randomness of a task's environments."""
    draw = Draw.ENVIRONMENT if task.purpose is Purpose.TRAINING else Draw.EVALUATION_ENVIRONMENT
    return stream(seed, draw, task.update, task.index)


def action_stream(seed: int, task: Task) -> np.random.Generator:
    """All the randomness of a task's actions."""
    draw = Draw.ACTION if task.purpose is Purpose.TRAINING else Draw.EVALUATION_ACTION
    return stream(seed, draw, task.update, task.index)
