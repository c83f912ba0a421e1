"""Memory for large arrays, that goes back to the kernel as soon as nobody needs it.

In the heap, which keeps what is freed (`common/process/allocator.py`), it would leave holes that nothing else fits
into.
"""

from __future__ import annotations

import mmap
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGE = 32 << 20


def zeros(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """An array of zeros. The pages of a large one take memory only once something is written to them."""
    size = prod(shape) * dtype.itemsize
    if size <= LARGE:
        return np.zeros(shape, dtype)
    held = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return np.frombuffer(held, dtype).reshape(shape)
