"""A policy's trunk in NumPy: convolutions or attention, encoder, memory. Torch twin: `learner/gradient/trunk.py`."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from chorus.actor.attention import SetEyes
from chorus.actor.convolution import PictureEyes
from chorus.actor.gru import Gru
from chorus.actor.layer import Layer, Norm
from chorus.actor.lstm import Lstm
from chorus.actor.memory import Forgetful, Memory, Rows, States, buffer
from chorus.common.environments.interface import BoolArray, FloatArray
from chorus.common.policy.trunk import Seen, is_picture, is_set, memory_names, numbered
from chorus.common.policy.weights import Tensors
from chorus.common.settings.sections import NetworkConfig


class Trunk(Protocol):
    """From what agents see to what the head reads, with a state for every row."""

    scale: np.float32
    """What outputs are to be multiplied by."""

    def forget(self, rows: BoolArray) -> None:
        """Empty the states of the rows marked in a bool `[row]`."""
        ...

    def memories(self) -> States:
        """What all rows remember, copied."""
        ...

    def remember(self, states: States) -> None:
        """Put states in place of those of all rows; names and shapes are those of `memories`."""
        ...

    def outputs(self, inputs: FloatArray, rows: Rows | None) -> FloatArray:
        """`[unit, row]` of inputs `[row, input]`, for the rows named or all; their states move on."""
        ...


class BuiltTrunk:
    """The trunk that the settings describe (`common/policy/trunk.py`)."""

    def __init__(self, own: Tensors, seen: Seen, network: NetworkConfig, rows: int) -> None:
        """Prepare `rows` rows, all memories empty."""
        self._eyes: PictureEyes | SetEyes | None = None
        if is_picture(seen.shape, network):
            self._eyes = PictureEyes(own, seen, network)
        elif is_set(seen.shape, network):
            self._eyes = SetEyes(own, seen, network)
        encoders = [numbered("encoder", number) for number in range(len(network.encoder_widths))]
        self._encoder = [Layer(own, name, network.activation) for name in encoders]
        names = memory_names(network)
        self._memories = [_memory(own, name, network, rows) for name in names]
        # That of a linear layer in a memory's place is the layer's own.
        self._norms = [Norm.of(own, name) if network.memory != "none" else None for name in names]
        self.scale = self._memories[-1].scale if self._norms[-1] is None else np.float32(1.0)
        self._plain = self._norms == [None]  # a step of few rows is short enough to notice the rest
        self._between: list[dict[int, FloatArray]] = [{} for _ in encoders[1:]]
        self._normed: dict[int, FloatArray] = {}

    def forget(self, rows: BoolArray) -> None:
        """See `Trunk`."""
        for memory in self._memories:
            memory.forget(rows)

    def memories(self) -> States:
        """Those of the second layer end in 1, and so on."""
        return {
            numbered(name, number): state
            for number, memory in enumerate(self._memories)
            for name, state in memory.read().items()
        }

    def remember(self, states: States) -> None:
        """See `Trunk`."""
        for number, memory in enumerate(self._memories):
            memory.write({name: states[numbered(name, number)] for name in memory.read()})

    def outputs(self, inputs: FloatArray, rows: Rows | None) -> FloatArray:
        """See `Trunk`."""
        count = len(inputs)
        if self._eyes is not None:
            inputs = self._eyes.see(inputs)
        self._encode(inputs.T, self._memories[0].place(count, rows))
        hidden = self._memories[0].step(count, rows)
        if self._plain:
            return hidden
        for number, (memory, norm) in enumerate(zip(self._memories, self._norms, strict=True)):
            last = number == len(self._memories) - 1
            if last and norm is None:
                break
            place = buffer(self._normed, hidden.shape) if last else self._memories[number + 1].place(count, rows)
            np.multiply(hidden, memory.scale, out=place)
            if norm is not None:
                norm.apply(place)
            hidden = place if last else self._memories[number + 1].step(count, rows)
        return hidden

    def _encode(self, inputs: FloatArray, place: FloatArray) -> None:
        """Write what the encoder makes of inputs `[input, row]` where the memory reads it."""
        for layer, kept in zip(self._encoder, self._between, strict=False):  # all but the last
            outputs = buffer(kept, (layer.width, inputs.shape[1]))
            layer.apply(inputs, outputs)
            inputs = outputs
        if self._encoder:
            self._encoder[-1].apply(inputs, place)
        else:
            place[:] = inputs


def _memory(own: Tensors, name: str, network: NetworkConfig, rows: int) -> Memory:
    if network.memory == "lstm":
        return Lstm(own, name, rows)
    return Gru(own, name, rows) if network.memory == "gru" else Forgetful(own, name, network.activation)
