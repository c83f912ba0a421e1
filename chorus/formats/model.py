"""One policy as a function with its memory passed in and out, told once for every format that it is written in.

    (observation [, agent] [, hidden, cell]) -> (logits, or mean and log_std [, next_hidden, next_cell])

Normalisation, convolutions and the one-hot agent id are inside. The network is that of `common/policy/layout.py`;
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
from chorus.common.policy.trunk import convolution_sizes
from chorus.common.policy.weights import Tensors

V = TypeVar("V")

FORMAT = "chorus-policy-1"
KERNEL, STRIDE = 3, 2
"""Of the convolutions that are known here."""
ROWS = "rows"
"""What shapes call their first axis: any number of agents, of one team or of many."""
LEARNING_ONLY = ("advantage", "credit", "reward", "observation")
"""Tensors of a version that acting does not need; those under `value.` beside them."""
KNOWN = re.compile(
    r"observation\.(mean|scale)|(convolution\d+|encoder|memory|head)\.(weight|bias)"
    r"|lstm\.(weight_ih|weight_hh|bias)|log_std"
)
"""The tensors that `forward` has a use for."""


class Graph(Protocol[V]):
    """The operations that a policy is made of, on values `[row, number]`; `V` is what a format calls a value."""

    def weight(self, name: str, values: FloatArray) -> V:
        """A tensor of the policy."""

    def linear(self, rows: V, weight: V, bias: V | None) -> V:
        """`rows weight^T + bias`, or without bias."""

    def relu(self, rows: V) -> V:
        """`max(0, .)`."""

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

    def convolve(self, pictures: V, kernels: V, bias: V) -> V:
        """3 x 3 at every second place (`common/policy/layout.py`), padded by 1; kernels `[filter, channel, 3, 3]`."""

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
        flat_size: numbers that the convolutions make of a picture; 0 without them.
        agents: how many agents its one-hot id tells apart; 0 without one.
        inputs: in order.
        outputs: in order.
        about: what stands in the file's metadata, each value JSON.
    """

    tensors: Tensors
    observation_shape: tuple[int, ...]
    flat_size: int
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
    network = spec.network
    if network.activation != "relu" or any(size != (KERNEL, STRIDE) for size in network.convolutions):
        raise ChorusError(
            f"policy {spec.name!r} cannot be exported: its network has network.activation {network.activation} and"
            f" network.kernel and stride {list(network.convolutions)}; only relu, {KERNEL} and {STRIDE} are known here"
        )
    recurrent = "lstm.bias" in own
    width = own["lstm.weight_hh"].shape[1] if recurrent else 0
    agent = spec.agent
    inputs = [Value("observation", "float32", (ROWS, agent.observation_size))]
    if spec.identified:
        inputs.append(Value("agent", "int64", (ROWS,)))
    outputs = [Value("logits" if agent.choices else "mean", "float32", (ROWS, spec.output_size))]
    if agent.bounds:
        outputs.append(Value("log_std", "float32", (len(agent.bounds),)))
    if recurrent:
        inputs += [Value(name, "float32", (ROWS, width)) for name in ("hidden", "cell")]
        outputs += [Value(f"next_{name}", "float32", (ROWS, width)) for name in ("hidden", "cell")]
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
        prod(convolution_sizes(agent.observation_shape, network)[-1]) if "convolution0.weight" in own else 0,
        len(spec.agents) if spec.identified else 0,
        tuple(inputs),
        tuple(outputs),
        {name: json.dumps(value) for name, value in about.items()},
    )


def forward(graph: Graph[V], model: Model, inputs: dict[str, V]) -> dict[str, V]:
    """The network, from inputs to outputs by name."""
    own = {name: graph.weight(name, values) for name, values in weights(model).items()}

    def linear(name: str, rows: V) -> V:
        return graph.linear(rows, own[f"{name}.weight"], own[f"{name}.bias"])

    rows = inputs["observation"]
    if "observation.mean" in own:
        rows = graph.multiply(graph.subtract(rows, own["observation.mean"]), own["observation.scale"])
    if "convolution0.weight" in own:
        rows = _seen(graph, model, own, rows)
    if model.agents:
        rows = graph.join(rows, graph.pick(own["identity"], inputs["agent"]))
    encoded = graph.relu(linear("encoder", rows))
    memory: dict[str, V] = {}
    if "lstm.bias" in own:
        hidden, memory = _lstm(graph, model, own, encoded, inputs)
    else:
        hidden = graph.relu(linear("memory", encoded))
    said = linear("head", hidden)
    if "log_std" in own:
        return {"mean": said, "log_std": own["log_std"], **memory}
    return {"logits": said, **memory}


def weights(model: Model) -> Tensors:
    """The tensors as `forward` takes them: kernels `[filter, channel, 3, 3]`, agent ids as a unit matrix."""
    taken = dict(model.tensors)
    for name, values in model.tensors.items():
        if name.startswith("convolution") and name.endswith(".weight"):
            taken[name] = np.ascontiguousarray(values.reshape(len(values), KERNEL, KERNEL, -1).transpose(0, 3, 1, 2))
    if model.agents:
        taken["identity"] = np.eye(model.agents, dtype=np.float32)
    return taken


def _lstm(graph: Graph[V], model: Model, own: dict[str, V], encoded: V, inputs: dict[str, V]) -> tuple[V, dict[str, V]]:
    """`i, f, o = sigmoid(.)`, `g = tanh(.)`, `c' = f c + i g`, `h' = o tanh(c')`, gates in torch's order i, f, g, o."""
    width = model.tensors["lstm.weight_hh"].shape[1]
    gates = graph.add(
        graph.linear(encoded, own["lstm.weight_ih"], own["lstm.bias"]),
        graph.linear(inputs["hidden"], own["lstm.weight_hh"], None),
    )
    i, f, g, o = (graph.columns(gates, start, start + width) for start in range(0, 4 * width, width))
    kept = graph.multiply(graph.sigmoid(f), inputs["cell"])
    cell = graph.add(kept, graph.multiply(graph.sigmoid(i), graph.tanh(g)))
    hidden = graph.multiply(graph.sigmoid(o), graph.tanh(cell))
    return hidden, {"next_hidden": hidden, "next_cell": cell}


def _seen(graph: Graph[V], model: Model, own: dict[str, V], rows: V) -> V:
    """The convolutions, each followed by a rectifier."""
    pictures = graph.pictures(rows, model.observation_shape)
    names = sorted(name for name in own if re.fullmatch(r"convolution\d+\.weight", name))
    for name in names:
        bias = own[name.replace("weight", "bias")]
        pictures = graph.relu(graph.convolve(pictures, own[name], bias))
    return graph.flat(pictures, model.flat_size)


def _own(spec: PolicySpec, tensors: Tensors) -> Tensors:
    """The tensors of one policy that acting needs, without its name."""
    prefix = f"{spec.name}/"
    own = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    return {
        name: np.ascontiguousarray(value, np.float32)
        for name, value in own.items()
        if name not in LEARNING_ONLY and not name.startswith("value.")
    }
