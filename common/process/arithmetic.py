"""Equal bits need equal arithmetic: settings that must stand before NumPy or torch is imported.

The libraries choose their kernels by processor and number of threads, and different kernels round differently.
`portable` names kernels that every x86-64 machine with AVX2 has (Intel's since 2013, AMD's since 2015) and that come
out alike on all of them: docs/reproducibility.md says how that is known. `native` lets the libraries choose, and gives
up equal bits between unlike machines (see `chorus bench --arithmetic native` for what that brings). Both use one thread
a call: Chorus runs in parallel by tasks, not inside a product.

Chorus' own actor calls no function of NumPy that comes out otherwise with AVX-512. An environment may (float64 `exp`,
`log` and their kin), so NumPy is kept from using AVX-512 in whatever makes an environment that Chorus did not bring
along. `built-in` is `portable` without that, for those that it did: a process has one of three modes, a run one of two.
"""

from __future__ import annotations

import os
import platform
import sys

from chorus.common.errors import ChorusError
from chorus.common.process import processor

ALWAYS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",  # Apple's
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # without it CUDA's products do not repeat their bits
}
X86_KERNELS = {
    "OPENBLAS_CORETYPE": "Haswell",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "COMPATIBLE",  # the only value that MKL heeds on AMD's processors too
    "ATEN_CPU_CAPABILITY": "avx2",
}
ARM_KERNELS = {"OPENBLAS_CORETYPE": "ARMV8", "ATEN_CPU_CAPABILITY": "default"}
PORTABLE_KERNELS = (
    X86_KERNELS if processor.x86_64() else ARM_KERNELS if platform.machine() == "aarch64" else dict[str, str]()
)
WITHOUT_AVX512 = {"NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR"} if processor.x86_64() else {}

MODE = "CHORUS_ARITHMETIC"
"""The variable by which a process is told its mode."""
PINNED = "CHORUS_ARITHMETIC_PINNED"
"""The variable in which `pin` notes what it set, here and in the processes that this one was started from."""
MODES = {
    "portable": ALWAYS | PORTABLE_KERNELS | WITHOUT_AVX512,
    "built-in": ALWAYS | PORTABLE_KERNELS,
    "native": ALWAYS,
}
BUILT_IN = ("spread",)
"""Kinds of environment that Chorus brings along; `common/environments/registry.py` holds to it."""


def suited(arithmetic: str, environment: str) -> str:
    """The mode for a run's processes.

    Args:
        arithmetic: the run's setting.
        environment: the environment's spec string.
    """
    kind = environment.strip().partition("?")[0]
    return "built-in" if arithmetic == "portable" and kind in BUILT_IN else arithmetic


def serves(mode: str, wanted: str) -> bool:
    """Whether a process in one mode computes what is wanted of another; `portable` does all that `built-in` does."""
    return mode == wanted or (mode, wanted) == ("portable", "built-in")


def pin(mode: str = "portable") -> None:
    """Set the variables of a mode where the user has not set them already.

    What a process that this one was started from had pinned for another mode is undone.

    Raises:
        RuntimeError: NumPy or torch is loaded already, so the settings would be read too late.
        ChorusError: the processor lacks what the mode needs.
    """
    if mode != "native" and (lacking := processor.lacks()):
        raise ChorusError(
            f"this processor ({processor.name()}) has no {' and no '.join(lacking)}, which portable arithmetic needs;"
            " use a newer one, or begin the run with --set arithmetic=native, whose bits other machines need not share"
        )
    wanted = MODES[mode]
    loaded = [module for module in ("numpy", "torch") if module in sys.modules]
    before = [name for name in os.environ.get(PINNED, "").split(",") if name]
    if not loaded:
        for name in before:
            if name not in wanted:
                os.environ.pop(name, None)
    unset = {name: value for name, value in wanted.items() if name not in os.environ}
    if unset and loaded:
        raise RuntimeError(
            f"arithmetic must be pinned before {loaded[0]} is imported; see common/process/arithmetic.py"
        )
    os.environ.update(unset)
    os.environ[PINNED] = ",".join([*before, *(name for name in unset if name not in before)])
    os.environ[MODE] = mode


def mode() -> str:
    """The mode that `pin` set, here or in the process that started this one; "portable" before."""
    return os.environ.get(MODE, "portable")


def setting() -> str:
    """`arithmetic` of a run whose processes compute in the mode of this one."""
    return "native" if mode() == "native" else "portable"


def environment_for(mode: str) -> dict[str, str]:
    """The environment in which to start this program anew in another mode: what `pin` set here is left out."""
    pinned = os.environ.get(PINNED, "").split(",")
    kept = {name: value for name, value in os.environ.items() if name not in pinned and name != PINNED}
    return kept | {MODE: mode}


def settings(names: tuple[str, ...] = ()) -> dict[str, str]:
    """The kernel settings in force in this process, all of them or those named; "native" where the library chooses."""
    return {name: os.environ.get(name, "native") for name in names or PORTABLE_KERNELS}
