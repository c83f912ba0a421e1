"""The shared recurrent policy in NumPy: trunk and head, for many rows at once.

A row is one agent of one episode; rows come last here, `[unit, row]`, so that each gate is one stretch of memory. The
learner's torch network (`learner/gradient/network.py`) computes the same numbers from the same tensors; tests and the
metric of policy agreement hold one to the other. NumPy, because one step of 96 rows costs less here than in torch, and
because an actor without torch is small and starts at once.
"""

from __future__ import annotations

import numpy as np

from chorus.actor.memory import Rows, States, buffer
from chorus.actor.own_module import OwnModule
from chorus.actor.trunk import BuiltTrunk, Trunk
from chorus.common.environments.interface import BoolArray, FloatArray
from chorus.common.policy.sharing import PolicySpec
from chorus.common.policy.weights import Tensors


class Inference:
    """One policy's weights and the memories of its rows."""

    def __init__(self, tensors: Tensors, spec: PolicySpec, rows: int) -> None:
        """Prepare `rows` rows of the policy whose tensors are named `spec.name/...`, all memories empty."""
        own = {name.removeprefix(f"{spec.name}/"): value for name, value in tensors.items()}
        self._normal = (own["observation.mean"], own["observation.scale"]) if "observation.mean" in own else None
        self._trunk: Trunk = (
            OwnModule(own, rows) if spec.network.module else BuiltTrunk(own, spec.seen, spec.network, rows)
        )
        self._head_weight = np.ascontiguousarray(own["head.weight"]) * self._trunk.scale
        self._head_bias = own["head.bias"][:, None]
        self.log_std: FloatArray | None = own.get("log_std")
        self._outputs: dict[int, FloatArray] = {}

    def forget(self, rows: BoolArray) -> None:
        """Empty the memory of the rows marked in a bool `[row]`."""
        self._trunk.forget(rows)

    def memories(self) -> States:
        """What every row remembers, by name (`hidden` and `cell` of an LSTM, `hidden1` of its second layer): float32
        `[row, unit]`, copied."""
        return self._trunk.memories()

    def remember(self, memories: States) -> None:
        """Put memories in place of those of all rows; names and shapes are those of `memories()`."""
        self._trunk.remember(memories)

    def step(self, inputs: FloatArray, rows: Rows | None = None) -> FloatArray:
        """One forward pass; the memories of the rows it covers move on, those of others stay.

        Args:
            inputs: float32 `[row, input]`, for the rows in question only.
            rows: which rows those are; None for all.

        Returns:
            float32 `[output, row]`, one column of logits or means per row; overwritten by the next call of as many
            rows.
        """
        if self._normal is not None:
            mean, scale = self._normal
            inputs = inputs.copy()
            inputs[:, : len(mean)] -= mean
            inputs[:, : len(mean)] *= scale
        hidden = self._trunk.outputs(inputs, rows)
        outputs = buffer(self._outputs, (len(self._head_bias), len(inputs)))
        np.matmul(self._head_weight, hidden, out=outputs)
        outputs += self._head_bias
        return outputs
