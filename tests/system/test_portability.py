"""Unlike processors come to the same bytes: whole updates here, and on processors that QEMU emulates.

QEMU 10 or newer: older ones compute oneDNN's LSTM wrongly.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROCESSORS = ("Haswell", "Skylake-Client", "EPYC-Rome", "EPYC-Milan", "Haswell,vendor=AuthenticAMD")
TOLD = Path(__file__).parents[2] / "docs" / "reproducibility.md"
SCRIPT = """
import sys
from chorus.common.process import arithmetic; arithmetic.pin()
from chorus.studies.portability import tell
sys.exit(tell(as_json=True, quick="quick" in sys.argv))
"""


def emulator() -> str:
    """The QEMU to emulate with."""
    for name in ("qemu-x86_64", "qemu-x86_64-static"):
        if (program := shutil.which(name)) is not None:
            said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
            found = re.search(r"version (\d+)\.", said)
            if found and int(found[1]) >= 10:
                return program
    pytest.skip("qemu-x86_64 10 or newer is not installed (Debian 13, or bookworm-backports: qemu-user)")


class Examination:
    """What a process with its own NumPy and torch computes, begun at once and asked for later."""

    def __init__(self, *before: str, quick: bool) -> None:
        """By this interpreter, run by what stands `before` it."""
        kept = {name: value for name, value in os.environ.items() if name != "NPY_DISABLE_CPU_FEATURES"}
        self._process = subprocess.Popen(
            [*before, sys.executable, "-c", SCRIPT, *(["quick"] if quick else [])],
            env=kept,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # QEMU complains of features that it lacks
        )

    def digests(self) -> dict[str, tuple[str, str]]:
        """Of what was played and of what was learned, case by case."""
        try:
            answer, _ = self._process.communicate(timeout=3000)
        finally:
            self._process.kill()
        assert self._process.returncode == 0, self._process.returncode
        return {case["name"]: (case["played"], case["learned"]) for case in json.loads(answer)["cases"]}


def told() -> dict[str, tuple[str, str]]:
    """The digests in the documentation, case by case."""
    lines = re.findall(r"^\| (.+?) \| `([0-9a-f]{16})` \| `([0-9a-f]{16})` \|$", TOLD.read_text(), re.MULTILINE)
    return {name: (played, learned) for name, played, learned in lines}


@pytest.mark.timeout(600)
def test_a_processor_of_another_make_plays_and_learns_the_same_bytes() -> None:
    program = emulator()
    both = [Examination(program, "-cpu", "Haswell", quick=True), Examination(quick=True)]
    emulated, native = (examination.digests() for examination in both)
    assert emulated == native and len(native) >= 2
    assert native.items() <= told().items(), "docs/reproducibility.md has these digests"


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("processor", PROCESSORS)
def test_every_kind_of_run_comes_out_alike_on_every_processor(processor: str) -> None:
    both = [Examination(emulator(), "-cpu", processor, quick=False), Examination(quick=False)]
    emulated, native = (examination.digests() for examination in both)
    assert emulated == native == told()


def test_a_processor_without_avx2_is_told_so_and_nothing_is_computed() -> None:
    command = [emulator(), "-cpu", "Nehalem", sys.executable, "-P", "-m", "chorus", "train", "--updates", "1"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    said = [line for line in ran.stderr.splitlines() if not line.startswith("qemu-x86_64: warning")]
    assert ran.returncode == 1 and len(said) == 1 and "has no AVX2 and no FMA" in said[0], (ran.returncode, said)
