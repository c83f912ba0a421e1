"""One policy as a function with its memory passed in and out, told once for every format that it is written in.

    (observation [, agent] [, hidden, cell]) -> (logits, or mean and log_std [, next_hidden, next_cell])

Normalisation, convolutions and the one-hot agent id are inside. The network is that of `common/policy/trunk.py`;
`forward` describes it in a few operations (`Graph`), which each format writes in its own way.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from math import prod
from typing import Protocol, TypeVar

import numpy as np

from chorus.common.environments.interface import EnvironmentSpec, FloatArray
from chorus.common.errors import ChorusError
from chorus.common.policy.sharing import PolicySpec
from chorus.common.policy.trunk import convolution_sizes, is_picture, memory_names, numbered
from chorus.common.policy.weights import Tensors
from chorus.common.settings.config import NetworkConfig

V = TypeVar("V")

FORMAT = "chorus-policy-1"
ROWS = "rows"
"""What shapes call their first axis: any number of agents, of one team or of many."""
STATES = {"lstm": ("hidden", "cell"), "gru": ("hidden",), "none": ()}
"""What a layer of memory carries from step to step; further layers are numbered: `hidden1`, `cell1`."""
LEARNING_ONLY = ("advantage", "credit", "reward", "observation")
"""Tensors of a version that acting does not need; those under `value.` beside them."""
KNOWN = re.compile(
    r"observation\.(mean|scale)|(convolution|encoder|memory|head)\d*\.(weight|bias)"
    r"|(lstm|gru)\d*\.(weight_ih|weight_hh|bias|bias_hh)|(encoder|memory|lstm|gru)\d*\.norm\.(weight|bias)|log_std"
)
"""The tensors that `forward` has a use for."""


class Graph(Protocol[V]):
    """The operations that a policy is made of, on values `[row, number]`; `V` is what a format calls a value."""

    def weight(self, name: str, values: FloatArray) -> V:
        """A tensor of the policy."""

    def linear(self, rows: V, weight: V, bias: V | None) -> V:
        """`rows weight^T + bias`, or without bias."""

    def normalise(self, rows: V, weight: V, bias: V) -> V:
        """Layer normalisation over each row's numbers, as `torch.nn.LayerNorm` does it."""

    def relu(self, rows: V) -> V:
        """`max(0, .)`."""

    def elu(self, rows: V) -> V:
        """`.` above 0, `exp(.) - 1` below."""

    def sigmoid(self, rows: V) -> V:
        """`1 / (1 + exp(-.))`."""

    def tanh(self, rows: V) -> V:
        """The hyperbolic tangent."""

    def add(self, one: V, other: V) -> V:
        """Their sum."""

    def subtract(self, one: V, other: V) -> V:
        """Their difference."""

    def multiply(self, one: V, other: V) -> V:
        """Their product, number by number."""

    def join(self, one: V, other: V) -> V:
        """Both, one row after the other's."""

    def columns(self, rows: V, start: int, stop: int) -> V:
        """Some of the numbers of every row."""

    def pick(self, table: V, numbers: V) -> V:
        """A row of a table for each of `numbers` `[row]`."""

    def pictures(self, rows: V, shape: tuple[int, ...]) -> V:
        """Rows laid out height, width, channel as pictures `[row, channel, height, width]`."""

    def convolve(self, pictures: V, kernels: V, bias: V, stride: int, margin: int) -> V:
        """Padded by `margin` on every side; kernels `[filter, channel, side, side]`."""

    def flat(self, pictures: V, size: int) -> V:
        """Pictures as rows again, `size` numbers laid out height, width, channel."""


