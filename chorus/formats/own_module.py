"""A network of the user's own, as its policy's versions carry it: an ONNX file without weights."""

from __future__ import annotations

import onnx


def state_width(structure: bytes) -> int:
    """How many numbers its state has; 0 if it reads none."""
    graph = onnx.load_from_string(structure).graph
    if all(value.name != "state" for value in graph.input):
        return 0
    return int(graph.output[1].type.tensor_type.shape.dim[1].dim_value)
