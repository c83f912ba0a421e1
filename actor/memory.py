"""What every layer of memory can do, and the one that remembers nothing. The others: `lstm.py`, `gru.py`."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from chorus.actor.layer import Layer
from chorus.common.environments.interface import BoolArray, FloatArray
from chorus.common.policy.weights import Tensors

Rows = NDArray[np.intp]
States = dict[str, FloatArray]
"""What rows remember, by name: float32 `[row, unit]` each."""


class Memory(Protocol):
    """One layer of memory, with a state for every row."""

    scale: np.float32
    """What outputs are to be multiplied by."""

    def forget(self, rows: BoolArray) -> None:
        """Empty the states of the rows marked in a bool `[row]`."""
        ...

    def read(self) -> States:
        """The states of all rows, copied."""
        ...

    def write(self, states: States) -> None:
        """Put states in place of those of all rows; names and shapes are those of `read`."""
        ...

    def place(self, count: int, rows: Rows | None) -> FloatArray:
        """Where the inputs of `count` rows, named by `rows` or all of them, are to be written, `[unit, row]`."""
        ...

    def step(self, count: int, rows: Rows | None) -> FloatArray:
        """The rows' outputs `[unit, row]`, from what was written there; their states move on."""
        ...


class Forgetful:
    """A linear layer and an activation in a memory's place."""

    scale = np.float32(1.0)

    def __init__(self, own: Tensors, name: str, activation: str) -> None:
        """The layer `name`."""
        self._layer = Layer(own, name, activation)
        self._inputs = own[f"{name}.weight"].shape[1]
        self._read: dict[int, FloatArray] = {}
        self._written: dict[int, FloatArray] = {}

    def forget(self, rows: BoolArray) -> None:
        """There is nothing to forget."""

    def read(self) -> States:
        """Nothing is remembered."""
        return {}

    def write(self, states: States) -> None:
        """There is nothing to remember."""

    def place(self, count: int, rows: Rows | None) -> FloatArray:
        """See `Memory`."""
        return buffer(self._read, (self._inputs, count))

    def step(self, count: int, rows: Rows | None) -> FloatArray:
        """See `Memory`."""
        hidden = buffer(self._written, (self._layer.width, count))
        self._layer.apply(self._read[count], hidden)
        return hidden


def buffer(kept: dict[int, FloatArray], shape: tuple[int, int]) -> FloatArray:
    """Memory of that shape, kept by its number of rows."""
    if shape[1] not in kept:
        kept[shape[1]] = np.empty(shape, np.float32)
    return kept[shape[1]]