@dataclass(frozen=True)
class Value:
    """An input or output: its name, dtype and shape. The first axis is `rows`, unless the shape is without it."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class Model:
    """One policy to be written to a file.

    Attributes:
        tensors: float32, by name without the policy's.
        observation_shape: of one observation before it is flattened.
        network: how the trunk is built.
        agents: how many agents its one-hot id tells apart; 0 without one.
        inputs: in order.
        outputs: in order.
        about: what stands in the file's metadata, each value JSON.
    """

    tensors: Tensors
    observation_shape: tuple[int, ...]
    network: NetworkConfig
    agents: int
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    about: dict[str, str]


def describe(spec: PolicySpec, environment: EnvironmentSpec, tensors: Tensors, version: int) -> Model:
    """The policy `spec` of an environment, with the weights of a version.

    Raises:
        ChorusError: the network has parts that cannot be exported.
    """
    own = _own(spec, tensors)
    unknown = sorted(name for name in own if not KNOWN.fullmatch(name))
    if unknown:
        raise ChorusError(
            f"policy {spec.name!r} cannot be exported: its network has parts that no format here knows:"
            f" {', '.join(unknown)}"
        )
    agent = spec.agent
    inputs = [Value("observation", "float32", (ROWS, agent.observation_size))]
    if spec.identified:
        inputs.append(Value("agent", "int64", (ROWS,)))
    outputs = [Value("logits" if agent.choices else "mean", "float32", (ROWS, spec.output_size))]
    if agent.bounds:
        outputs.append(Value("log_std", "float32", (len(agent.bounds),)))
    width = spec.network.memory_width
    names = [numbered(part, n) for n in range(spec.network.layers) for part in STATES[spec.network.memory]]
    inputs += [Value(name, "float32", (ROWS, width)) for name in names]
    outputs += [Value(f"next_{name}", "float32", (ROWS, width)) for name in names]
    about = {
        "format": FORMAT,
        "environment": environment.name,
        "policy": spec.name,
        "policy_version": version,
        "agents": [environment.agents[number].name for number in spec.agents],
        "observation_shape": agent.observation_shape,
        "choices": agent.choices,
        "bounds": agent.bounds,
        "inputs": {value.name: {"dtype": value.dtype, "shape": value.shape} for value in inputs},
        "outputs": {value.name: {"dtype": value.dtype, "shape": value.shape} for value in outputs},
    }
    return Model(
        own,
        agent.observation_shape,
        spec.network,
        len(spec.agents) if spec.identified else 0,
        tuple(inputs),
        tuple(outputs),
        {name: json.dumps(value) for name, value in about.items()},
    )


def forward(graph: Graph[V], model: Model, inputs: dict[str, V]) -> dict[str, V]:
    """The network, from inputs to outputs by name."""
    own = {name: graph.weight(name, values) for name, values in weights(model).items()}
    rows = inputs["observation"]
    if "observation.mean" in own:
        rows = graph.multiply(graph.subtract(rows, own["observation.mean"]), own["observation.scale"])
    if is_picture(model.observation_shape, model.network):
        rows = _seen(graph, model, own, rows)
    if model.agents:
        rows = graph.join(rows, graph.pick(own["identity"], inputs["agent"]))
    for number in range(len(model.network.encoder_widths)):
        rows = _layer(graph, model, own, numbered("encoder", number), rows)
    following: dict[str, V] = {}
    for number, name in enumerate(memory_names(model.network)):
        if model.network.memory == "none":
            rows = _layer(graph, model, own, name, rows)
            continue
        states = {part: inputs[numbered(part, number)] for part in STATES[model.network.memory]}
        step = _lstm if model.network.memory == "lstm" else _gru
        states = step(graph, own, name, model.network.memory_width, rows, states)
        following |= {f"next_{numbered(part, number)}": state for part, state in states.items()}
        rows = _normalised(graph, own, name, states["hidden"])
    said = graph.linear(rows, own["head.weight"], own["head.bias"])
    if "log_std" in own:
        return {"mean": said, "log_std": own["log_std"], **following}
    return {"logits": said, **following}


def weights(model: Model) -> Tensors:
    """The tensors as `forward` takes them: kernels `[filter, channel, side, side]`, agent ids as a unit matrix."""
    taken = dict(model.tensors)
    for number, (side, _) in enumerate(model.network.convolutions):
        name = f"convolution{number}.weight"
        if name in taken:
            taken[name] = np.ascontiguousarray(
                taken[name].reshape(len(taken[name]), side, side, -1).transpose(0, 3, 1, 2)
            )
    if model.agents:
        taken["identity"] = np.eye(model.agents, dtype=np.float32)
    return taken


def _layer(graph: Graph[V], model: Model, own: dict[str, V], name: str, rows: V) -> V:
    """Linear, normalised if there is a norm, then the activation."""
    rows = graph.linear(rows, own[f"{name}.weight"], own[f"{name}.bias"])
    return _activated(graph, model, _normalised(graph, own, name, rows))


def _normalised(graph: Graph[V], own: dict[str, V], name: str, rows: V) -> V:
    if f"{name}.norm.weight" not in own:
        return rows
    return graph.normalise(rows, own[f"{name}.norm.weight"], own[f"{name}.norm.bias"])


def _activated(graph: Graph[V], model: Model, rows: V) -> V:
    kind = model.network.activation
    if kind == "silu":
        return graph.multiply(rows, graph.sigmoid(rows))
    activate = {"relu": graph.relu, "tanh": graph.tanh, "elu": graph.elu}[kind]
    return activate(rows)


def _lstm(graph: Graph[V], own: dict[str, V], name: str, width: int, rows: V, states: dict[str, V]) -> dict[str, V]:
    """`i, f, o = sigmoid(.)`, `g = tanh(.)`, `c' = f c + i g`, `h' = o tanh(c')`, gates in torch's order i, f, g, o."""
    gates = graph.add(
        graph.linear(rows, own[f"{name}.weight_ih"], own[f"{name}.bias"]),
        graph.linear(states["hidden"], own[f"{name}.weight_hh"], None),
    )
    i, f, g, o = (graph.columns(gates, start, start + width) for start in range(0, 4 * width, width))
    kept = graph.multiply(graph.sigmoid(f), states["cell"])
    cell = graph.add(kept, graph.multiply(graph.sigmoid(i), graph.tanh(g)))
    return {"hidden": graph.multiply(graph.sigmoid(o), graph.tanh(cell)), "cell": cell}


