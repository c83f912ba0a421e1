"""Finding what an environment comes from: importing it, naming its version, saying what to install."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.metadata
import sys
from pathlib import Path
from types import ModuleType

from chorus.common.environments.error_location import one_line
from chorus.common.errors import EnvironmentFault

_INSTALL = {
    "pettingzoo": "pettingzoo",
    "gymnasium": "gymnasium",
    "mpe2": "mpe2",
    "vmas": "vmas",
    "envpool": "envpool",
    "overcooked": "overcooked",
    "jax": "jaxmarl",
    "jaxmarl": "jaxmarl",
    "lbforaging": "lbforaging",
    "rware": "rware",
    "magent2": "magent2",
    "chess": '"pettingzoo[classic]"',
    "rlcard": '"pettingzoo[classic]"',
    "shimmy": '"pettingzoo[classic]"',
    "pygame": '"pettingzoo[butterfly]"',
    "pymunk": '"pettingzoo[butterfly,sisl]"',
    "Box2D": '"pettingzoo[sisl]"',
    "scipy": "scipy",
    "multi_agent_ale_py": '"pettingzoo[atari]" ale-py',
    "torch": "torch --index-url https://download.pytorch.org/whl/cpu",
}


def load(module: str, spec: str) -> ModuleType:
    """Import `module` for the environment `spec`, or say what to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise missing(error, spec) from error


def missing(error: ImportError, spec: str) -> EnvironmentFault:
    """The fault of an environment for which something is not installed."""
    package = (error.name or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and package in _INSTALL:
        return EnvironmentFault(f"environment {spec!r}: {package} is not installed; pip install {_INSTALL[package]}")
    return EnvironmentFault(f"environment {spec!r}: its import failed: {one_line(error)}")


@functools.cache
def provenance(module: str) -> str:
    """Distribution and version that `module` comes from; the digest of its file where it is in no distribution."""
    top = module.partition(".")[0]
    for distribution in (top, *importlib.metadata.packages_distributions().get(top, ())):
        try:
            return f"{distribution} {importlib.metadata.version(distribution)}"
        except importlib.metadata.PackageNotFoundError:
            continue
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:
        return top
    return f"{module} sha256:{hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16]}"
