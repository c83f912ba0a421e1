"""One step of a layer of memory: the states that follow of those that were."""

from __future__ import annotations

from chorus.formats.graph import Graph, V

STATES = {"lstm": ("hidden", "cell"), "gru": ("hidden",), "none": ()}
"""What a layer of memory carries from step to step; further layers are numbered: `hidden1`, `cell1`."""


def lstm(graph: Graph[V], own: dict[str, V], name: str, width: int, rows: V, states: dict[str, V]) -> dict[str, V]:
    """`i, f, o = sigmoid(.)`, `g = tanh(.)`, `c' = f c + i g`, `h' = o tanh(c')`, gates in torch's order i, f, g, o."""
    gates = graph.add(
        graph.linear(rows, own[f"{name}.weight_ih"], own[f"{name}.bias"]),
        graph.linear(states["hidden"], own[f"{name}.weight_hh"], None),
    )
    i, f, g, o = (graph.columns(gates, start, start + width) for start in range(0, 4 * width, width))
    kept = graph.multiply(graph.sigmoid(f), states["cell"])
    cell = graph.add(kept, graph.multiply(graph.sigmoid(i), graph.tanh(g)))
    return {"hidden": graph.multiply(graph.sigmoid(o), graph.tanh(cell)), "cell": cell}


def gru(graph: Graph[V], own: dict[str, V], name: str, width: int, rows: V, states: dict[str, V]) -> dict[str, V]:
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
