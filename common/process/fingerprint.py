"""The fingerprint: how this process's arithmetic comes out, so that unlike machines are noticed before they mix.

It digests fixed computations of the kinds that a trajectory depends on (products of the shapes that inference makes,
the elementary functions, draws), and names the versions and kernel settings that they come from.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from chorus.common.process import arithmetic, onnx
from chorus.common.tasks.seeding import Draw, stream

Fingerprint = dict[str, str]

ROWS = (1, 3, 24, 90, 96, 100, 384)
WIDTHS = ((18, 64), (64, 64), (128, 256), (64, 5), (320, 1024))


def chorus_version() -> str:
    """The installed version of Chorus."""
    try:
        return version("chorus-marl")
    except PackageNotFoundError:
        return "not installed"


def fingerprint(environment_package: str, module: str = "") -> Fingerprint:
    """This process's fingerprint.

    Args:
        environment_package: `EnvironmentSpec.package`.
        module: `network.module`; with one, onnxruntime's arithmetic belongs to it.

    Raises:
        ConfigError: there is a module and no onnxruntime.
    """
    return {
        "chorus": chorus_version(),
        "numpy": np.__version__,
        "environment": environment_package,
        **arithmetic.settings(),
        "digest": _digest(),
        **(onnx.arithmetic() if module else {}),
    }


def first_difference(run: Fingerprint, other: Fingerprint) -> str:
    """The differences as `name: the run's, the other's`; empty if there are none."""
    return "; ".join(
        f"{name} is {run.get(name, 'absent')} in the run, but {other.get(name, 'absent')} here"
        for name in sorted(run.keys() | other.keys())
        if run.get(name) != other.get(name)
    )


def _digest() -> str:
    hashed = hashlib.sha256()
    draws = stream(0, Draw.INITIALISATION)
    hashed.update(draws.random(1000).tobytes() + draws.standard_normal(1000).tobytes())
    hashed.update(draws.random(1000, dtype=np.float32).tobytes() + draws.integers(2**31, size=1000).tobytes())
    for inner, outer in WIDTHS:
        weights = draws.uniform(-1.0, 1.0, (inner, outer)).astype(np.float32)
        for rows in ROWS:
            inputs = draws.uniform(-1.0, 1.0, (rows, inner)).astype(np.float32)
            hashed.update((inputs @ weights).tobytes() + (weights.T @ inputs.T).tobytes())
    table = np.linspace(-20.0, 20.0, 4001, dtype=np.float32)
    for values in (table, table.astype(np.float64)):
        for function in (np.exp, np.tanh, lambda x: np.log(np.abs(x) + 1e-3)):
            hashed.update(function(values).tobytes())
    return hashed.hexdigest()[:32]
