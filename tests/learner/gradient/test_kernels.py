"""MKL has chosen its vector functions before a second thread can ask for one.

What is read is MKL's own note, a number beside the function that makes it: the race that the note is about is lost once
in a thousand starts, too rarely for a test to wait for.
"""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

NOTES = """
import ctypes
from pathlib import Path

from chorus.common.process import arithmetic; arithmetic.pin()
import torch

from chorus.common.settings import config
from chorus.common.environments import make
from chorus.common.policy.sharing import divide
from chorus.learner.update.training import Training, first_version

library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
code = ctypes.cast(library.mkl_vml_serv_cpu_detect, ctypes.c_void_p).value
assert ctypes.string_at(code, 2) == bytes.fromhex("8b05")  # mov DISTANCE(%rip), %eax: it begins by reading the note
distance = int.from_bytes(ctypes.string_at(code + 2, 4), "little", signed=True)
note = ctypes.c_int.from_address(code + 6 + distance)

environment = make("spread?agents=2")
settings = config.resolve(config.check({}), environment.spec)
policies = divide(environment.spec, settings.sharing, settings.network)
version = first_version(settings, policies)
print(note.value)
Training(settings, environment.spec, policies, {0: version})
print(note.value)
torch.exp(torch.linspace(0.0, 1.0, 1000))
print(note.value)
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="torch has MKL on x86-64 alone")
def test_the_vector_functions_are_chosen_once_a_training_stands() -> None:
    at_first, ready, in_use = map(int, subprocess.check_output([sys.executable, "-c", NOTES], text=True).split())
    assert at_first == -1
    assert ready == in_use >= 0
