"""From slots to lives: a task's steps, regrouped into the sequences that the LSTM sees.

A trajectory is an array over `[time, row]` in which rows may be empty for a while, end, and begin anew. The LSTM is run
over *lives*: each a sequence of the steps at which its agent acted, starting from an empty memory. So no memory is ever
reset inside a sequence, and no padding is ever computed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chorus.common.environments.interface import BoolArray

Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Lives:
    """The steps of a task in packed order: first the first step of every life, longest life first, then the second, …

    Attributes:
        steps: `[step]`, the position of each step in the flattened `[time, row]` array; None for the flattened array as
            it is.
        sizes: `[rank]`, how many lives have a step of that rank (`batch_sizes` of a packed sequence).
        lengths: `[life]`, steps of each life, longest first.
    """

    steps: Indices | None
    sizes: Indices
    lengths: Indices

    @property
    def count(self) -> int:
        """Steps in all."""
        return int(self.sizes.sum())

    @property
    def life_of_step(self) -> Indices:
        """`[step]`, the number of the life that each step belongs to."""
        return np.concatenate([np.arange(size) for size in self.sizes])


def pack(acted: BoolArray, ended: BoolArray) -> Lives:
    """Find the lives of a task.

    Args:
        acted: bool `[time, row]`, where somebody acted.
        ended: bool `[time, row]`, where a life ended at the end of the step.
    """
    time, rows = acted.shape
    if acted.all() and not ended[:-1].any():
        return Lives(None, np.full(time, rows), np.full(rows, time))
    ended_before = np.zeros(acted.shape, np.intp)
    np.cumsum(ended[:-1], axis=0, out=ended_before[1:])
    row, step = np.nonzero(acted.T)
    key = row * (time + 1) + ended_before[step, row]
    begins = np.flatnonzero(np.diff(key, prepend=-1))
    lengths = np.diff(begins, append=len(key))
    life = np.repeat(np.arange(len(begins)), lengths)
    rank = np.arange(len(key)) - begins[life]
    order = np.argsort(-lengths, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    sizes = np.bincount(rank)
    steps = np.empty_like(rank)
    steps[(np.cumsum(sizes) - sizes)[rank] + place[life]] = step * rows + row
    return Lives(steps, sizes, lengths[order])


def earlier_steps(sizes: Indices) -> Indices:
    """For every step but the lives' first, the packed place of the same life's step before."""
    begins = np.cumsum(sizes) - sizes
    own = np.arange(int(sizes[0]), int(sizes.sum()))
    rank = np.repeat(np.arange(1, len(sizes)), sizes[1:])
    places: Indices = own - begins[rank] + begins[rank - 1]
    return places
