"""What the C library does with large arrays that are freed."""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -4, -8
"""glibc's names for these settings, from `malloc.h`."""
LARGEST = (1 << 31) - 1


def keep_freed_memory() -> bool:
    """Have this process keep what it frees, for the arrays of the next task; call it before any thread is started.

    By itself glibc gives the arrays of a task back to the kernel and asks for them again at the next one: page faults
    for a twentieth of the learner's processor time where a task has 4 800 agent-steps, a fifth where it has 19 200. One
    heap for all threads, because a thread's own is cut at 64 MiB and given back whatever is set.

    Returns:
        Whether the C library knows these settings; glibc does, others may not, and then all stays as it is.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all([mallopt(ARENA_MAX, 1), mallopt(MMAP_MAX, 0), mallopt(TRIM_THRESHOLD, LARGEST)])
