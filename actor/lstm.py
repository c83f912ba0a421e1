"""The LSTM cell in NumPy, for many rows at once; they come last, `[unit, row]`."""

from __future__ import annotations

import numpy as np

from chorus.actor.memory import Rows, States
from chorus.common.environments.interface import BoolArray, FloatArray
from chorus.common.policy.weights import Tensors


class Lstm:
    """The LSTM cell of `torch.nn.LSTM` (Hochreiter & Schmidhuber 1997, with forget gate: Gers et al. 2000).

    `i, f, o = sigmoid(.)`, `g = tanh(.)`, `c' = f c + i g`, `h' = o tanh(c')`. The logistic function is taken as
    `sigmoid(z) = (tanh(z / 2) + 1) / 2`, so that all four gates are one call of tanh. Its halves are moved to where
    they cost nothing, into the weights (powers of two: exact): what is kept between steps, and put out, is `2 h`.
    """

    scale = np.float32(0.5)

    def __init__(self, own: Tensors, name: str, rows: int) -> None:
        """Prepare `rows` empty memories of the layer `name`."""
        width = own[f"{name}.weight_hh"].shape[1]
        order = np.r_[0 : 2 * width, 3 * width : 4 * width, 2 * width : 3 * width]  # torch: i f g o; here: i f o g
        halves = np.repeat(np.array([0.5, 1.0], np.float32), [3 * width, width])
        stacked = [own[f"{name}.weight_ih"], self.scale * own[f"{name}.weight_hh"], own[f"{name}.bias"][:, None]]
        self._weight = np.concatenate(stacked, axis=1)[order] * halves[:, None]
        self._inputs, self._width = own[f"{name}.weight_ih"].shape[1], width
        self._everybody = _Cells(rows, self._inputs, width)
        self._some: dict[int, _Cells] = {}

    def forget(self, rows: BoolArray) -> None:
        """See `Memory`."""
        self._everybody.hidden[:, rows] = 0.0
        self._everybody.cell[:, rows] = 0.0

    def read(self) -> States:
        """`hidden` and `cell`."""
        return {
            "hidden": np.ascontiguousarray(self.scale * self._everybody.hidden.T),
            "cell": np.ascontiguousarray(self._everybody.cell.T),
        }

    def write(self, states: States) -> None:
        """See `Memory`."""
        np.divide(states["hidden"].T, self.scale, out=self._everybody.hidden)
        self._everybody.cell[:] = states["cell"].T

    def place(self, count: int, rows: Rows | None) -> FloatArray:
        """See `Memory`."""
        return self._cells(count, rows).encoded

    def step(self, count: int, rows: Rows | None) -> FloatArray:
        """See `Memory`."""
        width, cells = self._width, self._cells(count, rows)
        gates, cell, scratch, hidden = cells.gates, cells.cell, cells.scratch, cells.hidden
        if rows is not None:
            np.take(self._everybody.hidden, rows, axis=1, out=hidden, mode="clip")
            np.take(self._everybody.cell, rows, axis=1, out=cell, mode="clip")
        np.matmul(self._weight, cells.joined, out=gates)
        np.tanh(gates, out=gates)
        gates[: 3 * width] += 1.0  # twice the logistic function
        cell *= gates[width : 2 * width]
        np.multiply(gates[:width], gates[3 * width :], out=scratch)
        cell += scratch
        cell *= 0.5
        np.tanh(cell, out=scratch)
        np.multiply(gates[2 * width : 3 * width], scratch, out=hidden)
        if rows is not None:
            self._everybody.hidden[:, rows] = hidden
            self._everybody.cell[:, rows] = cell
        return hidden

    def _cells(self, count: int, rows: Rows | None) -> _Cells:
        if rows is None:
            return self._everybody
        if count not in self._some:
            self._some[count] = _Cells(count, self._inputs, self._width)
        return self._some[count]


class _Cells:
    """The memories of some rows, and all that a step of them writes to, so that it allocates nothing.

    Encoded inputs, hidden states and a one for the bias lie below one another, so that one product takes them all and
    none is ever copied.
    """

    def __init__(self, rows: int, inputs: int, width: int) -> None:
        self.joined = np.zeros((inputs + width + 1, rows), np.float32)
        self.joined[-1] = 1.0
        self.encoded, self.hidden = self.joined[:inputs], self.joined[inputs:-1]
        self.cell = np.zeros((width, rows), np.float32)
        self.gates = np.empty((4 * width, rows), np.float32)
        self.scratch = np.empty((width, rows), np.float32)
