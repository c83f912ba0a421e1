"""The shared recurrent policy in torch, over the lives of a task. The actor's NumPy twin is `actor/inference.py`; both
read the same tensors (`common/policy/layout.py` names them) and compute the same numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np
import torch
from torch import Tensor

from chorus.common.policy.layout import KERNEL, STRIDE, layout
from chorus.common.policy.sharing import PolicySpec
from chorus.common.policy.weights import Tensors
from chorus.common.settings.config import Config
from chorus.common.tasks.seeding import Draw, stream
from chorus.learner.gradient.lives import Lives
from chorus.learner.gradient.recurrence import packed_lstm


def initialise(spec: PolicySpec, number: int, config: Config, seed: int) -> Tensors:
    """Fresh tensors, named `spec.name/...`; `number` is the policy's place among the run's."""
    draws = stream(seed, Draw.INITIALISATION, index=number)
    tensors: Tensors = {}
    for name, draw in layout(spec, config).items():
        values = draws.uniform(-draw.bound, draw.bound, draw.shape)
        if draw.constant is not None:
            values = np.full(draw.shape, draw.constant)
        tensors[f"{spec.name}/{name}"] = values.astype(np.float32)
    return tensors


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
    zero_bias: Tensor

    @staticmethod
    def load(spec: PolicySpec, config: Config, tensors: Tensors, device: torch.device) -> Network:
        """The network of the policy whose tensors are named `spec.name/...`."""
        shapes = {name: draw.shape for name, draw in layout(spec, config).items()}
        flat = np.concatenate([np.asarray(tensors[f"{spec.name}/{name}"]).ravel() for name in shapes])
        return Network.of(spec, shapes, torch.from_numpy(flat).to(device), 4 * config.network.memory_width)

    @staticmethod
    def of(spec: PolicySpec, shapes: dict[str, tuple[int, ...]], flat: Tensor, gates: int) -> Network:
        """A network whose parameters are views of `flat`, in the order of `shapes`."""
        parameters = {}
        start = 0
        for name, shape in shapes.items():
            parameters[name] = flat[start : start + prod(shape)].view(shape).requires_grad_()
            start += prod(shape)
        return Network(spec, flat, parameters, flat.new_zeros(gates))

    def with_flat(self, flat: Tensor) -> Network:
        """The same network with other parameters."""
        shapes = {name: tuple(value.shape) for name, value in self.parameters.items()}
        return replace(Network.of(self.spec, shapes, flat, len(self.zero_bias)), zero_bias=self.zero_bias)

    def tensors(self) -> Tensors:
        """The parameters as NumPy copies, by their names in a policy version."""
        return {
            f"{self.spec.name}/{name}": value.detach().cpu().numpy().copy() for name, value in self.parameters.items()
        }

    def forward(self, inputs: Tensor, lives: Lives, seen: Tensor | None = None) -> Outputs:
        """What the network says of inputs `[step, input]` in the packed order of `lives`; `seen` is what the value's
        own network is shown instead, if it sees the team."""
        hidden = self._trunk("", inputs, lives)
        policy = self._linear("head", hidden)
        if "value.head.weight" not in self.parameters:
            return Outputs(policy, None)
        if "value.encoder.weight" in self.parameters:
            hidden = self._trunk("value.", inputs if seen is None else seen, lives)
        return Outputs(policy, self._linear("value.head", hidden)[:, 0])

    def gradient(self, loss: Tensor) -> Tensor:
        """The gradient of a loss as one flat vector, laid out as `flat`."""
        parts = torch.autograd.grad(loss, list(self.parameters.values()), materialize_grads=True)
        return torch.cat([part.reshape(-1) for part in parts])

    def _linear(self, name: str, inputs: Tensor) -> Tensor:
        return torch.addmm(self.parameters[f"{name}.bias"], inputs, self.parameters[f"{name}.weight"].t())

    def _trunk(self, prefix: str, inputs: Tensor, lives: Lives) -> Tensor:
        own = self.parameters
        if f"{prefix}convolution0.weight" in own:
            inputs = self._see(prefix, inputs)
        encoded = torch.relu_(self._linear(f"{prefix}encoder", inputs))
        if f"{prefix}memory.weight" in own:
            return torch.relu(self._linear(f"{prefix}memory", encoded))
        recurrent = own[f"{prefix}lstm.weight_hh"]
        if not encoded.is_cuda and lives.sizes[0] != lives.sizes[-1]:
            return packed_lstm(
                encoded, own[f"{prefix}lstm.weight_ih"], recurrent, own[f"{prefix}lstm.bias"], lives.sizes
            )
        start = encoded.new_zeros(1, len(lives.lengths), recurrent.shape[1])
        weights = [own[f"{prefix}lstm.weight_ih"], recurrent, own[f"{prefix}lstm.bias"], self.zero_bias]
        hidden, _, _ = torch.lstm(
            encoded, torch.from_numpy(lives.sizes), (start, start), weights, True, 1, 0.0, True, False
        )
        return hidden

    def _see(self, prefix: str, inputs: Tensor) -> Tensor:
        """The convolutions; whatever follows the picture in the input is passed on."""
        height, width, channels = self.spec.agent.observation_shape
        size = self.spec.agent.observation_size
        pictures = inputs[:, :size].reshape(-1, height, width, channels).permute(0, 3, 1, 2)
        number = 0
        while f"{prefix}convolution{number}.weight" in self.parameters:
            weight = self.parameters[f"{prefix}convolution{number}.weight"]
            kernels = weight.view(len(weight), KERNEL, KERNEL, -1).permute(0, 3, 1, 2)
            bias = self.parameters[f"{prefix}convolution{number}.bias"]
            pictures = torch.relu(torch.nn.functional.conv2d(pictures, kernels, bias, STRIDE, 1))
            number += 1
        seen = pictures.permute(0, 2, 3, 1).reshape(len(inputs), -1)
        return torch.cat([seen, inputs[:, size:]], dim=1)
