"""The slow, obvious way through a network: one life, one row, one step at a time, in float64."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def normalised(own: dict[str, Tensor], name: str, numbers: Tensor) -> Tensor:
    """Layer normalisation of one row (Ba et al. 2016, equation 4); the row itself where the layer has none."""
    if f"{name}.norm.weight" not in own:
        return numbers
    centred = numbers - numbers.mean()
    return own[f"{name}.norm.weight"] * centred / torch.sqrt((centred**2).mean() + 1e-5) + own[f"{name}.norm.bias"]


def relu_of(own: dict[str, Tensor], name: str, inputs: Tensor) -> Tensor:
    """A layer of one row."""
    return torch.clamp(normalised(own, name, own[f"{name}.weight"] @ inputs + own[f"{name}.bias"]), min=0.0)


def hidden_of(own: dict[str, Tensor], inputs: Sequence[Tensor], prefix: str = "") -> list[Tensor]:
    """Encoder and LSTM over one life, a step at a time, from a zero state (equations of torch.nn.LSTM)."""
    own = {name.removeprefix(prefix): value for name, value in own.items() if name.startswith(prefix)}
    if "memory.weight" in own:
        return [relu_of(own, "memory", relu_of(own, "encoder", x)) for x in inputs]
    width = own["lstm.weight_hh"].shape[1]
    hidden, cell = torch.zeros(width, dtype=torch.float64), torch.zeros(width, dtype=torch.float64)
    found = []
    for x in inputs:
        encoded = relu_of(own, "encoder", x)
        gates = own["lstm.weight_ih"] @ encoded + own["lstm.weight_hh"] @ hidden + own["lstm.bias"]
        i, f, g, o = gates[:width], gates[width : 2 * width], gates[2 * width : 3 * width], gates[3 * width :]
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        hidden = torch.sigmoid(o) * torch.tanh(cell)
        found.append(normalised(own, "lstm", hidden))
    return found


def logits_of(own: dict[str, Tensor], inputs: Sequence[Tensor]) -> list[Tensor]:
    """The head's outputs over one life."""
    return [own["head.weight"] @ hidden + own["head.bias"] for hidden in hidden_of(own, inputs)]


def values_of(own: dict[str, Tensor], inputs: Sequence[Tensor]) -> list[Tensor]:
    """The learned value over one life, from the policy's own memory or, if it has one, a memory of the value's."""
    prefix = "value." if "value.encoder.bias" in own else ""
    return [(own["value.head.weight"] @ h + own["value.head.bias"])[0] for h in hidden_of(own, inputs, prefix)]
