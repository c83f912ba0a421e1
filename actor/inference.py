"""The shared recurrent policy in NumPy: encoder, LSTM cell, head, for many rows at once.

A row is one agent of one episode. The learner's torch network (`learner/network.py`) computes the same numbers from the
same tensors; tests and the metric of policy agreement hold one to the other. NumPy, because one step of 96 rows costs
less here than in torch, and because an actor without torch is small and starts at once.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from actor.convolution import convolve
from common.environment import BoolArray, FloatArray
from common.sharing import PolicySpec
from common.weights import Tensors

Rows = NDArray[np.intp]


class Inference:
    """One policy's weights and the memories of its rows."""

    def __init__(self, tensors: Tensors, spec: PolicySpec, rows: int) -> None:
        """Prepare `rows` rows of the policy whose tensors are named `spec.name/...`, all memories empty."""
        own = {name.removeprefix(f"{spec.name}/"): value for name, value in tensors.items()}
        self._eyes = _Eyes(spec, own) if "convolution0.weight" in own else None
        self._normal = (own["observation.mean"], own["observation.scale"]) if "observation.mean" in own else None
        self._encoder_weight = np.ascontiguousarray(own["encoder.weight"].T)
        self._encoder_bias = own["encoder.bias"]
        self._memory: _Memory = _Lstm(own, rows) if "lstm.bias" in own else _Forgetful(own)
        self._head_weight = np.ascontiguousarray(own["head.weight"])
        self._head_bias = own["head.bias"][:, None]
        self.log_std: FloatArray | None = own.get("log_std")
        self._encoded: dict[int, FloatArray] = {}
        self._outputs: dict[int, FloatArray] = {}

    def forget(self, rows: BoolArray) -> None:
        """Empty the memory of the rows marked in a bool `[row]`."""
        self._memory.forget(rows)

    def step(self, inputs: FloatArray, rows: Rows | None = None) -> FloatArray:
        """One forward pass; the memories of the rows it covers move on, those of others stay.

        Args:
            inputs: float32 `[row, input]`, for the rows in question only.
            rows: which rows those are; None for all.

        Returns:
            float32 `[output, row]`, one column of logits or means per row; overwritten by the next call of as many
            rows.
        """
        count = len(inputs)
        if self._normal is not None:
            mean, scale = self._normal
            inputs = inputs.copy()
            inputs[:, : len(mean)] -= mean
            inputs[:, : len(mean)] *= scale
        if self._eyes is not None:
            inputs = self._eyes.see(inputs)
        encoded = _buffer(self._encoded, count, (count, len(self._encoder_bias)))
        np.matmul(inputs, self._encoder_weight, out=encoded)
        encoded += self._encoder_bias
        np.maximum(encoded, 0.0, out=encoded)
        hidden = self._memory.step(encoded, rows)
        outputs = _buffer(self._outputs, count, (len(self._head_bias), count))
        np.matmul(self._head_weight, hidden.T, out=outputs)
        outputs += self._head_bias
        return outputs


class _Memory(Protocol):
    def forget(self, rows: BoolArray) -> None: ...

    def step(self, encoded: FloatArray, rows: Rows | None) -> FloatArray: ...


