"""One layer in NumPy: linear, normalised if its tensors say so, then an activation. Torch twin:
`learner/gradient/layer.py`. Rows come last, `[unit, row]`."""

from __future__ import annotations

import numpy as np

from chorus.common.environments.interface import FloatArray
from chorus.common.policy.trunk import NORM_EPSILON
from chorus.common.policy.weights import Tensors


class Layer:
    """A linear layer and what follows it."""

    def __init__(self, own: Tensors, name: str, activation: str) -> None:
        """The layer whose tensors are named `name.weight` and so on."""
        self._weight = np.ascontiguousarray(own[f"{name}.weight"])
        self._bias = own[f"{name}.bias"][:, None]
        self._norm = Norm.of(own, name)
        self._activation = activation
        self.width = len(self._weight)

    def apply(self, inputs: FloatArray, outputs: FloatArray) -> None:
        """Write the outputs `[unit, row]` of inputs `[input, row]`."""
        np.matmul(self._weight, inputs, out=outputs)
        outputs += self._bias
        if self._norm is not None:
            self._norm.apply(outputs)
        activate(outputs, self._activation)


class Norm:
    """Layer normalisation (Ba et al. 2016) over the units of each row."""

    def __init__(self, weight: FloatArray, bias: FloatArray) -> None:
        """By weight and bias `[unit]`."""
        self._weight, self._bias = weight[:, None], bias[:, None]

    @staticmethod
    def of(own: Tensors, name: str) -> Norm | None:
        """That of the layer `name`; None if it has none."""
        weight = own.get(f"{name}.norm.weight")
        return None if weight is None else Norm(weight, own[f"{name}.norm.bias"])

    def apply(self, values: FloatArray) -> None:
        """Normalise `[unit, row]` in place."""
        count = np.float32(len(values))
        values -= values.sum(axis=0) / count
        variance = np.square(values).sum(axis=0) / count
        values /= np.sqrt(variance + np.float32(NORM_EPSILON))
        values *= self._weight
        values += self._bias


def activate(values: FloatArray, activation: str) -> None:
    """Apply `network.activation` in place."""
    if activation == "relu":
        np.maximum(values, 0.0, out=values)
    elif activation == "tanh":
        np.tanh(values, out=values)
    elif activation == "elu":
        below = np.exp(np.minimum(values, 0.0))
        np.maximum(values, 0.0, out=values)
        values += below - np.float32(1.0)
    elif activation == "silu":
        values *= (np.tanh(values * np.float32(0.5)) + np.float32(1.0)) * np.float32(0.5)
    else:
        raise ValueError(f"activation {activation!r} is none that actors know")