def _gru(graph: Graph[V], own: dict[str, V], name: str, width: int, rows: V, states: dict[str, V]) -> dict[str, V]:
    """`r, z = sigmoid(.)`, `n = tanh(W_n x + b_n + r (U_n h + b_hh))`, `h' = n + z (h - n)`, gates in that order."""
    hidden = states["hidden"]
    read = graph.linear(rows, own[f"{name}.weight_ih"], own[f"{name}.bias"])
    kept = graph.linear(hidden, own[f"{name}.weight_hh"], None)
    r, z = (
        graph.sigmoid(graph.add(graph.columns(read, start, start + width), graph.columns(kept, start, start + width)))
        for start in (0, width)
    )
    inner = graph.add(graph.columns(kept, 2 * width, 3 * width), own[f"{name}.bias_hh"])
    candidate = graph.tanh(graph.add(graph.columns(read, 2 * width, 3 * width), graph.multiply(r, inner)))
    return {"hidden": graph.add(candidate, graph.multiply(z, graph.subtract(hidden, candidate)))}


def _seen(graph: Graph[V], model: Model, own: dict[str, V], rows: V) -> V:
    """The convolutions, each followed by the activation."""
    pictures = graph.pictures(rows, model.observation_shape)
    for number, (side, stride) in enumerate(model.network.convolutions):
        kernels, bias = own[f"convolution{number}.weight"], own[f"convolution{number}.bias"]
        pictures = _activated(graph, model, graph.convolve(pictures, kernels, bias, stride, side // 2))
    return graph.flat(pictures, prod(convolution_sizes(model.observation_shape, model.network)[-1]))


def _own(spec: PolicySpec, tensors: Tensors) -> Tensors:
    """The tensors of one policy that acting needs, without its name."""
    prefix = f"{spec.name}/"
    own = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    return {
        name: np.ascontiguousarray(value, np.float32)
        for name, value in own.items()
        if name not in LEARNING_ONLY and not name.startswith("value.")
    }
