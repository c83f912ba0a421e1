"""A policy as an ONNX file, its graph written out with the `onnx` package alone; needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from chorus.common.environments.interface import FloatArray
from chorus.common.errors import ChorusError
from chorus.common.policy.trunk import NORM_EPSILON
from chorus.formats.graph import FAR
from chorus.formats.model import Model, Value
from chorus.formats.network import forward

OPSET = 17
IR_VERSION = 8
"""Old enough for the runtimes of 2022, and nothing newer is used."""
_TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "uint8": TensorProto.UINT8}
_EMBEDDED = "module/"
"""What the names of an embedded graph begin with."""


def write(model: Model, path: Path) -> None:
    """Write the file; a model that ONNX's own checker refuses is not written."""
    graph = _Nodes()
    results = forward(graph, model, {value.name: value.name for value in model.inputs})
    for name, value in results.items():
        graph.node("Identity", [value], output=name)
    body = helper.make_graph(
        graph.nodes,
        "policy",
        [_declared(value) for value in model.inputs],
        [_declared(value) for value in model.outputs],
        graph.tensors,
    )
    made = helper.make_model(
        body, producer_name="chorus", opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    helper.set_model_props(made, model.about)
    onnx.checker.check_model(made, full_check=True)
    path.write_bytes(made.SerializeToString())


def _declared(value: Value) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(value.name, _TYPES[value.dtype], value.shape)


class _Nodes:
    """The nodes written so far; a value is its name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []

    def node(self, kind: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        """Add a node; return the name of what it gives."""
        output = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def weight(self, name: str, values: FloatArray) -> str:
        self.tensors.append(numpy_helper.from_array(values, f"policy.{name}"))
        return f"policy.{name}"

    def real(self, rows: str) -> str:
        return self.node("Cast", [rows], to=TensorProto.FLOAT)

    def linear(self, rows: str, weight: str, bias: str | None) -> str:
        return self.node("Gemm", [rows, weight] if bias is None else [rows, weight, bias], transB=1)

    def normalise(self, rows: str, weight: str, bias: str) -> str:
        return self.node("LayerNormalization", [rows, weight, bias], axis=1, epsilon=NORM_EPSILON)

    def elu(self, rows: str) -> str:
        return self.node("Elu", [rows])

    def relu(self, rows: str) -> str:
        return self.node("Relu", [rows])

    def sigmoid(self, rows: str) -> str:
        return self.node("Sigmoid", [rows])

    def tanh(self, rows: str) -> str:
        return self.node("Tanh", [rows])

    def add(self, one: str, other: str) -> str:
        return self.node("Add", [one, other])

    def subtract(self, one: str, other: str) -> str:
        return self.node("Sub", [one, other])

    def multiply(self, one: str, other: str) -> str:
        return self.node("Mul", [one, other])

    def join(self, one: str, other: str) -> str:
        return self.node("Concat", [one, other], axis=1)

    def columns(self, rows: str, start: int, stop: int) -> str:
        return self.node("Slice", [rows, self._numbers([start]), self._numbers([stop]), self._numbers([1])])

    def pick(self, table: str, numbers: str) -> str:
        return self.node("Gather", [table, numbers], axis=0)

    def pictures(self, rows: str, shape: tuple[int, ...]) -> str:
        shaped = self.node("Reshape", [rows, self._numbers([-1, *shape])])
        return self.node("Transpose", [shaped], perm=[0, 3, 1, 2])

    def convolve(self, pictures: str, kernels: str, bias: str, stride: int, margin: int) -> str:
        return self.node("Conv", [pictures, kernels, bias], strides=[stride] * 2, pads=[margin] * 4)

    def flat(self, pictures: str, size: int) -> str:
        channels_last = self.node("Transpose", [pictures], perm=[0, 2, 3, 1])
        return self.node("Reshape", [channels_last, self._numbers([-1, size])])

    def entities(self, rows: str, features: int) -> str:
        return self.node("Reshape", [rows, self._numbers([-1, features])])

    def present(self, rows: str, shape: tuple[int, ...]) -> str:
        sizes = self.node("Abs", [self.node("Reshape", [rows, self._numbers([-1, *shape])])])
        return self.node("Sign", [self.node("ReduceMax", [sizes], axes=[2], keepdims=0)])

    def attend(self, query: str, key: str, value: str, present: str, split: tuple[int, int, int]) -> str:
        _, heads, width = split
        looks = []
        for part, order in ((query, [0, 2, 1, 3]), (key, [0, 2, 3, 1]), (value, [0, 2, 1, 3])):
            apart = self.node("Reshape", [part, self._numbers([-1, *split])])
            looks.append(self.node("Transpose", [apart], perm=order))
        scores = self.node("Mul", [self.node("MatMul", looks[:2]), self._number(width**-0.5)])
        unseen = self.node("Mul", [self.node("Sub", [present, self._number(1.0)]), self._number(FAR)])
        scores = self.node("Add", [scores, self.node("Unsqueeze", [unseen, self._numbers([1, 2])])])
        looked = self.node("MatMul", [self.node("Softmax", [scores], axis=3), looks[2]])
        together = self.node("Transpose", [looked], perm=[0, 2, 1, 3])
        return self.node("Reshape", [together, self._numbers([-1, heads * width])])

    def mean(self, told: str, present: str, shape: tuple[int, int]) -> str:
        each = self.node("Reshape", [told, self._numbers([-1, *shape])])
        there = self.node("Unsqueeze", [present, self._numbers([1])])
        total = self.node("Reshape", [self.node("MatMul", [there, each]), self._numbers([-1, shape[1]])])
        count = self.node("ReduceSum", [present, self._numbers([1])], keepdims=1)
        return self.node("Div", [total, self.node("Max", [count, self._number(1.0)])])

    def embed(self, structure: bytes, fed: dict[str, str]) -> list[str]:
        made = onnx.load_from_string(structure)
        opsets = {opset.domain: opset.version for opset in made.opset_import}
        if opsets != {"": OPSET}:
            raise ChorusError(f"network.module: its operators are {opsets}; only ONNX's own of opset {OPSET} are taken")
        graph = compose.add_prefix_graph(made.graph, _EMBEDDED)
        for value in made.graph.input:
            self.node("Identity", [fed[value.name]], output=_EMBEDDED + value.name)
        self.nodes.extend(graph.node)
        self.tensors.extend(graph.initializer)
        return [value.name for value in graph.output]

    def _number(self, value: float) -> str:
        name = f"number_{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(np.array([value], np.float32), name))
        return name

    def _numbers(self, values: list[int]) -> str:
        name = f"numbers_{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name
