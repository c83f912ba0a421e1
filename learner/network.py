"""The shared recurrent policy in torch: encoder, LSTM, head, over the lives of a task. The actor's NumPy twin is
`actor/inference.py`; both read the same tensors and compute the same numbers."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod, sqrt

import numpy as np
import torch
from torch import Tensor

from common.config import NetworkConfig
from common.seeding import Draw, stream
from common.sharing import PolicySpec
from common.weights import Tensors
from learner.lives import Lives

Shapes = dict[str, tuple[int, ...]]


def shapes(spec: PolicySpec, config: NetworkConfig) -> Shapes:
    """The network's tensors by name, in the order in which they are drawn and stored."""
    width = config.lstm
    return {
        "encoder.weight": (config.encoder, spec.input_size),
        "encoder.bias": (config.encoder,),
        "lstm.weight_ih": (4 * width, config.encoder),
        "lstm.weight_hh": (4 * width, width),
        "lstm.bias": (4 * width,),
        "head.weight": (spec.output_size, width),
        "head.bias": (spec.output_size,),
    }


def initialise(spec: PolicySpec, number: int, config: NetworkConfig, seed: int) -> Tensors:
    """Fresh tensors, uniform in +-1/sqrt(fan-in) as torch's own layers; `number` is the policy's place among the
    run's."""
    draws = stream(seed, Draw.INITIALISATION, index=number)
    fan_in = {"encoder": spec.input_size, "lstm": config.lstm, "head": config.lstm}
    return {
        f"{spec.name}/{name}": (draws.uniform(-1.0, 1.0, shape) / sqrt(fan_in[name.split(".")[0]])).astype(np.float32)
        for name, shape in shapes(spec, config).items()
    }


@dataclass(frozen=True)
class Network:
    """One policy's parameters: one flat vector, and the named tensors that are views of it.

    The vector is what the optimiser steps and gradients are summed in; the views are what a forward pass reads.
    """

    spec: PolicySpec
    flat: Tensor
    parameters: dict[str, Tensor]
    zero_bias: Tensor

    @staticmethod
    def load(spec: PolicySpec, config: NetworkConfig, tensors: Tensors, device: torch.device) -> Network:
        """The network of the policy whose tensors are named `spec.name/...`; it computes in their precision."""
        layout = shapes(spec, config)
        values = [np.asarray(tensors[f"{spec.name}/{name}"]).ravel() for name in layout]
        flat = torch.from_numpy(np.concatenate(values)).to(device)
        parameters = {}
        start = 0
        for name, shape in layout.items():
            parameters[name] = flat[start : start + prod(shape)].view(shape).requires_grad_()
            start += prod(shape)
        return Network(spec, flat, parameters, flat.new_zeros(4 * config.lstm))

    def tensors(self) -> Tensors:
        """The parameters as NumPy copies, by their names in a policy version."""
        return {
            f"{self.spec.name}/{name}": value.detach().cpu().numpy().copy() for name, value in self.parameters.items()
        }

    def forward(self, inputs: Tensor, lives: Lives) -> Tensor:
        """Logits `[step, output]` for inputs `[step, input]`, both in the packed order of `lives`."""
        own = self.parameters
        encoded = torch.relu(torch.addmm(own["encoder.bias"], inputs, own["encoder.weight"].t()))
        start = encoded.new_zeros(1, len(lives.lengths), own["lstm.weight_hh"].shape[1])
        weights = [own["lstm.weight_ih"], own["lstm.weight_hh"], own["lstm.bias"], self.zero_bias]
        hidden, _, _ = torch.lstm(
            encoded, torch.from_numpy(lives.sizes), (start, start), weights, True, 1, 0.0, True, False
        )
        return torch.addmm(own["head.bias"], hidden, own["head.weight"].t())

    def gradient(self, loss: Tensor) -> Tensor:
        """The gradient of a loss as one flat vector, laid out as `flat`."""
        parts = torch.autograd.grad(loss, list(self.parameters.values()))
        return torch.cat([part.reshape(-1) for part in parts])
