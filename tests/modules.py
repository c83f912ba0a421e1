"""Networks of one's own, as a user might write them."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn


class Remembering(nn.Module):
    """A residual encoder and a GRU cell."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.state_size = outputs
        self.encoder = nn.Linear(inputs, 12)
        self.norm = nn.LayerNorm(12)
        self.cell = nn.GRUCell(12, outputs)
        self.skip = nn.Linear(inputs, outputs, bias=False)

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """See `chorus.learner.gradient.own_module`."""
        state = self.cell(nn.functional.silu(self.norm(self.encoder(inputs))), state)
        return state + torch.tanh(self.skip(inputs)), state


class Forgetting(nn.Module):
    """A network without a state."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.state_size = 0
        self.layers = nn.Sequential(nn.Linear(inputs, 9), nn.ELU(), nn.Linear(9, outputs), nn.Tanh())

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """See `chorus.learner.gradient.own_module`."""
        return self.layers(inputs), state


class Probe(nn.Module):
    """What the fingerprint's `probe.onnx` is an export of: kernels that networks are likely to use."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.state_size = outputs
        self.encoder = nn.Linear(inputs, 64)
        self.norm = nn.LayerNorm(64)
        self.gru = nn.GRUCell(64, outputs)
        self.attention = nn.MultiheadAttention(outputs, 4, batch_first=True)
        self.last = nn.Linear(outputs, outputs)

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """See `chorus.learner.gradient.own_module`."""
        state = self.gru(nn.functional.silu(self.norm(self.encoder(inputs))), state)
        told = torch.stack([state, torch.relu(state), nn.functional.elu(state)], dim=1)
        looked = self.attention(told, told, told, need_weights=False)[0]
        return torch.tanh(self.last(looked.mean(dim=1))) + torch.exp(-state), state


class Buffered(Forgetting):
    """Breaks a rule: buffers do not travel."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.register_buffer("mean", torch.zeros(inputs))


class Narrow(Forgetting):
    """Breaks a rule: the heads read more than it puts out."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs - 1)


def remembering(shape: tuple[int, ...], beside: int, outputs: int) -> nn.Module:
    """A factory."""
    return Remembering(prod(shape) + beside, outputs)


def forgetting(shape: tuple[int, ...], beside: int, outputs: int) -> nn.Module:
    """A factory."""
    return Forgetting(prod(shape) + beside, outputs)


def probe(shape: tuple[int, ...], beside: int, outputs: int) -> nn.Module:
    """A factory."""
    return Probe(prod(shape) + beside, outputs)


def buffered(shape: tuple[int, ...], beside: int, outputs: int) -> nn.Module:
    """A factory."""
    return Buffered(prod(shape) + beside, outputs)


def narrow(shape: tuple[int, ...], beside: int, outputs: int) -> nn.Module:
    """A factory."""
    return Narrow(prod(shape) + beside, outputs)


def nothing(shape: tuple[int, ...], beside: int, outputs: int) -> None:
    """A factory that makes nothing."""
