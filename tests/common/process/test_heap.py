"""Memory that the arrays of a block leave is there for the next one's, without a page fault, on any thread; that of a
large trajectory goes back."""

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
    for size in (1 << 20, 4 << 20, 24 << 20):
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

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() >> 20

before, array = resident(), ctypes.create_string_buffer(bytes(1), 200 << 20)
ctypes.memset(array, 1, len(array))
beside, held = ctypes.create_string_buffer(1 << 20), resident()
del array
print(held - before, resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc that is told")
def test_a_blocks_arrays_cost_page_faults_once_and_larger_ones_are_given_back() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    found = {
        told: subprocess.check_output([sys.executable, "-c", ROUNDS, told], env=environment, text=True).split()
        for told in ("", "keep")
    }
    faults = {told: int(printed[0]) for told, printed in found.items()}
    assert faults[""] >= 8 and faults["keep"] <= 2  # 40 where the kernel gives pages of 2 MiB, else 20 000
    held, left = map(int, found["keep"][1:])
    assert held > 190 and left < 20, "MiB: a large array is the kernel's again as soon as nobody needs it"