class _Lstm:
    """The LSTM cell of `torch.nn.LSTM` (Hochreiter & Schmidhuber 1997, with forget gate: Gers et al. 2000).

    `i, f, o = sigmoid(.)`, `g = tanh(.)`, `c' = f c + i g`, `h' = o tanh(c')`. The logistic function is taken as
    `sigmoid(z) = (tanh(z / 2) + 1) / 2`, with the halves folded into the weights (a power of two: exact), so that all
    four gates are one call of tanh.
    """

    def __init__(self, own: Tensors, rows: int) -> None:
        width = own["lstm.weight_hh"].shape[1]
        order = np.r_[0 : 2 * width, 3 * width : 4 * width, 2 * width : 3 * width]  # torch: i f g o; here: i f o g
        scale = np.repeat(np.array([0.5, 1.0], np.float32), [3 * width, width])
        stacked = np.concatenate([own["lstm.weight_ih"], own["lstm.weight_hh"]], axis=1)
        self._weight = np.ascontiguousarray((stacked[order] * scale[:, None]).T)
        self._bias = own["lstm.bias"][order] * scale
        self._width = width
        self._hidden = np.zeros((rows, width), np.float32)
        self._cell = np.zeros((rows, width), np.float32)
        self._buffers: dict[int, _Buffers] = {}

    def forget(self, rows: BoolArray) -> None:
        self._hidden[rows] = 0.0
        self._cell[rows] = 0.0

    def step(self, encoded: FloatArray, rows: Rows | None) -> FloatArray:
        count, inputs = encoded.shape
        width = self._width
        if count not in self._buffers:
            self._buffers[count] = _Buffers(count, inputs, width)
        buffers = self._buffers[count]
        joined, gates, cell, scratch = buffers.joined, buffers.gates, buffers.cell, buffers.scratch
        joined[:, :inputs] = encoded
        joined[:, inputs:] = self._hidden if rows is None else self._hidden[rows]
        np.matmul(joined, self._weight, out=gates)
        gates += self._bias
        np.tanh(gates, out=gates)
        sigmoids = gates[:, : 3 * width]
        sigmoids *= 0.5
        sigmoids += 0.5
        np.multiply(gates[:, width : 2 * width], self._cell if rows is None else self._cell[rows], out=cell)
        np.multiply(gates[:, :width], gates[:, 3 * width :], out=scratch)
        cell += scratch
        np.tanh(cell, out=scratch)
        np.multiply(gates[:, 2 * width : 3 * width], scratch, out=buffers.hidden)
        if rows is None:
            self._hidden[:] = buffers.hidden
            self._cell[:] = cell
        else:
            self._hidden[rows] = buffers.hidden
            self._cell[rows] = cell
        return buffers.hidden


class _Buffers:
    """Memory for a step of a fixed number of rows, so that it allocates nothing."""

    def __init__(self, rows: int, inputs: int, width: int) -> None:
        self.joined = np.empty((rows, inputs + width), np.float32)
        self.gates = np.empty((rows, 4 * width), np.float32)
        self.cell = np.empty((rows, width), np.float32)
        self.hidden = np.empty((rows, width), np.float32)
        self.scratch = np.empty((rows, width), np.float32)


class _Forgetful:
    """A linear layer and a rectifier in the LSTM's place."""

    def __init__(self, own: Tensors) -> None:
        self._weight = np.ascontiguousarray(own["memory.weight"].T)
        self._bias = own["memory.bias"]

    def forget(self, rows: BoolArray) -> None:
        pass

    def step(self, encoded: FloatArray, rows: Rows | None) -> FloatArray:
        hidden: FloatArray = encoded @ self._weight
        hidden += self._bias
        np.maximum(hidden, 0.0, out=hidden)
        return hidden


class _Eyes:
    """The convolutions of a policy that sees pictures; whatever follows the picture in its input is passed on."""

    def __init__(self, spec: PolicySpec, own: Tensors) -> None:
        self._shape = spec.agent.observation_shape
        self._size = spec.agent.observation_size
        names = sorted(name for name in own if name.startswith("convolution") and name.endswith(".weight"))
        self._layers = [(own[name], own[name.replace(".weight", ".bias")]) for name in names]

    def see(self, inputs: FloatArray) -> FloatArray:
        pictures = inputs[:, : self._size].reshape(-1, *self._shape)
        for weight, bias in self._layers:
            pictures = convolve(pictures, weight, bias)
        return np.concatenate([pictures.reshape(len(inputs), -1), inputs[:, self._size :]], axis=1)


def _buffer(kept: dict[int, FloatArray], count: int, shape: tuple[int, int]) -> FloatArray:
    if count not in kept:
        kept[count] = np.empty(shape, np.float32)
    return kept[count]
