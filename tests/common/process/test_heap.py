"""Memory that one task's arrays leave is there for the next one's, without a page fault, on any thread."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

ROUNDS = """
import ctypes, resource, sys
from concurrent.futures import ThreadPoolExecutor
from chorus.common.process.heap import keep_freed_memory

assert sys.argv[1] != "keep" or keep_freed_memory()

def task(_):
    for size in (1 << 20, 4 << 20, 40 << 20):
        arrays = [ctypes.create_string_buffer(bytes(1), size) for _ in range(3)]
        for array in arrays:
            ctypes.memset(array, 1, len(array))

def faults(tasks):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    list(threads.map(task, range(tasks)))
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // tasks

with ThreadPoolExecutor(1) as threads:
    faults(3)
    print(faults(5))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc that is told")
def test_a_tasks_arrays_cost_page_faults_once() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    faults = {
        told: int(subprocess.check_output([sys.executable, "-c", ROUNDS, told], env=environment))
        for told in ("", "keep")
    }
    assert faults[""] >= 8 and faults["keep"] <= 2  # 60 where the kernel gives pages of 2 MiB, else 30 000
