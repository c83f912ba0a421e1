"""One layer in torch: linear, normalised if the layout says so, then an activation. NumPy twin: `actor/layer.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from chorus.common.policy.trunk import NORM_EPSILON
from chorus.learner.gradient import products

Parameters = Mapping[str, Tensor]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "elu": functional.elu,
    "silu": functional.silu,
}


def linear(own: Parameters, name: str, inputs: Tensor) -> Tensor:
    """`W x + b` of rows `[row, input]`."""
    return products.linear(own[f"{name}.bias"], inputs, own[f"{name}.weight"])


def layer(own: Parameters, name: str, inputs: Tensor, activation: str) -> Tensor:
    """A linear layer of rows `[row, input]`, its normalisation if there is one, and its activation."""
    return ACTIVATIONS[activation](norm(own, name, linear(own, name, inputs)))


def norm(own: Parameters, name: str, rows: Tensor) -> Tensor:
    """Layer normalisation (Ba et al. 2016) of rows `[..., unit]`; the rows themselves where the layout has none."""
    weight = own.get(f"{name}.norm.weight")
    if weight is None:
        return rows
    return functional.layer_norm(rows, weight.shape, weight, own[f"{name}.norm.bias"], NORM_EPSILON)
