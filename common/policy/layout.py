"""The tensors of a policy: what they are called, their shapes, and from what range they are drawn.

The one description that the learner's torch network and the actor's NumPy network both follow:

    observation -> [normalise] -> [convolutions, if it is a picture] -> encoder -> memory -> head -> logits, or means
                                                                                  `log_std` beside it, for means
    observation ->  …  the same again under `value.`, if the value has a network of its own          -> value
                    (which may see the whole team: `value.sees`)
                    or from the policy's own memory (`value: head`)                                   -> value
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod, sqrt

from msgspec.structs import replace

from chorus.common.policy.sharing import PolicySpec
from chorus.common.settings.config import Config, NetworkConfig

KERNEL = 3
STRIDE = 2
INITIAL_LOG_STD = -0.5


@dataclass(frozen=True)
class Draw:
    """One tensor: its shape, and the half-width of the uniform range it is drawn from; or the constant it starts as."""

    shape: tuple[int, ...]
    bound: float = 0.0
    constant: float | None = None


def layout(spec: PolicySpec, config: Config) -> dict[str, Draw]:
    """The trainable tensors of one policy by name, in the order in which they are drawn and stored.

    Ranges are those of torch's own layers: uniform in +-1/sqrt(fan-in), for an LSTM +-1/sqrt(width).
    """
    tensors = _trunk(spec, config.network, "")
    value = config.value
    tensors |= _linear("head", config.network.memory_width, spec.output_size)
    if spec.agent.bounds:
        tensors["log_std"] = Draw((len(spec.agent.bounds),), constant=INITIAL_LOG_STD)
    if config.loss.baseline == "value":
        if value.network == "own":
            memory = replace(config.network, memory=value.memory or config.network.memory)
            tensors |= _trunk(spec, memory, "value.", spec.team_input_size if value.sees == "team" else None)
        tensors |= _linear("value.head", config.network.memory_width, 1)
    return tensors


def picture_sizes(shape: tuple[int, ...], channels: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """Height, width and channels of a picture before the first convolution and after each: 3 x 3, stride 2, padded."""
    height, width, depth = shape
    sizes = [(height, width, depth)]
    for depth in channels:
        height, width = (height + 1) // STRIDE, (width + 1) // STRIDE
        sizes.append((height, width, depth))
    return sizes


def is_picture(spec: PolicySpec, config: NetworkConfig) -> bool:
    """Whether the observation goes through convolutions first: `[height, width, channels]`, unless there are none."""
    return len(spec.agent.observation_shape) == 3 and bool(config.channels)


def _trunk(spec: PolicySpec, config: NetworkConfig, prefix: str, flat: int | None = None) -> dict[str, Draw]:
    """Of an agent's own observation, or of a `flat` vector of that width."""
    tensors: dict[str, Draw] = {}
    inputs = flat or spec.input_size
    if flat is None and is_picture(spec, config):
        sizes = picture_sizes(spec.agent.observation_shape, config.channels)
        for number, (before, after) in enumerate(pairwise(sizes)):
            tensors |= _linear(f"{prefix}convolution{number}", KERNEL * KERNEL * before[2], after[2])
        inputs = prod(sizes[-1]) + spec.input_size - spec.agent.observation_size
    tensors |= _linear(f"{prefix}encoder", inputs, config.encoder)
    width = config.memory_width
    if config.memory == "none":
        return tensors | _linear(f"{prefix}memory", config.encoder, width)
    bound = 1.0 / sqrt(width)
    return tensors | {
        f"{prefix}lstm.weight_ih": Draw((4 * width, config.encoder), bound),
        f"{prefix}lstm.weight_hh": Draw((4 * width, width), bound),
        f"{prefix}lstm.bias": Draw((4 * width,), bound),
    }


def _linear(name: str, inputs: int, outputs: int) -> dict[str, Draw]:
    bound = 1.0 / sqrt(inputs)
    return {f"{name}.weight": Draw((outputs, inputs), bound), f"{name}.bias": Draw((outputs,), bound)}
