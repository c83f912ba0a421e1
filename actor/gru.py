"""The GRU cell in NumPy, for many rows at once; they come last, `[unit, row]`. Torch twin:
`learner/gradient/gru.py`."""

from __future__ import annotations

import numpy as np

from chorus.actor.memory import Rows, States
from chorus.common.environments.interface import BoolArray, FloatArray
from chorus.common.policy.weights import Tensors


class Gru:
    """The GRU cell of `torch.nn.GRU` (Cho et al. 2014, with the reset gate behind the product).

    `r, z = sigmoid(.)`, `n = tanh(W_n x + b_n + r m)`, `m = U_n h + b_hh`, `h' = n + z (h - n)`. The logistic function
    is `(tanh(. / 2) + 1) / 2`; its halves are moved into the weights (powers of two: exact).
    """

    scale = np.float32(1.0)

    def __init__(self, own: Tensors, name: str, rows: int) -> None:
        """Prepare `rows` empty memories of the layer `name`."""
        inputs, hidden = own[f"{name}.weight_ih"], own[f"{name}.weight_hh"]
        bias, second = own[f"{name}.bias"][:, None], own[f"{name}.bias_hh"][:, None]
        width, self._inputs = hidden.shape[1], inputs.shape[1]
        self._width = width
        half = np.float32(0.5)
        self._gates = half * np.concatenate([inputs, bias, hidden], axis=1)[: 2 * width]
        self._candidate = np.concatenate([inputs, bias], axis=1)[2 * width :]
        self._inner = half * np.concatenate([hidden[2 * width :], second], axis=1)
        self._everybody = _Cells(rows, self._inputs, width)
        self._some: dict[int, _Cells] = {}

    def forget(self, rows: BoolArray) -> None:
        """See `Memory`."""
        self._everybody.hidden[:, rows] = 0.0

    def read(self) -> States:
        """`hidden`."""
        return {"hidden": np.ascontiguousarray(self._everybody.hidden.T)}

    def write(self, states: States) -> None:
        """See `Memory`."""
        self._everybody.hidden[:] = states["hidden"].T

    def place(self, count: int, rows: Rows | None) -> FloatArray:
        """See `Memory`."""
        return self._cells(count, rows).encoded

    def step(self, count: int, rows: Rows | None) -> FloatArray:
        """See `Memory`."""
        width, inputs, cells = self._width, self._inputs, self._cells(count, rows)
        gates, candidate, inner, hidden = cells.gates, cells.candidate, cells.inner, cells.hidden
        if rows is not None:
            np.take(self._everybody.hidden, rows, axis=1, out=hidden, mode="clip")
        np.matmul(self._gates, cells.joined[:-1], out=gates)
        np.matmul(self._candidate, cells.joined[: inputs + 1], out=candidate)
        np.matmul(self._inner, cells.joined[inputs + 1 :], out=inner)
        np.tanh(gates, out=gates)
        gates += 1.0  # twice the logistic function
        inner *= gates[:width]
        candidate += inner
        np.tanh(candidate, out=candidate)
        hidden -= candidate
        hidden *= gates[width:]
        hidden *= 0.5
        hidden += candidate
        if rows is not None:
            self._everybody.hidden[:, rows] = hidden
        return hidden

    def _cells(self, count: int, rows: Rows | None) -> _Cells:
        if rows is None:
            return self._everybody
        if count not in self._some:
            self._some[count] = _Cells(count, self._inputs, self._width)
        return self._some[count]


class _Cells:
    """The memories of some rows, and all that a step of them writes to, so that it allocates nothing.

    Inputs, a one, hidden states and a one lie below one another, so that each product finds what it takes in one
    stretch.
    """

    def __init__(self, rows: int, inputs: int, width: int) -> None:
        self.joined = np.zeros((inputs + width + 2, rows), np.float32)
        self.joined[inputs] = self.joined[-1] = 1.0
        self.encoded, self.hidden = self.joined[:inputs], self.joined[inputs + 1 : -1]
        self.gates = np.empty((2 * width, rows), np.float32)
        self.candidate = np.empty((width, rows), np.float32)
        self.inner = np.empty((width, rows), np.float32)
