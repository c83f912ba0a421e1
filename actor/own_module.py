"""A network of the user's own, run from the ONNX file that every version of its policy carries.

Nothing of the user's is imported here, and no torch: `learner/gradient/own_module.py` has the rules, and made the file.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from chorus.actor.memory import Rows, States
from chorus.common.environments.interface import BoolArray, FloatArray
from chorus.common.policy.trunk import MODULE, STRUCTURE
from chorus.common.policy.weights import Tensors
from chorus.common.process.onnx import open_session


class OwnModule:
    """The weights of one version, and a state for every row."""

    scale = np.float32(1.0)

    def __init__(self, own: Tensors, rows: int) -> None:
        """Prepare `rows` rows with states of zero."""
        self._session = _session(own[STRUCTURE].tobytes())
        asked = {item.name: item.shape for item in self._session.get_inputs()}
        self._weights = {name: own[f"{MODULE}.{name}"] for name in asked if name not in ("inputs", "state")}
        width = self._session.get_outputs()[1].shape[1]
        self._remembers = "state" in asked  # what is never read is no input of the graph
        self._state = np.zeros((rows, width if isinstance(width, int) else 0), np.float32)

    def forget(self, rows: BoolArray) -> None:
        """See `Trunk`."""
        self._state[rows] = 0.0

    def memories(self) -> States:
        """`state`."""
        return {"state": self._state.copy()}

    def remember(self, states: States) -> None:
        """See `Trunk`."""
        self._state[:] = states["state"]

    def outputs(self, inputs: FloatArray, rows: Rows | None) -> FloatArray:
        """See `Trunk`."""
        fed = {"inputs": np.ascontiguousarray(inputs)} | self._weights
        if self._remembers:
            fed["state"] = self._state if rows is None else self._state[rows]
        found, state = self._session.run(None, fed)
        if self._remembers:
            self._state[slice(None) if rows is None else rows] = state
        hidden: FloatArray = found.T
        return hidden


@lru_cache(maxsize=8)
def _session(structure: bytes) -> Any:
    """One session per structure: it holds no weights, which are fed to it."""
    return open_session(structure)
