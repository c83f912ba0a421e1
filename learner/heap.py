"""What the C library does with the large arrays of a gradient when they are freed."""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""glibc's names for its two limits, from `malloc.h`."""
KEPT_BYTES = 256 << 20
SHARED_BYTES = 32 << 20
"""The most that glibc takes for MMAP_THRESHOLD."""


def keep_freed_memory() -> bool:
    """Have this process keep what it frees, up to 256 MiB a thread, for the arrays of the next task.

    By itself glibc gives the top of its heaps back to the kernel after each task and asks for it again at the next one:
    800 page faults a task of 4 800 agent-steps, a twentieth of the learner's processor time.

    Returns:
        Whether the C library knows these limits; glibc does, others may not, and then all stays as it is.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all([mallopt(TRIM_THRESHOLD, KEPT_BYTES), mallopt(MMAP_THRESHOLD, SHARED_BYTES)])
