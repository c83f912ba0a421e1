"""The shared recurrent policy in NumPy: encoder, LSTM cell, head, for many rows at once.

A row is one agent of one episode. The learner's torch network (`learner/network.py`) computes the same numbers from the
same tensors; tests and the metric of policy agreement hold one to the other. NumPy, because one step of 96 rows costs
less here than in torch, and because an actor without torch is small and starts at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.environment import BoolArray, FloatArray
from common.weights import Tensors

Rows = NDArray[np.intp]


class Inference:
    """One policy's weights and the LSTM states of its rows.

    The equations are those of `torch.nn.LSTM` (Hochreiter & Schmidhuber 1997, with forget gate: Gers et al. 2000):
    `i, f, o = sigmoid(.)`, `g = tanh(.)`, `c' = f c + i g`, `h' = o tanh(c')`, after an encoder `e = relu(W x + b)`.
    The logistic function is taken as `sigmoid(z) = (tanh(z / 2) + 1) / 2`, with the halves folded into the weights (a
    power of two: exact), so that all four gates are one call of tanh.
    """

    def __init__(self, tensors: Tensors, policy: str, rows: int) -> None:
        """Prepare `rows` rows of the policy whose tensors are named `policy/...`, all LSTM states zero."""
        own = {name.removeprefix(f"{policy}/"): value for name, value in tensors.items()}
        self._encoder_weight = np.ascontiguousarray(own["encoder.weight"].T)
        self._encoder_bias = own["encoder.bias"]
        width = own["lstm.weight_hh"].shape[1]
        order = np.r_[0 : 2 * width, 3 * width : 4 * width, 2 * width : 3 * width]  # torch: i f g o; here: i f o g
        scale = np.repeat(np.array([0.5, 1.0], np.float32), [3 * width, width])
        stacked = np.concatenate([own["lstm.weight_ih"], own["lstm.weight_hh"]], axis=1)
        self._gates_weight = np.ascontiguousarray((stacked[order] * scale[:, None]).T)
        self._gates_bias = own["lstm.bias"][order] * scale
        self._head_weight = np.ascontiguousarray(own["head.weight"])
        self._head_bias = own["head.bias"][:, None]
        self._width = width
        self._inputs = self._gates_weight.shape[0] - width
        self.hidden = np.zeros((rows, width), np.float32)
        self.cell = np.zeros((rows, width), np.float32)
        self._buffers: dict[int, _Buffers] = {}

    def forget(self, rows: BoolArray) -> None:
        """Zero the LSTM state of the rows marked in a bool `[row]`."""
        self.hidden[rows] = 0.0
        self.cell[rows] = 0.0

    def step(self, inputs: FloatArray, rows: Rows | None = None) -> FloatArray:
        """One forward pass; the LSTM states of the rows it covers move on, those of others stay.

        Args:
            inputs: float32 `[row, input]`, for the rows in question only.
            rows: which rows those are; None for all.

        Returns:
            float32 `[output, row]`, one column of logits per row; overwritten by the next call of as many rows.
        """
        count = inputs.shape[0]
        buffers = self._buffers.get(count) or self._buffers.setdefault(count, self._make_buffers(count))
        joined, gates, cell = buffers.joined, buffers.gates, buffers.cell
        np.matmul(inputs, self._encoder_weight, out=buffers.encoded)
        buffers.encoded += self._encoder_bias
        np.maximum(buffers.encoded, 0.0, out=joined[:, : self._inputs])
        joined[:, self._inputs :] = self.hidden if rows is None else self.hidden[rows]
        np.matmul(joined, self._gates_weight, out=gates)
        gates += self._gates_bias
        np.tanh(gates, out=gates)
        width = self._width
        sigmoids = gates[:, : 3 * width]
        sigmoids *= 0.5
        sigmoids += 0.5
        np.multiply(gates[:, width : 2 * width], self.cell if rows is None else self.cell[rows], out=cell)
        np.multiply(gates[:, :width], gates[:, 3 * width :], out=buffers.scratch)
        cell += buffers.scratch
        np.tanh(cell, out=buffers.scratch)
        np.multiply(gates[:, 2 * width : 3 * width], buffers.scratch, out=buffers.hidden)
        if rows is None:
            self.hidden[:] = buffers.hidden
            self.cell[:] = cell
        else:
            self.hidden[rows] = buffers.hidden
            self.cell[rows] = cell
        np.matmul(self._head_weight, buffers.hidden.T, out=buffers.logits)
        buffers.logits += self._head_bias
        return buffers.logits

    def _make_buffers(self, rows: int) -> _Buffers:
        return _Buffers(rows, self._inputs, self._width, self._head_weight.shape[0])


class _Buffers:
    """Memory for a forward pass of a fixed number of rows, so that a step allocates nothing."""

    def __init__(self, rows: int, inputs: int, width: int, outputs: int) -> None:
        self.encoded = np.empty((rows, inputs), np.float32)
        self.joined = np.empty((rows, inputs + width), np.float32)
        self.gates = np.empty((rows, 4 * width), np.float32)
        self.cell = np.empty((rows, width), np.float32)
        self.hidden = np.empty((rows, width), np.float32)
        self.scratch = np.empty((rows, width), np.float32)
        self.logits = np.empty((outputs, rows), np.float32)
