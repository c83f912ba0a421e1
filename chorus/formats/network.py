"""A policy's network from inputs to outputs, told once for every format; twin of `actor/inference.py`."""

from __future__ import annotations

from chorus.common.policy.trunk import MODULE, STRUCTURE, is_picture, is_set, memory_names, numbered
from chorus.formats.graph import Graph, V
from chorus.formats.layer import layer, linear, normalised
from chorus.formats.memory import STATES, gru, lstm
from chorus.formats.model import Model, weights
from chorus.formats.observation import see_picture, see_set


def forward(graph: Graph[V], model: Model, inputs: dict[str, V]) -> dict[str, V]:
    """The network, from inputs to outputs by name."""
    own = {name: graph.weight(name, values) for name, values in weights(model).items()}
    network, rows = model.network, inputs["observation"]
    if model.raw:
        rows = graph.multiply(graph.real(rows), own["byte"])
    if "observation.mean" in own:
        rows = graph.multiply(graph.subtract(rows, own["observation.mean"]), own["observation.scale"])
    if is_picture(model.observation_shape, network):
        rows = see_picture(graph, own, network, model.observation_shape, rows)
    elif is_set(model.observation_shape, network):
        rows = see_set(graph, own, network, model.observation_shape, rows)
    if model.agents:
        rows = graph.join(rows, graph.pick(own["identity"], inputs["agent"]))
    through = _own_module if network.module else _trunk
    rows, following = through(graph, model, own, rows, inputs)
    said = linear(graph, own, "head", rows)
    if "log_std" in own:
        return {"mean": said, "log_std": own["log_std"], **following}
    return {"logits": said, **following}


def _trunk(graph: Graph[V], model: Model, own: dict[str, V], rows: V, inputs: dict[str, V]) -> tuple[V, dict[str, V]]:
    """Encoder and memory: what the head reads, and the states that follow."""
    network = model.network
    for number in range(len(network.encoder_widths)):
        rows = layer(graph, own, numbered("encoder", number), rows, network.activation)
    following: dict[str, V] = {}
    for number, name in enumerate(memory_names(network)):
        if network.memory == "none":
            rows = layer(graph, own, name, rows, network.activation)
            continue
        states = {part: inputs[numbered(part, number)] for part in STATES[network.memory]}
        step = lstm if network.memory == "lstm" else gru
        states = step(graph, own, name, network.memory_width, rows, states)
        following |= {f"next_{numbered(part, number)}": state for part, state in states.items()}
        rows = normalised(graph, own, name, states["hidden"])
    return rows, following


def _own_module(
    graph: Graph[V], model: Model, own: dict[str, V], rows: V, inputs: dict[str, V]
) -> tuple[V, dict[str, V]]:
    """A network of the user's own in their place."""
    prefix = f"{MODULE}."
    fed = {name.removeprefix(prefix): value for name, value in own.items() if name.startswith(prefix)}
    # A module without a state may hand on the empty one that it is given.
    fed |= {"inputs": rows, "state": inputs["state"] if "state" in inputs else graph.columns(rows, 0, 0)}
    found, state = graph.embed(model.tensors[STRUCTURE].tobytes(), fed)
    return found, {"next_state": state} if "state" in inputs else {}
