"""One optimiser step on a flat parameter vector: Adam, SGD, RMSprop, the norm clip.

Ours rather than torch's because `torch.optim` pulls in the compiler (1.4 s and 70 MB at the first step), and because a
flat vector makes a step a handful of calls. Tests hold each rule to `torch.optim`'s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from chorus.common.settings.sections import OptimiserConfig

State = dict[str, Tensor]

ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON = 0.9, 0.999, 1e-8
RMSPROP_ALPHA, RMSPROP_EPSILON = 0.99, 1e-8


@dataclass(frozen=True)
class Clipped:
    """A gradient after the clip, its norm before, and whether the clip shortened it."""

    gradient: Tensor
    norm: float
    shortened: bool


def clip(gradient: Tensor, limit: float | None) -> Clipped:
    """Scale a gradient down to a norm of `limit` if it is longer (Pascanu et al. 2013)."""
    norm = float(gradient.double().norm())
    if limit is None or norm <= limit:
        return Clipped(gradient, norm, False)
    return Clipped(gradient * (limit / norm), norm, True)


def fresh(config: OptimiserConfig, parameters: Tensor) -> State:
    """The state before the first step."""
    names = {
        "adam": ("first_moment", "second_moment"),
        "rmsprop": ("second_moment", "momentum"),
        "sgd": ("momentum",),
    }[config.name]
    return {name: torch.zeros_like(parameters) for name in names} | {"steps": torch.zeros(1, dtype=torch.float64)}


def step(config: OptimiserConfig, parameters: Tensor, gradient: Tensor, state: State, rate: float) -> None:
    """Change parameters and state in place.

    Args:
        config: which rule.
        parameters: flat float32.
        gradient: flat float32, already clipped.
        state: from `fresh`; it counts its own steps, since an update may take several, and not always as many.
        rate: the learning rate now.
    """
    with torch.no_grad():
        number = int(state["steps"].add_(1))
        if config.name == "adam":  # Kingma & Ba 2015
            first, second = state["first_moment"], state["second_moment"]
            first.lerp_(gradient, 1 - ADAM_BETA_1)
            second.mul_(ADAM_BETA_2).addcmul_(gradient, gradient, value=1 - ADAM_BETA_2)
            spread = root(second / (1 - ADAM_BETA_2**number)).add_(ADAM_EPSILON)
            parameters.addcdiv_(first, spread, value=-rate / (1 - ADAM_BETA_1**number))
            return
        if config.name == "rmsprop":  # Tieleman & Hinton 2012
            second = state["second_moment"]
            second.mul_(RMSPROP_ALPHA).addcmul_(gradient, gradient, value=1 - RMSPROP_ALPHA)
            gradient = gradient / root(second).add_(RMSPROP_EPSILON)
        momentum = state["momentum"]
        momentum.mul_(config.momentum).add_(gradient)
        parameters.add_(momentum, alpha=-rate)


def root(values: Tensor) -> Tensor:
    """Square roots, rightly rounded. On a processor by NumPy: torch's are MKL's, which are not, and differ by maker."""
    if values.is_cuda:
        return values.sqrt()
    return torch.from_numpy(np.sqrt(values.numpy()))
