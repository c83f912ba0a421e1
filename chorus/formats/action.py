"""How an action is made of what a policy puts out, in words for a file's metadata. It is `actor/sampling.py`'s way."""

from __future__ import annotations

from math import isfinite

from chorus.common.environments.interface import AgentSpec, Bounds, kind_of

SQUASH = {
    Bounds.BOTH: "low + (tanh(x) + 1) * (high - low) / 2",
    Bounds.LOW: "low + log(1 + exp(x))",
    Bounds.HIGH: "high - log(1 + exp(x))",
    Bounds.NEITHER: "x",
}
"""A continuous component's action, by which of its sides are bounded."""


def action(agent: AgentSpec) -> dict[str, object]:
    """What is drawn, what is likeliest, and what becomes of it."""
    if agent.choices:
        return {
            "likeliest": "argmax over each component's logits",
            "sample": "drawn from the softmax of each component's logits",
            "forbidden": "set the logits of forbidden choices to minus infinity first",
        }
    return {
        "likeliest": "x = mean",
        "sample": "x = mean + exp(log_std) * noise, standard normal noise",
        "components": [SQUASH[kind_of(pair)] for pair in agent.bounds],
    }


def bounds(agent: AgentSpec) -> list[list[float | None]]:
    """`[low, high]` of each continuous component, None on a side that has none: JSON knows no infinity."""
    return [[side if isfinite(side) else None for side in pair] for pair in agent.bounds]
