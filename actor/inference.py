"""The shared recurrent policy in NumPy: encoder, LSTM cell, head, for many rows at once.

A row is one agent of one episode; rows come last here, `[unit, row]`, so that each gate is one stretch of memory. The
learner's torch network (`learner/gradient/network.py`) computes the same numbers from the same tensors; tests and the
metric of policy agreement hold one to the other. NumPy, because one step of 96 rows costs less here than in torch, and
because an actor without torch is small and starts at once.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from chorus.actor.convolution import convolve
from chorus.common.environments.interface import BoolArray, FloatArray
from chorus.common.policy.sharing import PolicySpec
from chorus.common.policy.weights import Tensors

Rows = NDArray[np.intp]
Memories = dict[str, FloatArray]


class Inference:
    """One policy's weights and the memories of its rows."""

    def __init__(self, tensors: Tensors, spec: PolicySpec, rows: int) -> None:
        """Prepare `rows` rows of the policy whose tensors are named `spec.name/...`, all memories empty."""
        own = {name.removeprefix(f"{spec.name}/"): value for name, value in tensors.items()}
        self._eyes = _Eyes(spec, own) if "convolution0.weight" in own else None
        self._normal = (own["observation.mean"], own["observation.scale"]) if "observation.mean" in own else None
        self._encoder_weight = np.ascontiguousarray(own["encoder.weight"])
        self._encoder_bias = own["encoder.bias"][:, None]
        self._memory: _Memory = _Lstm(own, rows) if "lstm.bias" in own else _Forgetful(own)
        self._head_weight = np.ascontiguousarray(own["head.weight"]) * self._memory.scale
        self._head_bias = own["head.bias"][:, None]
        self.log_std: FloatArray | None = own.get("log_std")
        self._outputs: dict[int, FloatArray] = {}

    def forget(self, rows: BoolArray) -> None:
        """Empty the memory of the rows marked in a bool `[row]`."""
        self._memory.forget(rows)

    def memories(self) -> Memories:
        """What every row remembers, by name (`hidden` and `cell` of an LSTM): float32 `[row, unit]`, copied."""
        return self._memory.read()

    def remember(self, memories: Memories) -> None:
        """Put memories in place of those of all rows; names and shapes are those of `memories()`."""
        self._memory.write(memories)

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
        encoded = self._memory.place(count, rows)
        np.matmul(self._encoder_weight, inputs.T, out=encoded)
        encoded += self._encoder_bias
        np.maximum(encoded, 0.0, out=encoded)
        hidden = self._memory.step(count, rows)
        outputs = _buffer(self._outputs, (len(self._head_bias), count))
        np.matmul(self._head_weight, hidden, out=outputs)
        outputs += self._head_bias
        return outputs


class _Memory(Protocol):
    scale: np.float32
    """What outputs are to be multiplied by."""

    def forget(self, rows: BoolArray) -> None: ...

    def read(self) -> Memories: ...

    def write(self, memories: Memories) -> None: ...

    def place(self, count: int, rows: Rows | None) -> FloatArray:
        """Where the encoded inputs of `count` rows are to be written, `[unit, row]`."""
        ...

    def step(self, count: int, rows: Rows | None) -> FloatArray:
        """The rows' outputs `[unit, row]`, from what was written there."""
        ...


class _Lstm:
    """The LSTM cell of `torch.nn.LSTM` (Hochreiter & Schmidhuber 1997, with forget gate: Gers et al. 2000).

    `i, f, o = sigmoid(.)`, `g = tanh(.)`, `c' = f c + i g`, `h' = o tanh(c')`. The logistic function is taken as
    `sigmoid(z) = (tanh(z / 2) + 1) / 2`, so that all four gates are one call of tanh. Its halves are moved to where
    they cost nothing, into the weights (powers of two: exact): what is kept between steps, and put out, is `2 h`.
    """

    scale = np.float32(0.5)

    def __init__(self, own: Tensors, rows: int) -> None:
        width = own["lstm.weight_hh"].shape[1]
        order = np.r_[0 : 2 * width, 3 * width : 4 * width, 2 * width : 3 * width]  # torch: i f g o; here: i f o g
        halves = np.repeat(np.array([0.5, 1.0], np.float32), [3 * width, width])
        stacked = [own["lstm.weight_ih"], self.scale * own["lstm.weight_hh"], own["lstm.bias"][:, None]]
        self._weight = np.concatenate(stacked, axis=1)[order] * halves[:, None]
        self._inputs, self._width = own["lstm.weight_ih"].shape[1], width
        self._everybody = _Cells(rows, self._inputs, width)
        self._some: dict[int, _Cells] = {}

    def forget(self, rows: BoolArray) -> None:
        self._everybody.hidden[:, rows] = 0.0
        self._everybody.cell[:, rows] = 0.0

    def read(self) -> Memories:
        return {
            "hidden": np.ascontiguousarray(self.scale * self._everybody.hidden.T),
            "cell": np.ascontiguousarray(self._everybody.cell.T),
        }

    def write(self, memories: Memories) -> None:
        np.divide(memories["hidden"].T, self.scale, out=self._everybody.hidden)
        self._everybody.cell[:] = memories["cell"].T

    def place(self, count: int, rows: Rows | None) -> FloatArray:
        return self._cells(count, rows).encoded

    def step(self, count: int, rows: Rows | None) -> FloatArray:
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


class _Forgetful:
    """A linear layer and a rectifier in the LSTM's place."""

    scale = np.float32(1.0)

    def __init__(self, own: Tensors) -> None:
        self._weight = np.ascontiguousarray(own["memory.weight"])
        self._bias = own["memory.bias"][:, None]
        self._encoded: dict[int, FloatArray] = {}

    def forget(self, rows: BoolArray) -> None:
        pass

    def read(self) -> Memories:
        return {}

    def write(self, memories: Memories) -> None:
        pass

    def place(self, count: int, rows: Rows | None) -> FloatArray:
        return _buffer(self._encoded, (self._weight.shape[1], count))

    def step(self, count: int, rows: Rows | None) -> FloatArray:
        hidden: FloatArray = self._weight @ self._encoded[count]
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


def _buffer(kept: dict[int, FloatArray], shape: tuple[int, int]) -> FloatArray:
    """Memory of that shape, kept by its number of rows."""
    if shape[1] not in kept:
        kept[shape[1]] = np.empty(shape, np.float32)
    return kept[shape[1]]
