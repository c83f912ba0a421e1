"""The shared recurrent policy in torch, over the lives of a task. The actor's NumPy twin is `actor/inference.py`; both
read the same tensors (`common/policy/layout.py` names them) and compute the same numbers."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import Tensor

from chorus.common.policy import trunk
from chorus.common.policy.layout import layout, value_trunk
from chorus.common.policy.sharing import PolicySpec
from chorus.common.policy.trunk import MODULE, STRUCTURE, Seen
from chorus.common.policy.weights import Tensors
from chorus.common.settings.config import Config
from chorus.common.settings.sections import NetworkConfig
from chorus.common.tasks.seeding import Draw, stream
from chorus.learner.gradient import own_module
from chorus.learner.gradient.initialisation import begin
from chorus.learner.gradient.layer import linear
from chorus.learner.gradient.lives import Lives
from chorus.learner.gradient.trunk import Trunk


def initialise(spec: PolicySpec, number: int, config: Config, seed: int) -> Tensors:
    """Fresh tensors, named `spec.name/...`; `number` is the policy's place among the run's."""
    draws = stream(seed, Draw.INITIALISATION, index=number)
    tensors: Tensors = {}
    for name, tensor in structure(spec, config).items():
        if not tensor.given:
            tensors[f"{spec.name}/{name}"] = begin(tensor, draws)
    for prefix in _own_trunks(spec, config):
        given = own_module.begin(spec.seen, spec.network, int(draws.integers(2**63)))
        tensors |= {f"{spec.name}/{prefix}{MODULE}.{name}": value for name, value in given.items()}
    return tensors | _carried(spec)


def structure(spec: PolicySpec, config: Config) -> dict[str, trunk.Draw]:
    """The policy's trainable tensors by name, those of a network of one's own among them."""
    return layout(spec, config, own_module.shapes(spec.seen, spec.network))


def _own_trunks(spec: PolicySpec, config: Config) -> list[str]:
    """Prefixes of the trunks that are networks of one's own."""
    value = config.loss.baseline == "value" and config.value.network == "own" and value_trunk(spec, config)[1].module
    return ["", *(["value."] if value else [])] if spec.network.module else []


def _carried(spec: PolicySpec) -> Tensors:
    """What a version carries beside weights and statistics: what actors run in the place of a network of one's own."""
    if not spec.network.module:
        return {}
    return {f"{spec.name}/{STRUCTURE}": own_module.structure(spec.seen, spec.network)}


@dataclass(frozen=True)
class Outputs:
    """What a network says of every step.

    Attributes:
        policy: `[step, output]`, logits or means.
        value: `[step]`, None without a learned baseline.
    """

    policy: Tensor
    value: Tensor | None


@dataclass(frozen=True)
class Network:
    """One policy's parameters: one flat vector, and the named tensors that are views of it.

    The vector is what the optimiser steps and gradients are summed in; the views are what a forward pass reads. Both
    have the dtype of the tensors they were loaded from, float32 but in tests of the mathematics.
    """

    spec: PolicySpec
    flat: Tensor
    parameters: dict[str, Tensor]
    value: tuple[Seen, NetworkConfig] | None
    """What a value's own trunk reads, and how it is built; None if it has none."""

    @staticmethod
    def load(spec: PolicySpec, config: Config, tensors: Tensors, device: torch.device) -> Network:
        """The network of the policy whose tensors are named `spec.name/...`."""
        shapes = {name: tensor.shape for name, tensor in structure(spec, config).items()}
        flat = np.concatenate([np.asarray(tensors[f"{spec.name}/{name}"]).ravel() for name in shapes])
        own = config.loss.baseline == "value" and config.value.network == "own"
        value = value_trunk(spec, config) if own else None
        return Network.of(spec, shapes, torch.from_numpy(flat).to(device), value)

    @staticmethod
    def of(
        spec: PolicySpec,
        shapes: dict[str, tuple[int, ...]],
        flat: Tensor,
        value: tuple[Seen, NetworkConfig] | None,
    ) -> Network:
        """A network whose parameters are views of `flat`, in the order of `shapes`."""
        parameters = {}
        start = 0
        for name, shape in shapes.items():
            parameters[name] = flat[start : start + prod(shape)].view(shape).requires_grad_()
            start += prod(shape)
        return Network(spec, flat, parameters, value)

    def with_flat(self, flat: Tensor) -> Network:
        """The same network with other parameters."""
        shapes = {name: tuple(value.shape) for name, value in self.parameters.items()}
        return Network.of(self.spec, shapes, flat, self.value)

    def tensors(self) -> Tensors:
        """The parameters as NumPy copies, and whatever else a version carries for the network, by their names in it."""
        own = {
            f"{self.spec.name}/{name}": value.detach().cpu().numpy().copy() for name, value in self.parameters.items()
        }
        return own | _carried(self.spec)

    def forward(self, inputs: Tensor, lives: Lives, seen: Tensor | None = None) -> Outputs:
        """What the network says of inputs `[step, input]` in the packed order of `lives`; `seen` is what the value's
        own network is shown instead, if it sees the team."""
        hidden = Trunk.of(self.parameters, "", self.spec.seen, self.spec.network).outputs(inputs, lives)
        policy = linear(self.parameters, "head", hidden)
        if "value.head.weight" not in self.parameters:
            return Outputs(policy, None)
        if self.value is not None:
            shown = inputs if seen is None else seen
            hidden = Trunk.of(self.parameters, "value.", *self.value).outputs(shown, lives)
        return Outputs(policy, linear(self.parameters, "value.head", hidden)[:, 0])

    def gradient(self, loss: Tensor) -> Tensor:
        """The gradient of a loss as one flat vector, laid out as `flat`."""
        parts = torch.autograd.grad(loss, list(self.parameters.values()), materialize_grads=True)
        return torch.cat([part.reshape(-1) for part in parts])
