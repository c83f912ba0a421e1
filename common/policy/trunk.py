"""The tensors of a network's trunk: from what an agent sees to what its head reads.

    picture  -> convolutions ┐
    entities -> attention    ├─> encoder: layer after layer ─> memory: layer after layer ─> outputs
    numbers  ────────────────┘   linear, [normalise], activation   LSTM, GRU or linear, [normalise]

A trunk knows nothing of policies: it reads any numbers and may be built a second time for a value. The arithmetic is
`learner/gradient/trunk.py` in torch and `actor/inference.py` in NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod, sqrt

from chorus.common.settings.sections import NetworkConfig

MODULE, STRUCTURE = "module", "module.onnx"
"""Prefix of the tensors of a network of the user's own, and the tensor that holds what actors run in its place."""
NORM_EPSILON = 1e-5
"""Added to a layer's variance before it is divided by, as `torch.nn.LayerNorm` does."""
HIDDEN_GAIN = {"relu": sqrt(2.0), "elu": sqrt(2.0), "silu": sqrt(2.0), "tanh": 5.0 / 3.0}
"""By what an orthogonal matrix before an activation is multiplied so that signals keep their size."""


@dataclass(frozen=True)
class Draw:
    """One tensor: its shape, and how it begins.

    Attributes:
        shape: of it.
        bound: half-width of the uniform range it is drawn from.
        constant: what it starts as instead.
        gain: of the orthogonal matrix that it starts as instead (Saxe et al. 2014).
        blocks: into how many matrices, one below the other, it falls that are orthogonal each: the gates of a memory.
        given: whether a network of the user's own says how it starts.
    """

    shape: tuple[int, ...]
    bound: float = 0.0
    constant: float | None = None
    gain: float | None = None
    blocks: int = 1
    given: bool = False


@dataclass(frozen=True)
class Seen:
    """What a trunk reads: a row of `size` numbers.

    Attributes:
        shape: of an observation before it is flattened: `(18,)`, `(height, width, channels)`, `(entities, features)`.
        beside: how many numbers follow it, such as a one-hot agent id.
    """

    shape: tuple[int, ...]
    beside: int = 0

    @property
    def size(self) -> int:
        """Numbers in a row."""
        return prod(self.shape) + self.beside


def is_picture(shape: tuple[int, ...], network: NetworkConfig) -> bool:
    """Whether the observation goes through convolutions: `[height, width, channels]`, unless there are none."""
    return len(shape) == 3 and bool(network.channels) and not network.module


def is_set(shape: tuple[int, ...], network: NetworkConfig) -> bool:
    """Whether the observation goes through attention: `[entities, features]`, if that is wanted."""
    return len(shape) == 2 and bool(network.attention) and not network.module


