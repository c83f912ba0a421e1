"""What comes before the encoder: convolutions for pictures, attention for entities."""

from __future__ import annotations

from math import prod

from chorus.common.policy.trunk import convolution_sizes
from chorus.common.settings.sections import NetworkConfig
from chorus.formats.graph import Graph, V
from chorus.formats.layer import activated, layer, linear, normalised


def see_picture(graph: Graph[V], own: dict[str, V], network: NetworkConfig, shape: tuple[int, ...], rows: V) -> V:
    """The convolutions, each followed by the activation, of pictures of a shape; rows again."""
    pictures = graph.pictures(rows, shape)
    for number, (side, stride) in enumerate(network.convolutions):
        kernels, bias = own[f"convolution{number}.weight"], own[f"convolution{number}.bias"]
        pictures = activated(graph, graph.convolve(pictures, kernels, bias, stride, side // 2), network.activation)
    return graph.flat(pictures, prod(convolution_sizes(shape, network)[-1]))


def see_set(graph: Graph[V], own: dict[str, V], network: NetworkConfig, shape: tuple[int, ...], rows: V) -> V:
    """Entities look at one another, and their mean goes on: the equations of `learner/gradient/attention.py`."""
    entities, features = shape
    present = graph.present(rows, shape)
    told = layer(graph, own, "entity", graph.entities(rows, features), network.activation)
    query, key, value = (linear(graph, own, f"attention.{part}", told) for part in ("query", "key", "value"))
    looked = graph.attend(query, key, value, present, (entities, network.heads, network.attention // network.heads))
    told = normalised(graph, own, "attention", graph.add(told, linear(graph, own, "attention.output", looked)))
    return graph.mean(told, present, (entities, network.attention))
