"""The convolutions for pictures in NumPy. Torch twin: `learner/gradient/convolution.py`."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from chorus.actor.layer import activate
from chorus.common.environments.interface import FloatArray
from chorus.common.policy.trunk import Seen
from chorus.common.policy.weights import Tensors
from chorus.common.settings.sections import NetworkConfig


def convolve(
    pictures: FloatArray, weight: FloatArray, bias: FloatArray, kernel: int, stride: int, activation: str
) -> FloatArray:
    """One layer, padded by half a kernel, as a product over patches.

    Args:
        pictures: float32 `[row, height, width, channel]`.
        weight: float32 `[filter, kernel * kernel * channel]`, patches laid out row, column, channel.
        bias: float32 `[filter]`.
        kernel: side of a patch.
        stride: pixels from one patch to the next.
        activation: that follows.

    Returns:
        float32 `[row, height', width', filter]`, sides as `common.policy.trunk.convolution_sizes` has them.
    """
    rows, height, width, channels = pictures.shape
    margin = kernel // 2
    padded = np.zeros((rows, height + 2 * margin, width + 2 * margin, channels), np.float32)
    padded[:, margin : margin + height, margin : margin + width] = pictures
    windows = sliding_window_view(padded, (kernel, kernel), axis=(1, 2))[:, ::stride, ::stride]
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, kernel * kernel * channels)
    result = patches @ weight.T
    result += bias
    activate(result, activation)
    return result.reshape(*windows.shape[:3], len(weight))


class PictureEyes:
    """The convolutions of a policy that sees pictures; whatever follows the picture in its input is passed on."""

    def __init__(self, own: Tensors, seen: Seen, network: NetworkConfig) -> None:
        """Those whose tensors are named `convolutionN.weight` and so on."""
        self._seen, self._activation = seen, network.activation
        self._layers = [
            (own[f"convolution{number}.weight"], own[f"convolution{number}.bias"], kernel, stride)
            for number, (kernel, stride) in enumerate(network.convolutions)
        ]

    def see(self, inputs: FloatArray) -> FloatArray:
        """What the encoder reads, `[row, number]`, of inputs `[row, input]`."""
        size = self._seen.size - self._seen.beside
        pictures = inputs[:, :size].reshape(-1, *self._seen.shape)
        for weight, bias, kernel, stride in self._layers:
            pictures = convolve(pictures, weight, bias, kernel, stride, self._activation)
        return np.concatenate([pictures.reshape(len(inputs), -1), inputs[:, size:]], axis=1)
