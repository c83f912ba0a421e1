"""A policy as a TorchScript file, which `torch.jit.load` reads in Python and in C++; writing it needs torch."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import torch
from torch import Tensor

from chorus.common.environments.interface import FloatArray
from chorus.common.errors import ChorusError
from chorus.common.policy.trunk import NORM_EPSILON
from chorus.formats.graph import FAR
from chorus.formats.model import Model, weights
from chorus.formats.network import forward

ABOUT = "chorus.json"
"""The extra file inside that holds the metadata: one JSON object."""


def write(model: Model, path: Path) -> None:
    """Write the file. The module takes the inputs one after the other and returns a tuple of the outputs."""
    inputs = [
        torch.zeros([2 if size == "rows" else int(size) for size in value.shape], dtype=getattr(torch, value.dtype))
        for value in model.inputs
    ]
    about = {name: json.loads(value) for name, value in model.about.items()}
    with torch.no_grad(), warnings.catch_warnings():
        # deprecated in favour of torch.export, whose files fewer programs read so far
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        traced = torch.jit.trace(_Policy(model).eval(), tuple(inputs))  # type: ignore[no-untyped-call]
        torch.jit.save(traced, str(path), _extra_files={ABOUT: json.dumps(about, indent=2)})


class _Policy(torch.nn.Module):
    """The policy, its tensors as buffers."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model
        for name, values in weights(model).items():
            self.register_buffer(name.replace(".", "_"), torch.from_numpy(values.copy()))

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        named = {value.name: tensor for value, tensor in zip(self._model.inputs, inputs, strict=True)}
        said = forward(_Operations(self), self._model, named)
        return tuple(said[value.name] for value in self._model.outputs)


class _Operations:
    """Torch's operations; a value is a tensor."""

    def __init__(self, module: torch.nn.Module) -> None:
        self._module = module

    def weight(self, name: str, values: FloatArray) -> Tensor:
        return self._module.get_buffer(name.replace(".", "_"))

    def real(self, rows: Tensor) -> Tensor:
        return rows.float()

    def linear(self, rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return torch.nn.functional.linear(rows, weight, bias)

    def normalise(self, rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return torch.nn.functional.layer_norm(rows, weight.shape, weight, bias, NORM_EPSILON)

    def elu(self, rows: Tensor) -> Tensor:
        return torch.nn.functional.elu(rows)

    def relu(self, rows: Tensor) -> Tensor:
        return torch.relu(rows)

    def sigmoid(self, rows: Tensor) -> Tensor:
        return torch.sigmoid(rows)

    def tanh(self, rows: Tensor) -> Tensor:
        return torch.tanh(rows)

    def add(self, one: Tensor, other: Tensor) -> Tensor:
        return one + other

    def subtract(self, one: Tensor, other: Tensor) -> Tensor:
        return one - other

    def multiply(self, one: Tensor, other: Tensor) -> Tensor:
        return one * other

    def join(self, one: Tensor, other: Tensor) -> Tensor:
        return torch.cat([one, other], dim=1)

    def columns(self, rows: Tensor, start: int, stop: int) -> Tensor:
        return rows[:, start:stop]

    def pick(self, table: Tensor, numbers: Tensor) -> Tensor:
        return table[numbers]

    def pictures(self, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
        return rows.reshape(-1, *shape).permute(0, 3, 1, 2)

    def convolve(self, pictures: Tensor, kernels: Tensor, bias: Tensor, stride: int, margin: int) -> Tensor:
        return torch.nn.functional.conv2d(pictures, kernels, bias, stride, margin)

    def flat(self, pictures: Tensor, size: int) -> Tensor:
        return pictures.permute(0, 2, 3, 1).reshape(-1, size)

    def entities(self, rows: Tensor, features: int) -> Tensor:
        return rows.reshape(-1, features)

    def present(self, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
        return (rows.reshape(-1, *shape) != 0).any(dim=2).to(rows.dtype)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, present: Tensor, split: tuple[int, int, int]) -> Tensor:
        _, heads, width = split
        query, key, value = (part.reshape(-1, *split).transpose(1, 2) for part in (query, key, value))
        scores = query @ key.transpose(2, 3) * width**-0.5 + ((present - 1.0) * FAR)[:, None, None, :]
        return (torch.softmax(scores, dim=3) @ value).transpose(1, 2).reshape(-1, heads * width)

    def mean(self, told: Tensor, present: Tensor, shape: tuple[int, int]) -> Tensor:
        total = (present[:, None, :] @ told.reshape(-1, *shape))[:, 0]
        return total / present.sum(dim=1, keepdim=True).clamp(min=1.0)

    def embed(self, structure: bytes, fed: dict[str, Tensor]) -> list[Tensor]:
        raise ChorusError(
            "network.module: a network of your own is stored as ONNX, which TorchScript cannot hold; export it with"
            " --format onnx, or its weights alone with --format safetensors"
        )
