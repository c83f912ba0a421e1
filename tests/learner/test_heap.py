"""Memory that one gradient frees is there for the next one, without a page fault."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

ROUNDS = """
import ctypes, resource, sys
from learner.heap import keep_freed_memory

assert sys.argv[1] != "keep" or keep_freed_memory()

def task():
    arrays = [ctypes.create_string_buffer(bytes(1), 4 << 20) for _ in range(8)]
    for array in arrays:
        ctypes.memset(array, 1, len(array))

for _ in range(3):
    task()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    task()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // 5)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc that is told")
def test_a_tasks_arrays_cost_page_faults_once() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    faults = {
        told: int(subprocess.check_output([sys.executable, "-c", ROUNDS, told], env=environment))
        for told in ("", "keep")
    }
    assert faults[""] >= 8 and faults["keep"] <= 2  # 8 where the kernel gives pages of 4 MiB, else 8 192
