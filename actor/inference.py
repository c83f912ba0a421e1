"""The shared recurrent policy in NumPy: eyes, encoder, memory, head, for many rows at once.

A row is one agent of one episode; rows come last here, `[unit, row]`, so that each gate is one stretch of memory. The
learner's torch network (`learner/gradient/network.py`) computes the same numbers from the same tensors; tests and the
metric of policy agreement hold one to the other. NumPy, because one step of 96 rows costs less here than in torch, and
because an actor without torch is small and starts at once.
"""

from __future__ import annotations

import numpy as np

from chorus.actor.attention import SetEyes
from chorus.actor.convolution import PictureEyes
from chorus.actor.gru import Gru
from chorus.actor.layer import Layer, Norm
from chorus.actor.lstm import Lstm
from chorus.actor.memory import Forgetful, Memory, Rows, buffer
from chorus.common.environments.interface import BoolArray, FloatArray
from chorus.common.policy.sharing import PolicySpec
from chorus.common.policy.trunk import is_picture, is_set, memory_names, numbered
from chorus.common.policy.weights import Tensors
from chorus.common.settings.config import NetworkConfig


class Inference:
    """One policy's weights and the memories of its rows."""

    def __init__(self, tensors: Tensors, spec: PolicySpec, rows: int) -> None:
        """Prepare `rows` rows of the policy whose tensors are named `spec.name/...`, all memories empty."""
        own = {name.removeprefix(f"{spec.name}/"): value for name, value in tensors.items()}
        network = spec.network
        self._eyes = _eyes(own, spec)
        self._normal = (own["observation.mean"], own["observation.scale"]) if "observation.mean" in own else None
        names = [numbered("encoder", number) for number in range(len(network.encoder_widths))]
        self._encoder = [Layer(own, name, network.activation) for name in names]
        self._memories = [_memory(own, name, network, rows) for name in memory_names(network)]
        self._norms = [
            Norm.of(own, name) if network.memory != "none" else None  # that of a linear layer is the layer's own
            for name in memory_names(network)
        ]
        last = self._memories[-1].scale if self._norms[-1] is None else np.float32(1.0)
        self._head_weight = np.ascontiguousarray(own["head.weight"]) * last
        self._head_bias = own["head.bias"][:, None]
        self.log_std: FloatArray | None = own.get("log_std")
        self._between: list[dict[int, FloatArray]] = [{} for _ in range(len(names))]
        self._normed: dict[int, FloatArray] = {}
        self._outputs: dict[int, FloatArray] = {}

    def forget(self, rows: BoolArray) -> None:
        """Empty the memory of the rows marked in a bool `[row]`."""
        for memory in self._memories:
            memory.forget(rows)

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
        self._encode(inputs.T, self._memories[0].place(count, rows))
        for number, (memory, norm) in enumerate(zip(self._memories, self._norms, strict=True)):
            hidden = memory.step(count, rows)
            last = number == len(self._memories) - 1
            if last and norm is None:
                break
            place = buffer(self._normed, hidden.shape) if last else self._memories[number + 1].place(count, rows)
            np.multiply(hidden, memory.scale, out=place)
            if norm is not None:
                norm.apply(place)
            hidden = place
        outputs = buffer(self._outputs, (len(self._head_bias), count))
        np.matmul(self._head_weight, hidden, out=outputs)
        outputs += self._head_bias
        return outputs

    def _encode(self, inputs: FloatArray, place: FloatArray) -> None:
        """Write what the encoder makes of inputs `[input, row]` where the memory reads it."""
        for number, layer in enumerate(self._encoder):
            last = number == len(self._encoder) - 1
            outputs = place if last else buffer(self._between[number], (layer.width, inputs.shape[1]))
            layer.apply(inputs, outputs)
            inputs = outputs
        if not self._encoder:
            place[:] = inputs


def _eyes(own: Tensors, spec: PolicySpec) -> PictureEyes | SetEyes | None:
    if is_picture(spec.agent.observation_shape, spec.network):
        return PictureEyes(own, spec.seen, spec.network)
    if is_set(spec.agent.observation_shape, spec.network):
        return SetEyes(own, spec.seen, spec.network)
    return None


def _memory(own: Tensors, name: str, network: NetworkConfig, rows: int) -> Memory:
    if network.memory == "lstm":
        return Lstm(own, name, rows)
    return Gru(own, name, rows) if network.memory == "gru" else Forgetful(own, name, network.activation)
