"""The machine of the measurements: its size, and how fast its cores multiply matrices and copy memory."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

import numpy as np
import torch

from chorus.benchmarks.measurement import Effort, seconds_each
from chorus.benchmarks.report import Row
from chorus.common.process import arithmetic
from chorus.learner.gradient.products import multiply


def describe() -> Row:
    """Date, processor, cores, memory, versions, and how busy the machine was before."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": _first("/proc/cpuinfo", "model name"),
        "cores": cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "arithmetic": arithmetic.setting(),
    }


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


def product_rate(effort: Effort) -> float:
    """Floating-point operations per second of one core in the learner's float32 matrix products, at the best of some
    sizes."""
    return max(
        2 * size**3 / seconds_each(lambda a=a: multiply(a, a), effort)  # type: ignore[misc]  # a lambda with a default
        for size in effort.pick((64,), (384, 768), (256, 384, 512, 768, 1024))
        for a in [torch.rand(size, size)]
    )


def shaped_rate(rows: int, inner: int, outer: int, effort: Effort) -> float:
    """The same for one shape, `[rows, inner] x [inner, outer]`."""
    a, b = torch.rand(rows, inner), torch.rand(inner, outer)

    def ten() -> None:
        for _ in range(10):
            multiply(a, b)

    return 10 * 2 * rows * inner * outer / seconds_each(ten, effort)


def copy_rate(size: int, effort: Effort) -> float:
    """Bytes per second of copying `size` bytes from memory to memory."""
    source, target = np.zeros(size, np.uint8), np.ones(size, np.uint8)
    return size / seconds_each(lambda: np.copyto(target, source), effort)


def proportional_set_size(pid: int) -> float:
    """Megabytes of memory of a process, shared pages divided among those that share them."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def processor_seconds(pid: int) -> float:
    """Processor time of a process so far, of all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _first(path: str, key: str) -> str:
    for line in Path(path).read_text().splitlines() if Path(path).exists() else []:
        if line.startswith(key):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
