"""The set encoder in NumPy: entities look at one another, and their mean goes on. Torch twin, with the equations:
`learner/gradient/attention.py`."""

from __future__ import annotations

import numpy as np

from chorus.actor.layer import Layer, Norm
from chorus.common.environments.interface import FloatArray
from chorus.common.policy.trunk import Seen
from chorus.common.policy.weights import Tensors
from chorus.common.settings.sections import NetworkConfig

UNSEEN = np.float32(-1e9)
"""Added to the scores of entities that are not there, as in the twin."""


class SetEyes:
    """The attention of a policy that sees entities; whatever follows them in its input is passed on."""

    def __init__(self, own: Tensors, seen: Seen, network: NetworkConfig) -> None:
        """That whose tensors are named `entity.weight`, `attention.query.weight` and so on."""
        self._entities, self._features = seen.shape
        self._heads, self._width = network.heads, network.attention
        self._told = Layer(own, "entity", network.activation)
        parts = [own[f"attention.{part}.{kind}"] for kind in ("weight", "bias") for part in ("query", "key", "value")]
        scale = np.float32((network.attention // network.heads) ** -0.5)
        self._weight = np.concatenate([parts[0] * scale, *parts[1:3]])
        self._bias = np.concatenate([parts[3] * scale, *parts[4:]])[:, None]
        self._output_weight = np.ascontiguousarray(own["attention.output.weight"])
        self._output_bias = own["attention.output.bias"][:, None]
        self._norm = Norm.of(own, "attention")

    def see(self, inputs: FloatArray) -> FloatArray:
        """What the encoder reads, `[row, number]`, of inputs `[row, input]`."""
        rows, entities = len(inputs), self._entities
        raw = inputs[:, : entities * self._features].reshape(-1, self._features)
        present = (raw != 0.0).any(axis=1).reshape(rows, entities)
        told = np.empty((self._width, rows * entities), np.float32)
        self._told.apply(raw.T, told)
        parts = self._weight @ told
        parts += self._bias
        looks = parts.reshape(3, self._heads, -1, rows, entities).transpose(0, 3, 1, 4, 2)  # [3, row, head, entity, d]
        query, key, value = looks
        scores = query @ key.swapaxes(2, 3)
        scores += (UNSEEN * ~present)[:, None, None, :]
        scores -= scores.max(axis=3, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=3, keepdims=True)
        looked = (scores @ value).transpose(1, 3, 0, 2).reshape(self._width, -1)
        told += self._output_weight @ looked
        told += self._output_bias
        if self._norm is not None:
            self._norm.apply(told)
        whole = told.reshape(self._width, rows, entities) * present
        mean = whole.sum(axis=2) / np.maximum(present.sum(axis=1), 1).astype(np.float32)
        return np.concatenate([mean.T, inputs[:, entities * self._features :]], axis=1)
