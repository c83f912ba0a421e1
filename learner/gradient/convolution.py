"""The convolutions for pictures in torch. NumPy twin: `actor/convolution.py`."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from chorus.common.policy.trunk import Seen, convolution_sizes, is_picture
from chorus.common.settings.sections import NetworkConfig
from chorus.learner.gradient.layer import ACTIVATIONS, Parameters

PICTURES_BYTES = 64 << 20
"""What convolutions may make of the pictures that are differentiated together."""
NUMBER = 4
"""Bytes of a float32."""


def pictures_at_once(seen: Seen, network: NetworkConfig) -> int | None:
    """How many pictures are differentiated together, by what convolutions make of each; None where nobody sees any."""
    if not is_picture(seen.shape, network):
        return None
    made = sum(prod(size) for size in convolution_sizes(seen.shape, network)[1:])
    return max(1, PICTURES_BYTES // (NUMBER * made))


def see_picture(own: Parameters, seen: Seen, network: NetworkConfig, inputs: Tensor) -> Tensor:
    """All convolutions, one after the other; whatever follows the picture in the input is passed on.

    Args:
        own: holds `convolutionN.weight` `[filter, kernel * kernel * channel]` and `.bias`.
        seen: what the rows are.
        network: kernels, strides and activation.
        inputs: `[row, input]`.

    Returns:
        `[row, number]`, row, column, channel of the last picture, then the rest.
    """
    height, width, channels = seen.shape
    size = height * width * channels
    pictures = inputs[:, :size].reshape(-1, height, width, channels).permute(0, 3, 1, 2)
    for number, (kernel, stride) in enumerate(network.convolutions):
        weight = own[f"convolution{number}.weight"]
        kernels = weight.view(len(weight), kernel, kernel, -1).permute(0, 3, 1, 2)
        bias = own[f"convolution{number}.bias"]
        pictures = torch.nn.functional.conv2d(pictures, kernels, bias, stride, kernel // 2)
        pictures = ACTIVATIONS[network.activation](pictures)
    return torch.cat([pictures.permute(0, 2, 3, 1).reshape(len(inputs), -1), inputs[:, size:]], dim=1)
