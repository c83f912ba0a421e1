"""How the return of a run is smoothed wherever it is shown."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def smooth(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """A running mean over the last `window` values, fewer at the start."""
    sums = np.cumsum(np.insert(values, 0, 0.0))
    ends = np.arange(1, len(values) + 1)
    begins = np.maximum(0, ends - window)
    return (sums[ends] - sums[begins]) / (ends - begins)


def window(updates: int) -> int:
    """Over how many updates the return of a run of so many is smoothed."""
    return max(1, updates // 30)