def convolution_sizes(shape: tuple[int, ...], network: NetworkConfig) -> list[tuple[int, int, int]]:
    """Height, width and channels of a picture before the first convolution and after each.

    The picture is padded by half a kernel on every side: a side of n becomes `(n + 2 (k // 2) - k) // stride + 1`.
    """
    height, width, depth = shape
    sizes = [(height, width, depth)]
    for depth, (kernel, stride) in zip(network.channels, network.convolutions, strict=True):
        height, width = (1 + (side + 2 * (kernel // 2) - kernel) // stride for side in (height, width))
        sizes.append((height, width, depth))
    return sizes


def memory_names(network: NetworkConfig, prefix: str = "") -> list[str]:
    """What the layers of the memory are called: `lstm`, `lstm1`, ...; `memory` for those that remember nothing."""
    kind = "memory" if network.memory == "none" else network.memory
    return [prefix + numbered(kind, number) for number in range(network.layers)]


def numbered(name: str, number: int) -> str:
    """`encoder`, `encoder1`, `encoder2`: the first of its kind needs no number."""
    return f"{name}{number}" if number else name


def trunk(seen: Seen, network: NetworkConfig, prefix: str) -> dict[str, Draw]:
    """The tensors of a trunk by name, in the order in which they are drawn and stored.

    Ranges are those of torch's own layers: uniform in +-1/sqrt(fan-in), for a memory +-1/sqrt(width).
    """
    tensors, width = _eyes(seen, network, prefix)
    gain = HIDDEN_GAIN[network.activation]
    for number, units in enumerate(network.encoder_widths):
        tensors |= layer(f"{prefix}{numbered('encoder', number)}", width, units, network, gain)
        width = units
    for name in memory_names(network, prefix):
        if network.memory == "none":
            tensors |= layer(name, width, network.memory_width, network, gain)
        else:
            tensors |= _memory(name, width, network)
        width = network.memory_width
    return tensors


def linear(name: str, inputs: int, outputs: int, network: NetworkConfig, gain: float) -> dict[str, Draw]:
    """Weight and bias of a linear layer; `gain` is of an orthogonal one."""
    if network.initialisation == "orthogonal":
        return {
            f"{name}.weight": Draw((outputs, inputs), gain=gain),
            f"{name}.bias": Draw((outputs,), constant=0.0),
        }
    bound = 1.0 / sqrt(inputs)
    return {f"{name}.weight": Draw((outputs, inputs), bound), f"{name}.bias": Draw((outputs,), bound)}


def layer(name: str, inputs: int, outputs: int, network: NetworkConfig, gain: float) -> dict[str, Draw]:
    """A linear layer, with the layer normalisation that may follow it."""
    return linear(name, inputs, outputs, network, gain) | _norm(name, outputs, network)


def _norm(name: str, width: int, network: NetworkConfig) -> dict[str, Draw]:
    if not network.layer_norm:
        return {}
    return {f"{name}.norm.weight": Draw((width,), constant=1.0), f"{name}.norm.bias": Draw((width,), constant=0.0)}


def _eyes(seen: Seen, network: NetworkConfig, prefix: str) -> tuple[dict[str, Draw], int]:
    """What comes before the encoder, and how many numbers the encoder reads."""
    tensors: dict[str, Draw] = {}
    gain = HIDDEN_GAIN[network.activation]
    if is_picture(seen.shape, network):
        sizes = convolution_sizes(seen.shape, network)
        for number, (before, after) in enumerate(pairwise(sizes)):
            inputs = network.convolutions[number][0] ** 2 * before[2]
            tensors |= linear(f"{prefix}convolution{number}", inputs, after[2], network, gain)
        return tensors, prod(sizes[-1]) + seen.beside
    if is_set(seen.shape, network):
        width = network.attention
        tensors |= layer(f"{prefix}entity", seen.shape[1], width, network, gain)
        for part in ("query", "key", "value", "output"):
            tensors |= linear(f"{prefix}attention.{part}", width, width, network, 1.0)
        return tensors | _norm(f"{prefix}attention", width, network), width + seen.beside
    return tensors, seen.size


def _memory(name: str, inputs: int, network: NetworkConfig) -> dict[str, Draw]:
    """One layer of an LSTM or a GRU, gates one below the other in torch's order.

    Where torch keeps two biases and only their sum counts, here there is one; a GRU's candidate needs the second.
    """
    width, gates = network.memory_width, 4 if network.memory == "lstm" else 3
    bound = 1.0 / sqrt(width)
    shapes = {"weight_ih": (gates * width, inputs), "weight_hh": (gates * width, width), "bias": (gates * width,)}
    if network.memory == "gru":
        shapes["bias_hh"] = (width,)
    tensors = {f"{name}.{part}": Draw(shape, bound) for part, shape in shapes.items()}
    if network.initialisation == "orthogonal":
        tensors = {
            f"{name}.{part}": Draw(shape, gain=1.0, blocks=gates) if len(shape) == 2 else Draw(shape, constant=0.0)
            for part, shape in shapes.items()
        }
    return tensors | _norm(name, width, network)
