"""Equal bits need equal arithmetic: settings that must stand before NumPy or torch is imported.

The linear-algebra libraries choose their kernels by processor and number of threads, and different kernels round
differently. `portable` names kernels that every x86-64 machine since 2013 has; `native` lets the libraries choose, and
gives up equal bits between unlike machines (with AVX-512 an actor takes 0.9 of the time then, a gradient 0.75: see
`chorus bench --arithmetic native`). Both use one thread a call: Chorus runs in parallel by tasks, not inside a product.
"""

from __future__ import annotations

import os
import sys

ALWAYS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # without it CUDA's products do not repeat their bits
}
PORTABLE_KERNELS = {
    "OPENBLAS_CORETYPE": "Haswell",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
}

MODE = "CHORUS_ARITHMETIC"
"""The variable by which a process is told the mode of its run."""
PINNED = "CHORUS_ARITHMETIC_PINNED"
"""The variable in which `pin` notes what it set, here and in the processes that this one was started from."""


def pin(mode: str = "portable") -> None:
    """Set the variables of `mode` ("portable" or "native") where the user has not set them already.

    Raises:
        RuntimeError: NumPy or torch is loaded already, so the settings would be read too late.
    """
    wanted = ALWAYS | (PORTABLE_KERNELS if mode == "portable" else {})
    missing = {name: value for name, value in wanted.items() if name not in os.environ}
    loaded = [module for module in ("numpy", "torch") if module in sys.modules]
    if missing and loaded:
        raise RuntimeError(
            f"arithmetic must be pinned before {loaded[0]} is imported; see common/process/arithmetic.py"
        )
    os.environ.update(missing)
    os.environ[PINNED] = ",".join(filter(None, [os.environ.get(PINNED), *missing]))
    os.environ[MODE] = mode


def mode() -> str:
    """The mode that `pin` set, here or in the process that started this one; "portable" before."""
    return os.environ.get(MODE, "portable")


def environment_for(mode: str) -> dict[str, str]:
    """The environment in which to start this program anew in another mode: what `pin` set here is left out."""
    pinned = os.environ.get(PINNED, "").split(",")
    kept = {name: value for name, value in os.environ.items() if name not in pinned and name != PINNED}
    return kept | {MODE: mode}


def settings() -> dict[str, str]:
    """The kernel settings in force in this process, by variable; "native" where the library chooses."""
    return {name: os.environ.get(name, "native") for name in PORTABLE_KERNELS}
