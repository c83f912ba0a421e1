"""A layer: linear, normalised if its tensors say so, then an activation."""

from __future__ import annotations

from chorus.formats.graph import Graph, V


def linear(graph: Graph[V], own: dict[str, V], name: str, rows: V) -> V:
    """The linear layer whose tensors are named `name.weight` and `name.bias`."""
    return graph.linear(rows, own[f"{name}.weight"], own[f"{name}.bias"])


def layer(graph: Graph[V], own: dict[str, V], name: str, rows: V, activation: str) -> V:
    """Linear, normalised if there is a norm, then the activation."""
    return activated(graph, normalised(graph, own, name, linear(graph, own, name, rows)), activation)


def normalised(graph: Graph[V], own: dict[str, V], name: str, rows: V) -> V:
    """By the norm of the layer `name`; the rows as they are if it has none."""
    if f"{name}.norm.weight" not in own:
        return rows
    return graph.normalise(rows, own[f"{name}.norm.weight"], own[f"{name}.norm.bias"])


def activated(graph: Graph[V], rows: V, activation: str) -> V:
    """`network.activation`, number by number."""
    if activation == "silu":
        return graph.multiply(rows, graph.sigmoid(rows))
    activate = {"relu": graph.relu, "tanh": graph.tanh, "elu": graph.elu}[activation]
    return activate(rows)
