"""The convolutions for pictures in NumPy: 3 x 3, stride 2, padded by one, each followed by a rectifier."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from chorus.common.environments.interface import FloatArray
from chorus.common.policy.layout import KERNEL, STRIDE


def convolve(pictures: FloatArray, weight: FloatArray, bias: FloatArray) -> FloatArray:
    """One layer, as a product over patches.

    Args:
        pictures: float32 `[row, height, width, channel]`.
        weight: float32 `[filter, 3 * 3 * channel]`, patches laid out row, column, channel.
        bias: float32 `[filter]`.

    Returns:
        float32 `[row, ceil(height / 2), ceil(width / 2), filter]`.
    """
    rows, height, width, channels = pictures.shape
    padded = np.zeros((rows, height + 2, width + 2, channels), np.float32)
    padded[:, 1:-1, 1:-1] = pictures
    windows = sliding_window_view(padded, (KERNEL, KERNEL), axis=(1, 2))[:, ::STRIDE, ::STRIDE]
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, KERNEL * KERNEL * channels)
    result = patches @ weight.T
    result += bias
    np.maximum(result, 0.0, out=result)
    return result.reshape(rows, (height + 1) // STRIDE, (width + 1) // STRIDE, len(weight))
