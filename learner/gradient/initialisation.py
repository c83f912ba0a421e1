"""How a tensor begins: uniform, constant, or orthogonal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chorus.common.policy.trunk import Draw


def begin(tensor: Draw, draws: np.random.Generator) -> NDArray[np.float32]:
    """The tensor's first value, float32 `tensor.shape`, drawn from `draws`."""
    if tensor.gain is not None:
        return orthogonal(tensor, draws).astype(np.float32)
    values = draws.uniform(-tensor.bound, tensor.bound, tensor.shape)  # drawn for constants too: runs stay as they were
    if tensor.constant is not None:
        values = np.full(tensor.shape, tensor.constant)
    return values.astype(np.float32)


def orthogonal(tensor: Draw, draws: np.random.Generator) -> NDArray[np.float64]:
    """Blocks of orthonormal rows or columns, whichever are fewer, times the gain (Saxe et al. 2014).

    The orthogonal factor of a normal matrix, with the signs that make it uniform over all (Mezzadri 2007).
    """
    if tensor.gain is None:
        raise ValueError(f"{tensor} is not drawn orthogonal")
    rows, columns = tensor.shape[0] // tensor.blocks, tensor.shape[1]
    blocks = []
    for _ in range(tensor.blocks):
        factor, triangle = np.linalg.qr(draws.standard_normal((max(rows, columns), min(rows, columns))))
        factor *= np.sign(np.diag(triangle))
        blocks.append(factor if rows >= columns else factor.T)
    matrix: NDArray[np.float64] = tensor.gain * np.concatenate(blocks)
    return matrix
